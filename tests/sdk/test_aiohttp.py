"""The client on aiohttp answers as every client of httpx does, and fails as they do."""

import gzip
import json
import logging
import pickle
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import anyio
import httpx
import pytest
from anyio.lowlevel import checkpoint

from agentlin_client import APIConnectionError, AsyncClient
from agentlin_client._http import DefaultAioHttpClient
from tests.sdk import wire
from tests.sdk.loop_server import serving
from tests.sdk.server import DROP, SILENCE, WAIT_S, Answer, Server

pytestmark = pytest.mark.anyio

HELLO = Answer(body=b"hello")


@pytest.fixture
async def http() -> AsyncIterator[DefaultAioHttpClient]:
    async with DefaultAioHttpClient(timeout=5.0) as client:
        yield client


async def test_tasks_are_created_and_followed_through_it(server: Server) -> None:
    log = wire.log("Hel", "lo")
    server.script(wire.answer(wire.task()), wire.stream(log))
    http = DefaultAioHttpClient()
    async with AsyncClient(api_key="k", base_url=server.base_url, http_client=http) as client:
        response = await client.tasks.create(stream=False, user_message_content="Hello")
        stream = await client.tasks.create(stream=True, user_message_content="Hello")
        events = [event async for event in stream]
    assert response.result is not None
    assert response.result.id == wire.TASK_ID
    assert [event.to_dict() for event in events] == log
    assert server.connections_accepted == 1


async def test_the_server_gets_what_httpx_asks_for_and_no_header_more(
    server: Server, http: DefaultAioHttpClient
) -> None:
    server.script(HELLO)
    request = http.build_request(
        "POST", f"{server.origin}/v1/a%2Fb?x=1&x=%20", headers={"X-One": "1"}, content=b"{}"
    )
    await http.send(request)
    (received,) = server.requests
    assert (received.method, received.target) == ("POST", "/v1/a%2Fb?x=1&x=%20")
    sent = [(name.lower(), value) for name, value in request.headers.items()]
    assert list(received.headers.items()) == sent
    assert received.body == b"{}"


async def test_an_answer_has_all_that_httpx_says_of_one(
    server: Server, http: DefaultAioHttpClient
) -> None:
    headers = {"Content-Type": "text/plain", "X-Two": "2"}
    server.script(Answer(status=201, headers=headers, body=b"caf\xc3\xa9"))
    response = await http.get(f"{server.origin}/there")
    assert (response.status_code, response.reason_phrase) == (201, "Scripted")
    assert (response.text, response.http_version) == ("café", "HTTP/1.1")
    assert response.headers["x-two"] == "2"
    assert response.url == f"{server.origin}/there"
    assert response.is_closed
    assert response.num_bytes_downloaded == 5
    assert response.elapsed.total_seconds() > 0
    assert await response.aread() == response.content  # again
    assert pickle.loads(pickle.dumps(response)).text == "café"


async def test_a_compressed_body_is_decompressed_once(
    server: Server, http: DefaultAioHttpClient
) -> None:
    packed = gzip.compress(b"hello" * 100)
    headers = {"Content-Encoding": "gzip"}
    server.script(Answer(headers=headers, body=packed), Answer(headers=headers, body=packed))
    assert (await http.get(server.origin)).content == b"hello" * 100
    async with http.stream("GET", server.origin) as response:
        assert b"".join([part async for part in response.aiter_raw()]) == packed


async def test_text_of_no_named_encoding_is_in_the_one_of_the_client(server: Server) -> None:
    server.script(Answer(headers={"Content-Type": "text/plain"}, body=b"caf\xe9"))
    async with DefaultAioHttpClient(default_encoding="latin-1") as http:
        assert (await http.get(server.origin)).text == "café"


async def test_a_header_may_be_long(server: Server, http: DefaultAioHttpClient) -> None:
    server.script(Answer(headers={"X-Long": "x" * 30_000}))
    assert len((await http.get(server.origin)).headers["x-long"]) == 30_000


