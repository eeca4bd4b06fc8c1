"""What the client on aiohttp sends: whole, in pieces, or not at all."""

import socket
from collections.abc import AsyncIterator

import anyio
import httpx
import pytest

from agentlin_client._http import DefaultAioHttpClient
from tests.sdk.loop_server import serving
from tests.sdk.server import WAIT_S, Answer, Server

pytestmark = pytest.mark.anyio

HELLO = Answer(body=b"hello")


@pytest.fixture
async def http() -> AsyncIterator[DefaultAioHttpClient]:
    async with DefaultAioHttpClient(timeout=5.0) as client:
        yield client


@pytest.mark.parametrize("size", [0, 100, 64 * 1024, 3_000_000])
async def test_a_body_of_any_size_arrives_whole(
    server: Server, http: DefaultAioHttpClient, size: int
) -> None:
    server.script(HELLO)
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    assert (await http.post(server.origin, content=body)).content == b"hello"
    assert server.requests[0].body == body


async def test_a_body_may_come_in_pieces(server: Server, http: DefaultAioHttpClient) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b"ab", b"", b"cde"):
            yield piece

    received: list[bytes] = []
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    async with serving(answer, until=b"0\r\n\r\n", received=received) as origin:
        assert (await http.post(origin, content=pieces())).status_code == 200
    assert received[0].endswith(b"\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n")
    server.script(HELLO)
    await http.post(server.origin, content=pieces(), headers={"Content-Length": "5"})
    assert server.requests[0].body == b"abcde"


async def test_who_makes_a_body_may_take_their_time(server: Server) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b"ab", b"cde"):
            yield piece
            await anyio.sleep(0.15)

    server.script(HELLO)
    async with DefaultAioHttpClient(timeout=httpx.Timeout(5.0, write=0.05)) as http:
        await http.post(server.origin, content=pieces(), headers={"Content-Length": "5"})
    assert server.requests[0].body == b"abcde"


@pytest.mark.parametrize("length", ["2", "-1", "1, 2"])
async def test_a_body_that_is_not_what_its_head_said_is_never_taken_for_two_requests(
    server: Server, http: DefaultAioHttpClient, length: str
) -> None:
    server.script(HELLO)
    with pytest.raises(httpx.LocalProtocolError):
        await http.post(server.origin, content=b"abc", headers={"Content-Length": length})
    assert (await http.get(server.origin)).content == b"hello"
    assert [request.method for request in server.requests] == ["GET"]


async def test_a_body_that_breaks_off_takes_its_connection_with_it(
    server: Server, http: DefaultAioHttpClient
) -> None:
    server.script(HELLO, HELLO, HELLO)
    await http.get(server.origin)
    with pytest.raises(httpx.LocalProtocolError):
        await http.post(server.origin, content=b"abc", headers={"Content-Length": "4"})
    await http.get(server.origin)
    assert server.connections_accepted == 2


async def test_chunks_win_over_a_length_as_the_standard_says(http: DefaultAioHttpClient) -> None:
    received: list[bytes] = []
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    both = {"Content-Length": "3", "Transfer-Encoding": "chunked"}
    async with serving(answer, until=b"0\r\n\r\n", received=received) as origin:
        await http.post(origin, content=b"abc", headers=both)
    assert b"content-length" not in received[0].lower()
    assert received[0].endswith(b"\r\n\r\n3\r\nabc\r\n0\r\n\r\n")


@pytest.mark.parametrize(
    "header",
    [
        (b"X-Key", b"a\r\nX-Admin: 1"),
        (b"X-Key", b"a\n"),
        (b"X-Key", b"\ra"),
        (b"X-Key", b"a\0b"),
        (b"X-Key: 1\r\nX-Admin", b"1"),
        (b"X Key", b"1"),
        (b"X-Key:", b"1"),
        (b"X-Key", b"\xe9"),
    ],
)
async def test_a_header_that_could_pass_for_something_else_is_refused(
    server: Server, http: DefaultAioHttpClient, header: tuple[bytes, bytes]
) -> None:
    with pytest.raises(httpx.LocalProtocolError) as caught:
        await http.get(server.origin, headers=[header])
    assert caught.value.request.headers.raw[-1][0] == header[0]
    assert not server.requests


async def test_a_blocking_body_is_refused(http: DefaultAioHttpClient, server: Server) -> None:
    with pytest.raises(RuntimeError, match="blocking"):
        await http.post(server.origin, content=iter([b"a"]))


async def test_a_server_that_takes_nothing_is_a_time_out_too() -> None:
    with anyio.fail_after(WAIT_S):
        # The system makes connections for a server that never looks at them.
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            where = f"127.0.0.1:{deaf.getsockname()[1]}"
            async with DefaultAioHttpClient(timeout=httpx.Timeout(5.0, write=0.05)) as http:
                with pytest.raises(httpx.WriteTimeout):
                    await http.post(f"http://{where}", content=b"x" * 32_000_000)
            async with DefaultAioHttpClient(timeout=httpx.Timeout(5.0, connect=0.05)) as http:
                with pytest.raises(httpx.ConnectTimeout):
                    await http.get(f"https://{where}")  # which never shakes hands
