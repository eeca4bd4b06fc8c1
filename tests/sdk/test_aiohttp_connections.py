"""Connections of the client on aiohttp: none is lost, whatever becomes of the answer."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import anyio
import httpx
import pytest

from agentlin_client._http import DefaultAioHttpClient
from tests.sdk.loop_server import serving, sockets_to
from tests.sdk.server import DROP, SILENCE, WAIT_S, Answer, Request, Server
from tests.sdk.tls import TlsServer

pytestmark = pytest.mark.anyio

HELLO = Answer(body=b"hello")
BROKEN_OFF = Answer(chunks=(b"one", b"two"), ending="hang")
ONE_CONNECTION = httpx.Limits(max_connections=1)


class Arrivals(list[Request]):
    """The requests of a server, with a bell for the first."""

    def __init__(self) -> None:
        super().__init__()
        self._bell = threading.Event()

    def append(self, request: Request) -> None:
        super().append(request)
        self._bell.set()

    async def first(self) -> None:
        assert await anyio.to_thread.run_sync(self._bell.wait, WAIT_S)


class Listening(Server):
    """A server that tells when it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.requests = self.arrivals = Arrivals()


Ending = Callable[[DefaultAioHttpClient, Listening], Awaitable[object]]


@pytest.fixture
def server() -> Iterator[Listening]:
    with Listening() as server:
        yield server


async def read_whole(http: DefaultAioHttpClient, server: Listening) -> None:
    await http.get(server.origin)


async def read_piece_by_piece(http: DefaultAioHttpClient, server: Listening) -> None:
    async with http.stream("GET", server.origin) as response:
        async for _ in response.aiter_bytes():
            pass


async def leave_early(http: DefaultAioHttpClient, server: Listening) -> None:
    async with http.stream("GET", server.origin) as response:
        async for _ in response.aiter_bytes():
            break


async def never_read(http: DefaultAioHttpClient, server: Listening) -> None:
    async with http.stream("GET", server.origin):
        pass


async def fail_inside(http: DefaultAioHttpClient, server: Listening) -> None:
    with contextlib.suppress(KeyError):
        async with http.stream("GET", server.origin):
            raise KeyError


async def cancel_reading(http: DefaultAioHttpClient, server: Listening) -> None:
    async with anyio.create_task_group() as tasks:

        async def read() -> None:
            async with http.stream("GET", server.origin) as response:
                async for _ in response.aiter_bytes():
                    if response.num_bytes_downloaded == 6:
                        tasks.cancel_scope.cancel()

        tasks.start_soon(read)


async def cancel_waiting(http: DefaultAioHttpClient, server: Listening) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(http.get, server.origin)
        await server.arrivals.first()
        tasks.cancel_scope.cancel()


async def time_out(http: DefaultAioHttpClient, server: Listening) -> None:
    with pytest.raises(httpx.ReadTimeout):
        await http.get(server.origin, timeout=httpx.Timeout(5.0, read=0.05))


async def be_cut(http: DefaultAioHttpClient, server: Listening) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await http.get(server.origin)


async def fail_to_send(http: DefaultAioHttpClient, server: Listening) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"
        raise KeyError

    with pytest.raises(KeyError):
        await http.post(server.origin, content=pieces(), headers={"Content-Length": "5"})


async def close_twice(http: DefaultAioHttpClient, server: Listening) -> None:
    response = await http.send(http.build_request("GET", server.origin), stream=True)
    await response.aclose()
    await response.aclose()


ENDINGS: dict[str, tuple[Answer, Ending]] = {
    "read whole": (HELLO, read_whole),
    "read piece by piece": (Answer(chunks=(b"one", b"two")), read_piece_by_piece),
    "no content": (Answer(status=204), read_whole),
    "refused": (Answer(status=500, body=b"no"), never_read),
    "left early": (BROKEN_OFF, leave_early),
    "never read": (BROKEN_OFF, never_read),
    "failed inside": (BROKEN_OFF, fail_inside),
    "cancelled while reading": (BROKEN_OFF, cancel_reading),
    "cancelled while waiting": (SILENCE, cancel_waiting),
    "timed out in the body": (BROKEN_OFF, time_out),
    "timed out before the head": (SILENCE, time_out),
    "cut in the body": (Answer(chunks=(b"one",), ending="cut"), be_cut),
    "hung up on": (DROP, be_cut),
    "not sent": (HELLO, fail_to_send),
    "closed twice": (BROKEN_OFF, close_twice),
    "redirected": (Answer(status=302, headers={"Location": "/"}, body=b"there"), read_whole),
}