async def test_head_and_no_content_have_no_body(server: Server, http: DefaultAioHttpClient) -> None:
    server.script(Answer(status=204), HELLO)
    assert (await http.get(server.origin)).content == b""
    assert (await http.get(server.origin)).content == b"hello"
    async with serving(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n") as origin:
        assert (await http.head(origin)).content == b""


async def test_what_comes_before_the_answer_is_passed_over(http: DefaultAioHttpClient) -> None:
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    async with serving(early + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi") as origin:
        response = await http.get(origin)
    assert (response.status_code, response.content, "link" in response.headers) == (
        200,
        b"hi",
        False,
    )


async def test_a_body_may_end_with_the_connection(http: DefaultAioHttpClient) -> None:
    async with serving(b"HTTP/1.0 200 OK\r\n\r\nall of it", hangs_up=True) as origin:
        response = await http.get(origin)
    assert (response.content, response.http_version) == (b"all of it", "HTTP/1.0")


async def test_redirects_are_followed_and_remembered(
    server: Server, http: DefaultAioHttpClient
) -> None:
    moved = Answer(status=307, headers={"Location": "/there"})
    server.script(moved, moved, HELLO)
    response = await http.post(f"{server.origin}/here", content=b"{}")
    assert response.content == b"hello"
    assert [past.url.path for past in response.history] == ["/here", "/there"]
    assert [(request.method, request.body) for request in server.requests] == [("POST", b"{}")] * 3


async def test_a_redirect_is_left_to_the_caller_who_wants_it(
    server: Server, http: DefaultAioHttpClient
) -> None:
    server.script(Answer(status=303, headers={"Location": "/there"}, body=b"see there"))
    response = await http.post(f"{server.origin}/here", content=b"{}", follow_redirects=False)
    assert (response.status_code, response.content) == (303, b"see there")
    assert response.next_request is not None
    assert (response.next_request.method, response.next_request.url.path) == ("GET", "/there")


async def test_redirects_in_a_circle_come_to_an_end(server: Server) -> None:
    server.script(*[Answer(status=302, headers={"Location": "/"}) for _ in range(9)])
    async with DefaultAioHttpClient(max_redirects=3) as http:
        with pytest.raises(httpx.TooManyRedirects):
            await http.get(server.origin)
    assert len(server.requests) == 4


async def test_cookies_are_kept_as_httpx_keeps_them(
    server: Server, http: DefaultAioHttpClient
) -> None:
    server.script(Answer(headers={"Set-Cookie": "a=1"}), HELLO, HELLO)
    url = server.origin.replace("127.0.0.1", "localhost")  # aiohttp takes none from an address
    await http.get(url)
    await http.get(url)
    http.cookies.clear()
    await http.get(url)
    assert [request.headers.get("cookie") for request in server.requests] == [None, "a=1", None]


async def test_auth_and_hooks_work_as_in_httpx(server: Server) -> None:
    server.script(HELLO, HELLO, HELLO)
    statuses: list[int] = []

    async def note(response: httpx.Response) -> None:
        statuses.append(response.status_code)

    async with DefaultAioHttpClient(event_hooks={"response": [note]}) as http:
        await http.get(server.origin)
    async with DefaultAioHttpClient(auth=("me", "pw")) as http:
        await http.get(server.origin)
    async with DefaultAioHttpClient() as http:
        await http.get(server.origin.replace("//", "//you:pw@"))
    assert statuses == [200]
    keys = [request.headers.get("authorization", "")[:10] for request in server.requests]
    assert keys == ["", "Basic bWU6", "Basic eW91"]


async def test_httpx_logs_the_request(
    server: Server, http: DefaultAioHttpClient, caplog: pytest.LogCaptureFixture
) -> None:
    server.script(HELLO)
    with caplog.at_level(logging.INFO, logger="httpx"):
        await http.get(server.origin)
    assert caplog.messages == [f'HTTP Request: GET {server.origin} "HTTP/1.1 200 Scripted"']


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_server_that_hangs_up_is_asked_once(
    server: Server, http: DefaultAioHttpClient, method: str
) -> None:
    server.script(DROP)
    with pytest.raises(httpx.RemoteProtocolError) as caught:
        await http.request(method, server.origin)
    assert isinstance(caught.value.__cause__, aiohttp.ServerDisconnectedError)
    assert caught.value.request.method == method
    assert len(server.requests) == 1


async def test_what_came_before_a_cut_is_delivered_before_the_error(
    server: Server, http: DefaultAioHttpClient
) -> None:
    server.script(Answer(chunks=(b"one", b"two"), ending="cut"))
    parts: list[bytes] = []
    async with http.stream("GET", server.origin) as response:
        # All of it is here, the cut too, before anything is read.
        body: Any = response.stream
        with anyio.fail_after(WAIT_S):
            while body._content.exception() is None:
                await checkpoint()
        with pytest.raises(httpx.RemoteProtocolError) as caught:  # noqa: PT012
            async for part in response.aiter_raw():
                parts.append(part)  # noqa: PERF401 - what came before the error counts
    assert b"".join(parts) == b"onetwo"
    assert isinstance(caught.value.__cause__, aiohttp.ClientPayloadError)


@pytest.mark.parametrize(
    "answer",
    [
        b"220 mail.example ready\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n",
    ],
)
async def test_an_answer_that_is_no_http_is_an_error_of_the_protocol(
    http: DefaultAioHttpClient, answer: bytes
) -> None:
    async with serving(answer) as origin:
        with pytest.raises(httpx.RemoteProtocolError):
            await http.get(origin)


async def test_nobody_there_is_a_connect_error(server: Server, http: DefaultAioHttpClient) -> None:
    with Server() as gone:
        origin = gone.origin
    with pytest.raises(httpx.ConnectError) as caught:
        await http.get(origin)
    assert isinstance(caught.value.__cause__, aiohttp.ClientConnectorError)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "/relative", "http://"])
