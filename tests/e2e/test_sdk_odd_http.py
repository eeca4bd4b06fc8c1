"""HTTP that is legal, or nearly, and that no server of ours would write."""

import contextlib
import socket
import threading
from collections.abc import Iterator, Sequence

import anyio
import pytest

from agentlin_client import APIConnectionError
from tests.e2e.sdk_clients import KINDS, Face
from tests.sdk import wire
from tests.sdk.server import WAIT_S

pytestmark = pytest.mark.anyio

LOG = wire.log("Hel", "lo", " wörld")
PAUSED = LOG[3] | {"type": "task.paused", "task": wire.task("paused"), "timestamp": "x"}
TYPE = b"Content-Type: text/event-stream\r\n"
NOTHING = b"HTTP/1.1 204 No Content\r\n\r\n"


def frames(start: int = 0, end: int | None = None) -> bytes:
    return b"".join(wire.frame(event) for event in LOG[start:end])


def chunk(data: bytes, extension: bytes = b"") -> bytes:
    return b"%x%b\r\n%b\r\n" % (len(data), extension, data)


CHUNKED = b"HTTP/1.1 200 OK\r\n" + TYPE + b"Transfer-Encoding: chunked\r\n\r\n"


@contextlib.contextmanager
def written(answers: Sequence[bytes]) -> Iterator[str]:
    """Serve one connection for each answer, which is written as it is; give the base URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(WAIT_S)

    def serve() -> None:
        for answer in answers:
            connection, _ = listener.accept()
            with connection:
                request = b""
                while b"\r\n\r\n" not in request:
                    request += connection.recv(65536)
                connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)
                connection.settimeout(WAIT_S)
                with contextlib.suppress(ConnectionError):
                    while connection.recv(65536):
                        pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    host, port = listener.getsockname()
    try:
        yield f"http://{host}:{port}/v1"
    finally:
        thread.join(WAIT_S)
        listener.close()
    assert not thread.is_alive()


async def read(kind: str, *answers: bytes) -> list[int]:
    """Follow a task whose server answers so, one connection after the other."""
    with anyio.fail_after(2 * WAIT_S), written(answers) as base_url:
        face = Face(kind, base_url)
        try:
            events = await face.events(face.client(max_retries=3).tasks.events("t"))
        finally:
            await face.close()
    return [event.sequence_number for event in events]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


ALL = [event["sequence_number"] for event in LOG]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.0 200 OK\r\n" + TYPE + b"\r\n" + frames(),
        b"HTTP/1.1 200 OK\r\n" + TYPE + b"Connection: close\r\n\r\n" + frames(),
        b"HTTP/1.1 200 OK\r\n" + TYPE + b"Content-Length: %d\r\n\r\n" % len(frames()) + frames(),
        CHUNKED + chunk(frames()) + b"0\r\nX-Trailer: a\r\nX-More: b\r\n\r\n",
        CHUNKED + chunk(frames(0, 5), b";name=value") + chunk(frames(5)) + b"0\r\n\r\n",
        CHUNKED + b"".join(chunk(frames()[n : n + 1]) for n in range(len(frames()))) + b"0\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        + CHUNKED
        + chunk(frames())
        + b"0\r\n\r\n",
        b"HTTP/1.1 206 Partial Content\r\n" + TYPE + b"Connection: close\r\n\r\n" + frames(),
        CHUNKED.replace(b"text/event-stream", b"Text/Event-Stream; charset=UTF-8")
        + chunk(frames())
        + b"0\r\n\r\n",
    ],
    ids=["1.0", "close", "length", "trailers", "extension", "bytewise", "hints", "206", "charset"],
)
async def test_a_stream_is_read_however_it_is_framed(kind: str, answer: bytes) -> None:
    assert await read(kind, answer) == ALL


@pytest.mark.parametrize("head", [b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 200 OK\r\n"])
async def test_a_body_that_ends_with_its_connection_may_have_been_cut(
    kind: str, head: bytes
) -> None:
    """Nothing in such an answer tells its end from a cut, so at a rest the server is asked."""
    rested = head + TYPE + b"\r\n" + frames(0, 3) + wire.frame(PAUSED)
    rest = CHUNKED + chunk(frames(4)) + b"0\r\n\r\n"
    assert await read(kind, rested, rest) == ALL
    assert await read(kind, rested, NOTHING) == ALL[:4]
    for end in (0, 1, len(frames(0, 2)), len(frames(0, 2)) + 9):
        whole = sum(len(frames(0, n)) <= end for n in range(1, len(LOG)))
        rest = CHUNKED + chunk(frames(whole)) + b"0\r\n\r\n"
        assert await read(kind, head + TYPE + b"\r\n" + frames()[:end], rest) == ALL


@pytest.mark.parametrize(
    "garbage",
    [
        b"NONSENSE\r\n\r\n",
        b"HTTP/1.1 two hundred OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + TYPE + b"Content-Length: many\r\n\r\n" + frames(),
        CHUNKED + b"xyz\r\n" + frames(),
        CHUNKED + b"-5\r\n" + frames(),
    ],
    ids=["none", "status", "length", "size", "negative"],
)
async def test_bytes_that_are_no_http_are_an_error_of_ours(kind: str, garbage: bytes) -> None:
    with pytest.raises(APIConnectionError):
        await read(kind, *[garbage] * 4)


async def test_garbage_in_the_middle_of_a_stream_is_got_over(kind: str) -> None:
    broken = CHUNKED + chunk(frames(0, 4)) + b"xyz\r\n"
    # All of it again: some parsers tell nothing of an answer that comes with garbage.
    again = CHUNKED + chunk(frames()) + b"0\r\n\r\n"
    assert await read(kind, broken, again) == ALL
