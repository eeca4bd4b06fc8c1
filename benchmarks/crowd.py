"""The readers of one task: raw sockets that count deltas, of which some hardly read or never do.

Run as a process of its own: `python -m benchmarks.crowd '<Crowd as JSON>'` prints one `Watched`
as JSON. The same module plays the one who creates the task, in another process, so that its
latencies do not wait for a thousand sockets to be read first.
"""

import asyncio
import json
import re
import resource
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import cast

from benchmarks.load import LoadError, MarkCounter
from benchmarks.loop import runner
from benchmarks.servers import OURS

SAMPLED = 20
"""Readers whose deltas are looked at one by one; the others are only counted."""
SLOW_PAUSE_S = 0.5
"""How long a slow reader waits between two looks at its socket."""
SMALL_BUFFER_BYTES = 4096
"""Receive buffer of who does not keep up, so that the server notices soon."""
CONNECTING_AT_ONCE = 100

_STAMP = re.compile(rb'"delta":"@(\d+)~')


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """Who reads what.

    Attributes:
        port: Port on 127.0.0.1.
        path: Of the request.
        body: Sent with POST; empty for a GET.
        reading: Readers that keep up; each must see the task complete.
        slow: Readers that look at their socket twice a second.
        stalled: Readers that never read after the answer has begun.
        deltas_expected: What each of `reading` must count.
        timeout_s: Most seconds that the whole may take.
    """

    port: int
    path: str
    body: str = ""
    reading: int = 1
    slow: int = 0
    stalled: int = 0
    deltas_expected: int
    timeout_s: float = 60.0


@dataclass(slots=True, kw_only=True)
class Watched:
    """What was seen; instants by `time.perf_counter_ns`, which processes share.

    Attributes:
        begun_ns: When the first connection was asked for.
        attached_ns: When the answers to all had begun.
        first_end_ns: When the first of `reading` saw the end.
        ended_ns: When the last of them did.
        deltas: All deltas counted.
        arrivals_ns: Of the sampled readers: pairs of a delta's sending and its latency.
    """

    begun_ns: int = 0
    attached_ns: int = 0
    first_end_ns: int = 0
    ended_ns: int = 0
    deltas: int = 0
    arrivals_ns: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])


class Reader(asyncio.Protocol):
    """One connection, one request, one stream of events."""

    def __init__(self, request: bytes, *, on_arrival: Callable[[int, int], None] | None) -> None:
        """Prepare; `on_arrival` hears of every delta: when it was sent, and how long it took."""
        loop = asyncio.get_running_loop()
        self._request = request
        self._on_arrival = on_arrival
        self._deltas = MarkCounter(OURS.delta_mark.encode())
        self._ending = MarkCounter(OURS.ending.encode())
        self.begun: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[int] = loop.create_future()
        self._transport: asyncio.Transport | None = None

    @property
    def deltas(self) -> int:
        """How many deltas have come."""
        return self._deltas.seen

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request (called by the event loop)."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        self._transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what is awaited (called by the event loop)."""
        for future in (self.begun, self.ended):
            if not future.done():
                future.set_exception(LoadError(f"the stream was cut: {exc}"))
                future.exception()  # nobody may be waiting for it

    def data_received(self, data: bytes) -> None:
        """Count (called by the event loop)."""
        now_ns = time.perf_counter_ns()
        if not self.begun.done():
            if not data.startswith(b"HTTP/1.1 200"):
                self.begun.set_exception(LoadError(data[:600].decode(errors="replace")))
                return
            self.begun.set_result(None)
        self._deltas.feed(data)
        self._ending.feed(data)
        if self._on_arrival is not None:
            for stamp in _STAMP.findall(data):
                self._on_arrival(int(stamp), now_ns - int(stamp))
        if self._ending.seen and not self.ended.done():
            self.ended.set_result(now_ns)

    def close(self) -> None:
        """Close the connection, if it is open."""
        if self._transport is not None:
            self._transport.abort()

    def pause(self) -> None:
        """Read no more."""
        assert self._transport is not None
        self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        assert self._transport is not None
        if not self._transport.is_closing():
            self._transport.resume_reading()


class SlowReader(Reader):
    """A reader that takes one look at its socket at a time, and then rests."""

    rest_s: float | None = SLOW_PAUSE_S

    def data_received(self, data: bytes) -> None:
        """Count, then rest (called by the event loop)."""
        super().data_received(data)
        self.pause()
        if self.rest_s is not None:
            asyncio.get_running_loop().call_later(self.rest_s, self.resume)


class StalledReader(SlowReader):
    """A reader that rests for ever."""

    rest_s = None


def _request(crowd: Crowd) -> bytes:
    method = "POST" if crowd.body else "GET"
    lines = [f"{method} {crowd.path} HTTP/1.1", f"host: 127.0.0.1:{crowd.port}"]
    if crowd.body:
        lines += ["content-type: application/json", f"content-length: {len(crowd.body)}"]
    return "\r\n".join([*lines, "", crowd.body]).encode()


async def _connect(crowd: Crowd, reader: Reader, places: asyncio.Semaphore) -> None:
    sock = socket.socket()
    if isinstance(reader, SlowReader):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER_BYTES)
    sock.settimeout(0)
    loop = asyncio.get_running_loop()
    async with places:
        await loop.sock_connect(sock, ("127.0.0.1", crowd.port))
        await loop.create_connection(lambda: reader, sock=sock)
        await reader.begun


def raise_file_limit() -> None:
    """Let this process, and those it starts, open as many sockets as the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def watch(crowd: Crowd) -> Watched:
    """Attach everyone, and read until those who keep up have seen the end.

    Raises:
        LoadError: a stream was refused, cut, or not whole.
        TimeoutError: it took longer than `crowd.timeout_s`.
    """
    seen = Watched(begun_ns=time.perf_counter_ns())
    request = _request(crowd)

    def sample(sent_ns: int, took_ns: int) -> None:
        seen.arrivals_ns.append((sent_ns, took_ns))

    reading = [
        Reader(request, on_arrival=sample if n < SAMPLED else None) for n in range(crowd.reading)
    ]
    others = [SlowReader(request, on_arrival=None) for _ in range(crowd.slow)]
    others += [StalledReader(request, on_arrival=None) for _ in range(crowd.stalled)]
    places = asyncio.Semaphore(CONNECTING_AT_ONCE)
    try:
        async with asyncio.timeout(crowd.timeout_s):
            async with asyncio.TaskGroup() as group:
                for reader in [*reading, *others]:
                    group.create_task(_connect(crowd, reader, places))
            seen.attached_ns = time.perf_counter_ns()
            ends = [await reader.ended for reader in reading]
    finally:
        for reader in [*reading, *others]:
            reader.close()
    seen.first_end_ns, seen.ended_ns = min(ends), max(ends)
    seen.deltas = sum(reader.deltas for reader in reading)
    counted = {reader.deltas for reader in reading}
    if counted != {crowd.deltas_expected}:
        raise LoadError(f"deltas counted: {sorted(counted)}, not {crowd.deltas_expected}")
    return seen


async def _main(spec: str) -> None:
    raise_file_limit()
    try:
        watched = await watch(Crowd(**json.loads(spec)))
    except TimeoutError:
        sys.exit("the crowd did not see the end in time")
    except LoadError as error:
        sys.exit(str(error))
    except ExceptionGroup as group:
        sys.exit(f"{group.exceptions[0]} ({len(group.exceptions)} streams failed)")
    print(json.dumps(asdict(watched)))


if __name__ == "__main__":
    runner()(_main(sys.argv[1]))