async def test_another_protocol_is_refused(http: DefaultAioHttpClient, url: str) -> None:
    with pytest.raises(httpx.UnsupportedProtocol):
        await http.get(url)


async def test_each_phase_has_its_own_time_out(server: Server) -> None:
    with anyio.fail_after(WAIT_S):
        server.script(SILENCE, Answer(chunks=(b"one",), ending="hang"))
        async with DefaultAioHttpClient(timeout=httpx.Timeout(5.0, read=0.05)) as http:
            with pytest.raises(httpx.ReadTimeout):
                await http.get(server.origin)
            with pytest.raises(httpx.ReadTimeout) as caught:
                await http.get(server.origin)
        assert isinstance(caught.value.__cause__, TimeoutError)


async def test_each_wait_has_its_own_time(server: Server, http: DefaultAioHttpClient) -> None:
    server.script(*[SILENCE] * 4)
    ended: list[float] = []

    async def wait(read_s: float) -> None:
        with pytest.raises(httpx.ReadTimeout):
            await http.get(server.origin, timeout=httpx.Timeout(5.0, read=read_s))
        ended.append(read_s)

    with anyio.fail_after(WAIT_S):
        async with anyio.create_task_group() as tasks:
            for read_s in (0.25, 0.05, 0.35, 0.15):
                tasks.start_soon(wait, read_s)
    assert ended == [0.05, 0.15, 0.25, 0.35]


async def test_a_connection_that_waits_to_be_used_again_does_not_time_out(
    server: Server, http: DefaultAioHttpClient
) -> None:
    server.script(HELLO, HELLO)
    await http.get(server.origin, timeout=httpx.Timeout(5.0, read=0.1))
    await anyio.sleep(0.2)
    await http.get(server.origin)
    assert server.connections_accepted == 1


async def test_a_reader_may_take_its_time(http: DefaultAioHttpClient) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    parts: list[bytes] = []
    async with serving(head, b"a", b"b", every_s=0.05) as origin:
        patient = httpx.Timeout(5.0, read=0.3)
        async with http.stream("GET", origin, timeout=patient) as response:
            async for part in response.aiter_raw():
                parts.append(part)
                await anyio.sleep(0.4)
    assert parts == [b"a", b"b"]


async def test_a_slow_answer_is_fine_as_long_as_it_comes(server: Server) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"
    pieces = (head, b"a", b"b", b"c", b"d", b"e", b"f")
    async with (
        serving(*pieces, every_s=0.1) as origin,
        DefaultAioHttpClient(timeout=httpx.Timeout(5.0, read=0.4)) as http,
    ):
        assert (await http.get(origin)).content == b"abcdef"


async def test_a_failure_is_an_error_of_ours_in_the_end(server: Server) -> None:
    server.script(Answer(headers=wire.JSON, body=json.dumps({}).encode(), ending="cut"))
    options: dict[str, Any] = {"api_key": "k", "base_url": server.base_url, "max_retries": 0}
    async with AsyncClient(http_client=DefaultAioHttpClient(), **options) as client:
        with pytest.raises(APIConnectionError):
            await client.tasks.retrieve("task_1")
