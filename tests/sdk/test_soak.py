"""Ten thousand streams, read to the end, left early, or cut and resumed: nothing of them is left.

The garbage collector is off meanwhile: what they left behind in reference cycles would be seen.
"""

import asyncio
import contextlib
import gc
import re
import socket
import sys
import threading
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, Self

import anyio
import anyio.lowlevel
import psutil
import pytest

from tests.e2e.sdk_clients import Face, connections_in_use
from tests.sdk import wire

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

STREAMS: Final = {"sync": 4_500, "async": 1_000, "aiohttp": 4_500}
WARM_UP: Final = 0.2
WAIT_S: Final = 10.0

LOG: Final = wire.log("Hel", "lo")
FRAMES: Final = [wire.frame(event) for event in LOG]
HALF: Final = len(LOG) // 2
CREATE: Final[dict[str, Any]] = {"stream": True, "user_message_content": "Hello"}
CUT: Final[dict[str, Any]] = CREATE | {"extra_headers": {"X-Cut": "1"}}


# ------------------------------------------------------------------------------------- the server


def body(frames: list[bytes], *, is_whole: bool) -> bytes:
    data = b"".join(frames)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
    return head + b"\r\n%x\r\n%b\r\n" % (len(data), data) + (b"0\r\n\r\n" if is_whole else b"")


WHOLE: Final = body(FRAMES, is_whole=True)
FIRST_HALF: Final = body(FRAMES[:HALF], is_whole=False)
SECOND_HALF: Final = body(FRAMES[HALF:], is_whole=True)


class StreamServer:
    """Serves the log, from where it is asked for; half of it, if the request says so."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._changed = threading.Condition()
        self._open = 0

    @property
    def base_url(self) -> str:
        host, port = self._listener.getsockname()
        return f"http://{host}:{port}/v1"

    def wait_for_open(self, connections_max: int) -> None:
        """Wait until there are no more than so many connections."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._open <= connections_max, WAIT_S)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(WAIT_S)
        self._listener.close()
        self.wait_for_open(0)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._count(1)
                threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            for head in _requests(connection):
                if b"\nlast-event-id:" in head:
                    connection.sendall(SECOND_HALF)
                elif b"\nx-cut:" in head:
                    connection.sendall(FIRST_HALF)
                    break
                else:
                    connection.sendall(WHOLE)
        self._count(-1)

    def _count(self, change: int) -> None:
        with self._changed:
            self._open += change
            self._changed.notify_all()


def _requests(connection: socket.socket) -> Iterator[bytes]:
    """Yield the heads of requests, in lower case."""
    data = b""
    while True:
        while b"\r\n\r\n" not in data:
            if not (more := connection.recv(65536)):
                return
            data += more
        head, _, data = data.partition(b"\r\n\r\n")
        head = head.lower()
        length = re.search(rb"\ncontent-length: (\d+)", head)
        size = int(length[1]) if length else 0
        while len(data) < size:
            data += connection.recv(65536)
        data = data[size:]
        yield head


# ------------------------------------------------------------------------------------ the streams


async def follow(face: Face, tasks: Any, number: int) -> None:
    """Follow one stream, as its number says: two to the end, one left early, one cut."""
    match number % 4:
        case 0 | 1:
            assert len(await face.events(tasks.create(**CREATE))) == len(LOG)
        case 2 if number % 8 == 2:
            await leave(face, tasks)
        case 2:
            stream = await face.done(tasks.create(**CREATE))
            await face.next(stream)
            await face.done(stream.close())
        case _:
            assert len(await face.events(tasks.create(**CUT))) == len(LOG)


async def leave(face: Face, tasks: Any) -> None:
    """Leave a stream in the middle of its loop."""
    if face.kind == "sync":
        with tasks.stream(user_message_content="Hello") as stream:
            for _ in stream.text_deltas:
                break
    else:
        async with tasks.stream(user_message_content="Hello") as stream:
            async for _ in stream.text_deltas:
                break


# --------------------------------------------------------------------------------- what is left


class Left(NamedTuple):
    """What there is when nothing goes on."""

    files: int
    threads: int
    tasks: int
    in_use: int
    blocks: int


async def left(server: StreamServer, client: Any, *, tasks_max: int) -> Left:
    with anyio.fail_after(WAIT_S):
        server.wait_for_open(1)  # the idle one
        while len(asyncio.all_tasks()) > tasks_max:  # generators that were left are closed by tasks
            await anyio.lowlevel.checkpoint()
    gc.collect()
    return Left(
        psutil.Process().num_fds(),
        threading.active_count(),
        len(asyncio.all_tasks()),
        connections_in_use(client),
        sys.getallocatedblocks(),
    )


OURS: Final = re.compile(
    r"(agentlin_client|httpx|httpcore|h11|aiohttp|pydantic\w*)\.|"
    r"builtins\.(generator|async_generator|coroutine|frame|traceback|\w*Error)$"
)
"""The types of which none may be left. (Closed transports of asyncio itself are in cycles.)"""


def objects() -> Counter[str]:
    kinds = map(type, gc.get_objects())
    names = Counter(f"{kind.__module__}.{kind.__qualname__}" for kind in kinds)
    return Counter({name: count for name, count in names.items() if OURS.match(name)})


@contextmanager
def uncollected() -> Iterator[None]:
    """Run without the garbage collector; check that it would have had nothing to do."""
    gc.collect()
    before = objects()
    gc.disable()
    try:
        yield
        grown = {name: count for name, count in (objects() - before).items() if count > 10}
    finally:
        gc.enable()
    assert grown == {}


@contextmanager
def traced() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()


def traced_bytes() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


@pytest.mark.parametrize("kind", STREAMS)
async def test_thousands_of_streams_leave_nothing_behind(kind: str) -> None:
    streams = STREAMS[kind]
    warm = int(streams * WARM_UP)
    tasks = len(asyncio.all_tasks())
    with StreamServer() as server:
        face = Face(kind, server.base_url)
        client = face.client()
        for number in range(warm):
            await follow(face, client.tasks, number)
        before = await left(server, client, tasks_max=tasks)
        with uncollected():
            for number in range(warm, streams - warm):
                await follow(face, client.tasks, number)
        with traced():
            # What is allocated now for the first time, or anew, is not growth.
            for number in range(streams - warm, streams - warm // 2):
                await follow(face, client.tasks, number)
            bytes_before = traced_bytes()
            for number in range(streams - warm // 2, streams):
                await follow(face, client.tasks, number)
            grown_bytes = traced_bytes() - bytes_before
        after = await left(server, client, tasks_max=tasks)
        await face.close()
    assert grown_bytes < 32 * 1024
    assert after.blocks - before.blocks < streams // 4
    assert after._replace(blocks=0) == before._replace(blocks=0)
    assert after.in_use == 0


def test_together_they_are_ten_thousand() -> None:
    assert sum(STREAMS.values()) == 10_000
