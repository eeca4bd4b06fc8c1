"""The HTTP clients: our defaults, one TLS context, and any client of httpx in place of ours."""

import os
import ssl
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from agentlin_client import AsyncClient, Client, ClientError
from agentlin_client._defaults import DEFAULT_CONNECTION_LIMITS, DEFAULT_TIMEOUT
from agentlin_client._http import (
    DefaultAioHttpClient,
    DefaultAsyncHttpxClient,
    DefaultHttpxClient,
)
from agentlin_client._tls import _loaded, ssl_context
from tests.sdk import wire
from tests.sdk.conftest import Sdk
from tests.sdk.server import Server
from tests.sdk.tls import TlsServer

pytestmark = pytest.mark.anyio

CLASSES = [DefaultHttpxClient, DefaultAsyncHttpxClient, DefaultAioHttpClient]
CREATE: dict[str, Any] = {"stream": False, "user_message_content": "Hello"}


async def close(client: httpx.Client | httpx.AsyncClient) -> None:
    # One suite for both kinds: that of the blocking client blocks.
    if isinstance(client, httpx.Client):
        client.close()  # noqa: ASYNC212
    else:
        await client.aclose()


async def get(client: httpx.Client | httpx.AsyncClient, url: str) -> httpx.Response:
    try:
        if isinstance(client, httpx.Client):
            return client.get(url)  # noqa: ASYNC212
        return await client.get(url)  # noqa: ASYNC212
    finally:
        await close(client)


def context_of(client: Any) -> ssl.SSLContext:
    transport = client._transport
    if isinstance(client, DefaultAioHttpClient):
        return transport._context
    return transport._pool._ssl_context


@pytest.fixture(params=CLASSES)
def make(request: pytest.FixtureRequest) -> type[httpx.Client | httpx.AsyncClient]:
    return request.param


@pytest.fixture
def tls_server(tmp_path: Path) -> Iterator[TlsServer]:
    with TlsServer(tmp_path) as server:
        yield server


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


async def test_our_defaults_stand_where_the_caller_chose_nothing(make: Any) -> None:
    client = make(headers={"X-Team": "search"})
    assert client.timeout == DEFAULT_TIMEOUT
    assert client.follow_redirects
    assert client.headers["X-Team"] == "search"
    assert isinstance(client, httpx.Client | httpx.AsyncClient)
    await close(client)


async def test_a_keyword_changes_its_own_default_and_no_other(make: Any) -> None:
    client = make(timeout=3.0, base_url="http://127.0.0.1:1/v1")
    assert client.timeout == httpx.Timeout(3.0)
    assert client.follow_redirects
    await close(client)
    client = make(follow_redirects=False)
    assert not client.follow_redirects
    assert client.timeout == DEFAULT_TIMEOUT
    await close(client)


async def test_as_many_connections_as_streams_may_need() -> None:
    default, fewer = (
        DefaultHttpxClient(),
        DefaultHttpxClient(limits=httpx.Limits(max_connections=7)),
    )
    pools: list[Any] = [client._transport._pool for client in (default, fewer)]  # type: ignore[attr-defined]
    assert [pool._max_connections for pool in pools] == [
        DEFAULT_CONNECTION_LIMITS.max_connections,
        7,
    ]
    default.close()
    fewer.close()


async def test_all_clients_share_one_tls_context() -> None:
    clients = [cls() for cls in CLASSES]
    assert {id(context_of(client)) for client in clients} == {id(ssl_context())}
    for client in clients:
        await close(client)


async def test_an_own_context_is_respected(make: Any) -> None:
    own = ssl.create_default_context()
    client = make(verify=own)
    assert context_of(client) is own
    await close(client)
    unverified = make(verify=False)
    assert context_of(unverified).verify_mode is ssl.CERT_NONE
    assert ssl_context().verify_mode is ssl.CERT_REQUIRED
    await close(unverified)


@pytest.mark.filterwarnings("ignore:.*cert=:DeprecationWarning")
async def test_a_client_certificate_is_not_lent_to_other_clients(
    make: Any, tls_server: TlsServer, tmp_path: Path
) -> None:
    client = make(cert=str(tmp_path / "both.pem"))
    assert context_of(client) is not ssl_context()
    await close(client)


async def test_the_certificates_are_read_when_a_connection_needs_them(
    make: Any, server: Server, tls_server: TlsServer
) -> None:
    _loaded.cache_clear()
    server.script(wire.answer({}))
    assert (await get(make(), server.origin)).status_code == 200
    assert _loaded.cache_info().currsize == 0
    with pytest.raises(httpx.ConnectError, match=r"(?i)certificate.verify.failed"):
        await get(make(), tls_server.https_origin)
    assert _loaded.cache_info().currsize == 1