@pytest.mark.parametrize("ending", ENDINGS)
async def test_no_ending_of_an_answer_keeps_a_connection(server: Listening, ending: str) -> None:
    with anyio.fail_after(WAIT_S):
        answer, end = ENDINGS[ending]
        # With one connection at most, one that is not given back is one too many.
        async with DefaultAioHttpClient(limits=ONE_CONNECTION, timeout=5.0) as http:
            server.script(answer, HELLO, HELLO, HELLO)
            await end(http, server)
            for _ in range(2):
                assert (await http.get(server.origin)).is_success
            assert sockets_to(server.origin) == 1
        assert sockets_to(server.origin) == 0


async def test_connections_are_used_again_when_an_answer_was_read_whole(server: Listening) -> None:
    server.script(HELLO, HELLO, BROKEN_OFF, HELLO)
    async with DefaultAioHttpClient() as http:
        await http.get(server.origin)
        await http.get(server.origin)
        assert server.connections_accepted == 1
        await never_read(http, server)
        await http.get(server.origin)
        assert server.connections_accepted == 2


@pytest.mark.parametrize("kept", [0, None, 5])
async def test_idle_connections_are_kept_as_the_limits_say(
    server: Listening, kept: int | None
) -> None:
    server.script(HELLO, HELLO)
    limits = httpx.Limits(max_keepalive_connections=kept, keepalive_expiry=None)
    async with DefaultAioHttpClient(limits=limits) as http:
        await http.get(server.origin)
        await http.get(server.origin)
    assert server.connections_accepted == (2 if kept == 0 else 1)


async def test_who_waits_for_a_connection_gets_it_or_a_time_out(
    server: Listening,
) -> None:
    with anyio.fail_after(WAIT_S):
        server.script(BROKEN_OFF, HELLO)
        got: list[bytes] = []
        impatient = httpx.Timeout(5.0, pool=0.05, connect=0.05)
        async with DefaultAioHttpClient(limits=ONE_CONNECTION) as http:

            async def get() -> None:
                got.append((await http.get(server.origin)).content)

            async with http.stream("GET", server.origin) as response:
                with pytest.raises(httpx.ConnectTimeout):
                    await http.get(server.origin, timeout=impatient)
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(get)
                    await anyio.wait_all_tasks_blocked()
                    assert not got
                    await response.aclose()
        assert got == [b"hello"]


async def test_who_gives_up_connecting_leaves_room_for_the_next(server: Listening) -> None:
    with anyio.fail_after(WAIT_S):
        server.script(HELLO)
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            url = f"https://127.0.0.1:{deaf.getsockname()[1]}"  # where nobody shakes hands
            async with DefaultAioHttpClient(limits=ONE_CONNECTION, timeout=5.0) as http:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(http.get, url)
                    await anyio.wait_all_tasks_blocked()
                    tasks.cancel_scope.cancel()
                assert (await http.get(server.origin)).content == b"hello"


async def test_a_server_that_hangs_up_in_the_middle_of_a_body_is_an_error_not_a_wait() -> None:
    async with serving(b"", until=b"", hangs_up=True) as origin, DefaultAioHttpClient() as http:
        with pytest.raises(httpx.TransportError):
            await http.post(origin, content=b"x" * 32_000_000)


async def test_the_name_that_a_certificate_is_for_may_be_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TlsServer(tmp_path) as server:
        server.script(HELLO)
        monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
        url = server.origin.replace("http://", "https://")
        async with DefaultAioHttpClient() as http:
            response = await http.get(url, extensions={"sni_hostname": "localhost"})
    assert response.content == b"hello"


async def test_closing_an_answer_wakes_the_task_that_reads_it(server: Listening) -> None:
    server.script(BROKEN_OFF)
    errors: list[BaseException] = []
    async with DefaultAioHttpClient() as http:
        response = await http.send(http.build_request("GET", server.origin), stream=True)

        async def read() -> None:
            with pytest.raises(httpx.ReadError, match="closed") as caught:
                await response.aread()
            errors.append(caught.value)

        with anyio.fail_after(WAIT_S):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(read)
                await anyio.wait_all_tasks_blocked()
                await response.aclose()
    assert errors


@pytest.mark.parametrize("answer", [BROKEN_OFF, SILENCE])
async def test_closing_the_client_wakes_all_that_wait(server: Listening, answer: Answer) -> None:
    server.script(answer)
    http = DefaultAioHttpClient()
    errors: list[BaseException] = []

    async def get() -> None:
        with pytest.raises(httpx.TransportError) as caught:
            await http.get(server.origin)
        errors.append(caught.value)

    with anyio.fail_after(WAIT_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(get)
            await server.arrivals.first()
            await anyio.wait_all_tasks_blocked()
            await http.aclose()
    assert errors
    assert sockets_to(server.origin) == 0
    with pytest.raises(RuntimeError, match="closed"):
        await http.get(server.origin)


def test_a_client_may_outlive_its_event_loop(server: Listening) -> None:
    server.script(Answer(headers={"Connection": "close"}, body=b"one"), HELLO)
    http = DefaultAioHttpClient()

    async def get() -> bytes:
        return (await http.get(server.origin)).content

    async def get_and_close() -> bytes:
        async with contextlib.aclosing(http):
            return await get()

    assert asyncio.run(get()) == b"one"
    assert asyncio.run(get_and_close()) == b"hello"


async def test_two_loops_at_once_are_refused(server: Listening) -> None:
    server.script(HELLO, HELLO)
    errors: list[BaseException] = []
    async with DefaultAioHttpClient() as http:
        await http.get(server.origin)

        def elsewhere() -> None:
            for use in (http.get(server.origin), http._transport.aclose()):
                try:
                    asyncio.run(use)
                except RuntimeError as error:
                    errors.append(error)

        await anyio.to_thread.run_sync(elsewhere)
    assert ["one client per loop" in str(error) for error in errors] == [True, True]
    assert len(server.requests) == 1


def test_without_asyncio_the_error_says_what_to_use() -> None:
    http = DefaultAioHttpClient()
    coroutine = http.get("http://127.0.0.1:1")
    with pytest.raises(RuntimeError, match="DefaultAsyncHttpxClient"):
        coroutine.send(None)


async def test_a_proxy_is_asked_for_the_whole_url(server: Listening) -> None:
    server.script(HELLO, HELLO)
    proxy = httpx.Proxy(server.origin, auth=("me", "pw"), headers={"X-Team": "search"})
    async with DefaultAioHttpClient(proxy=proxy) as http:
        for _ in range(2):
            assert (await http.get("http://tasks.example:81/v1?x=1")).content == b"hello"
    asked = server.requests[0]
    assert asked.target == "http://tasks.example:81/v1?x=1"
    assert asked.headers["host"] == "tasks.example:81"
    assert asked.headers["proxy-authorization"] == "Basic bWU6cHc="
    assert asked.headers["x-team"] == "search"
    assert server.connections_accepted == 1


@pytest.mark.parametrize("trusts", [True, False])
async def test_the_environment_names_proxies_unless_it_is_not_trusted(
    server: Listening, monkeypatch: pytest.MonkeyPatch, *, trusts: bool
) -> None:
    async with serving(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ndirect") as origin:
        monkeypatch.setenv("HTTP_PROXY", server.origin)
        server.script(Answer(body=b"proxied"))
        async with DefaultAioHttpClient(trust_env=trusts) as http:
            assert (await http.get(origin)).content == (b"proxied" if trusts else b"direct")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        async with DefaultAioHttpClient(trust_env=trusts) as http:
            assert (await http.get(origin)).content == b"direct"


async def test_a_tunnel_is_dug_through_a_proxy_for_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TlsServer(tmp_path, connect_answer=b"200 OK") as server:
        server.script(HELLO, HELLO)
        monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
        proxy = httpx.Proxy(server.origin, auth=("me", "pw"))
        async with DefaultAioHttpClient(proxy=proxy) as http:
            for _ in range(2):
                assert (await http.get("https://localhost:444/v1")).content == b"hello"
        (asked,) = server.connects
    assert asked.startswith(b"CONNECT localhost:444 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic bWU6cHc=\r\n" in asked
    assert "proxy-authorization" not in server.requests[0].headers


async def test_a_proxy_that_refuses_is_a_proxy_error(tmp_path: Path) -> None:
    with TlsServer(tmp_path, connect_answer=b"407 Who are you") as server:
        async with DefaultAioHttpClient(proxy=server.origin) as http:
            with pytest.raises(httpx.ProxyError, match="407 Who are you"):
                await http.get("https://localhost:444/v1")


async def test_a_proxy_with_certificates_of_its_own_is_refused() -> None:
    proxy = httpx.Proxy("https://127.0.0.1:1", ssl_context=ssl.create_default_context())
    with pytest.raises(ValueError, match="verify="):
        DefaultAioHttpClient(proxy=proxy)