async def test_a_server_is_trusted_that_the_environment_says_to_trust(
    make: Any, tls_server: TlsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tls_server.certificate))
    tls_server.script(wire.answer({"is": "trusted"}))
    response = await get(make(), tls_server.https_origin)
    assert response.json()["result"] == {"is": "trusted"}
    with pytest.raises(httpx.ConnectError):
        await get(make(trust_env=False), tls_server.https_origin)


async def test_a_wrong_name_is_refused_though_the_certificate_is_trusted(
    make: Any, tls_server: TlsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tls_server.certificate))
    with pytest.raises(httpx.ConnectError, match=r"(?i)mismatch"):
        await get(make(), tls_server.https_origin.replace("localhost", "127.0.0.1"))


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
async def test_certificates_that_are_not_there_are_an_error_that_names_the_variable(
    make: Any, tls_server: TlsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(tmp_path / "nowhere"))
    if variable == "SSL_CERT_DIR":  # OpenSSL takes a folder that is not there for an empty one
        with pytest.raises(httpx.ConnectError):
            await get(make(), tls_server.https_origin)
        return
    with pytest.raises(ClientError, match=f"{variable} names.*nowhere"):
        await get(make(), tls_server.https_origin)


async def test_our_client_trusts_the_certificates_of_the_environment_on_loopback_too(
    sdk: Sdk, tls_server: TlsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tls_server.certificate))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")  # which is not for loopback
    tls_server.script(wire.answer(wire.task()))
    client = sdk.client(base_url=f"{tls_server.https_origin}/v1")
    response = await sdk.done(client.tasks.create(**CREATE))
    assert response.result.id == wire.TASK_ID


def test_a_second_client_takes_next_to_no_memory() -> None:
    DefaultHttpxClient().close()
    tracemalloc.start()
    try:
        client = DefaultHttpxClient()
        size_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    client.close()
    assert size_bytes <= 32 * 1024


@pytest.mark.parametrize("option", [{"http2": True}, {"proxy": "socks5://127.0.0.1:1"}])
def test_what_aiohttp_cannot_do_is_refused_at_once(option: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="aiohttp"):
        DefaultAioHttpClient(**option)


def test_without_aiohttp_the_error_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['aiohttp'] = None\n"
        "from agentlin_client._http import DefaultAioHttpClient, DefaultAsyncHttpxClient\n"
        "DefaultAsyncHttpxClient()\n"
        "try: DefaultAioHttpClient()\n"
        "except RuntimeError as error: print(error)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=30
    )
    assert "pip install 'agentlin[aiohttp]'" in run.stdout


@pytest.mark.parametrize("cls", [httpx.AsyncClient, DefaultAsyncHttpxClient, DefaultAioHttpClient])
async def test_a_mock_transport_works_in_any_async_client(cls: type[httpx.AsyncClient]) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=wire.envelope(wire.task()))

    http = cls(transport=httpx.MockTransport(answer))
    async with AsyncClient(api_key="k", http_client=http) as client:
        response = await client.tasks.create(**CREATE)
    assert response.result is not None
    assert (response.result.id, seen[0].url.path) == (wire.TASK_ID, "/v1/tasks")


@pytest.mark.parametrize("cls", [httpx.Client, DefaultHttpxClient])
def test_a_mock_transport_works_in_any_blocking_client(cls: type[httpx.Client]) -> None:
    log = wire.log("Hi")
    body = b"".join(wire.frame(event) for event in log)
    answer = httpx.Response(200, headers=wire.SSE, content=body)
    http = cls(transport=httpx.MockTransport(lambda _: answer))
    with Client(api_key="k", http_client=http) as client:
        events = list(client.tasks.create(stream=True, user_message_content="Hello"))
    assert [event.to_dict() for event in events] == log


async def test_respx_stands_in_for_the_server_of_our_own_http_clients() -> None:
    url = "http://127.0.0.1:9999/v1/tasks"
    with respx.mock as routes:
        route = routes.post(url).respond(200, content=wire.envelope(wire.task()))
        with Client() as blocking:
            assert blocking.tasks.create(**CREATE).result
        async with AsyncClient() as client:
            assert (await client.tasks.create(**CREATE)).result
    assert route.call_count == 2
    assert os.environ.get("AGENTLIN_API_KEY") is None
