r"""The load generator: raw sockets, kept alive, that count deltas and parse next to nothing.

Run as a process of its own: `python -m benchmarks.load '<Load as JSON>'` prints one `Measured`
as JSON. It reads the server's CPU clock itself, right before the first request and after the
last answer, so that neither its own start nor its warm-up is counted.

It relies on bodies without carriage returns (the contract: LF line ends only): the bytes
`0\r\n\r\n` are then the end of a chunked answer and nothing else.
"""

import asyncio
import json
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import count
from statistics import median
from typing import cast

from benchmarks.cpu_clock import cpu_s
from benchmarks.loop import runner

SETTLE_S = 0.2
"""Pause before the second look at the CPU clock: work put off past the last byte counts too."""

_STAMP = re.compile(rb'"(?:delta|content)":\s?"@(\d+)~')
_LENGTH = re.compile(rb"(?i)\r\ncontent-length:\s*(\d+)")
_LAST_CHUNK = b"0\r\n\r\n"


class LoadError(Exception):
    """The server did not do what the load asked for; the message says what was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What to ask of one server.

    Attributes:
        port: Port on 127.0.0.1.
        path: Path of the POST.
        body: JSON body, the same for every request.
        warm_up_body: Body of each connection's first request, which is not measured.
        mark: What a delta's frame holds exactly once, and nothing else does.
        deltas_expected: Deltas of one answer; another number is an error.
        deltas_expected_warm_up: The same for the warm-up request.
        must_hold: What a whole answer holds besides; empty for nothing.
        connections: Requests in flight.
        requests: Requests of each connection, one after the other.
        pause_s: Pause of a connection before each request.
        cpu_of: Process whose CPU time is measured; 0 for none.
        timeout_s: Most seconds that the whole may take.
    """

    port: int
    path: str
    body: str
    warm_up_body: str
    mark: str
    deltas_expected: int
    deltas_expected_warm_up: int
    must_hold: str = ""
    connections: int = 1
    requests: int = 1
    pause_s: float = 0.0
    cpu_of: int = 0
    timeout_s: float = 60.0


@dataclass(slots=True, kw_only=True)
class Measured:
    """What was seen. Times are medians, in milliseconds; None where nothing was to be seen.

    Attributes:
        requests: Answers received whole.
        deltas: Deltas in them.
        wall_s: Seconds from the first request to the last byte.
        cpu_s: CPU seconds of the server from the first request until it had settled.
        first_delta_ms: From sending the request to the first delta.
        answer_ms: From sending the request to the last byte.
        token_latency_ms: From the provider's sending of a delta to its arrival here.
    """

    requests: int = 0
    deltas: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0
    first_delta_ms: float | None = None
    answer_ms: float | None = None
    token_latency_ms: float | None = None


@dataclass(slots=True)
class Samples:
    """Times in nanoseconds, one per request or per stamped delta."""

    first_ns: list[int] = field(default_factory=list[int])
    answer_ns: list[int] = field(default_factory=list[int])
    token_ns: list[int] = field(default_factory=list[int])
    deltas: int = 0

    def clear(self) -> None:
        """Forget the warm-up, in place: the connections hold on to this object."""
        self.first_ns.clear()
        self.answer_ns.clear()
        self.token_ns.clear()
        self.deltas = 0


class MarkCounter:
    """Counts a mark in a stream of bytes, however the stream is cut into pieces."""

    __slots__ = ("_mark", "_rest", "seen")

    def __init__(self, mark: bytes) -> None:
        self._mark = mark
        self._rest = b""
        self.seen = 0

    def feed(self, data: bytes) -> None:
        """Count in `data`, and across its border with what came before."""
        kept = len(self._mark) - 1
        if kept:
            data = self._rest + data
            self._rest = data[-kept:]
        self.seen += data.count(self._mark)


class Connection(asyncio.Protocol):
    """One kept-alive HTTP/1.1 connection; one request at a time."""

    def __init__(self, load: Load, samples: Samples) -> None:
        self._load = load
        self._samples = samples
        self._mark = load.mark.encode()
        self._must_hold = load.must_hold.encode()
        self._done: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport (called by the event loop)."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the exchange under way, if there is one (called by the event loop)."""
        self._transport = None
        if self._done is not None and not self._done.done():
            self._done.set_exception(
                LoadError(f"the server closed the connection in the middle: {exc}")
            )

    def close(self) -> None:
        """Close the connection, if it is open."""
        if self._transport is not None:
            self._transport.close()

    async def exchange(self, request: bytes, *, deltas_expected: int) -> None:
        """Send the request and return when its answer is whole; times go to the samples.

        Raises:
            LoadError: status other than 200, wrong number of deltas, connection lost.
        """
        if self._transport is None:
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: self, "127.0.0.1", self._load.port)
        assert self._transport is not None
        self._head = b""
        self._body_left: int | None = None
        self._tail = b""
        self._counter = MarkCounter(self._mark)
        self._holds = MarkCounter(self._must_hold) if self._must_hold else None
        self._done = asyncio.get_running_loop().create_future()
        self._sent_ns = time.perf_counter_ns()
        self._transport.write(request)
        await self._done
        if self._counter.seen != deltas_expected:
            raise LoadError(f"{self._counter.seen} deltas instead of {deltas_expected}")
        if self._holds is not None and not self._holds.seen:
            raise LoadError(f"the answer ended without {self._load.must_hold!r}")

    def data_received(self, data: bytes) -> None:
        """Take what one read of the socket held (called by the event loop)."""
        now_ns = time.perf_counter_ns()
        assert self._done is not None
        if not self._tail:  # the head has not ended yet
            self._head += data
            head, found, data = self._head.partition(b"\r\n\r\n")
            if not found:
                return
            if not head.startswith(b"HTTP/1.1 200"):
                shown = self._head[:600].decode(errors="replace")
                if not self._done.done():
                    self._done.set_exception(LoadError(f"the server answered: {shown}"))
                return
            length = _LENGTH.search(head)
            self._body_left = int(length[1]) if length else None
            self._tail = b"\r\n"
        self._take_body(data, now_ns)

    def _take_body(self, data: bytes, now_ns: int) -> None:
        samples, counter = self._samples, self._counter
        before = counter.seen
        counter.feed(data)
        if counter.seen > before:
            samples.deltas += counter.seen - before
            if not before:
                samples.first_ns.append(now_ns - self._sent_ns)
            samples.token_ns += [now_ns - int(stamp) for stamp in _STAMP.findall(data)]
        if self._holds is not None:
            self._holds.feed(data)
        if self._body_left is None:
            self._tail = (self._tail + data[-len(_LAST_CHUNK) :])[-len(_LAST_CHUNK) :]
            is_whole = self._tail == _LAST_CHUNK
        else:
            self._body_left -= len(data)
            is_whole = self._body_left <= 0
        if is_whole and self._done is not None and not self._done.done():
            samples.answer_ns.append(now_ns - self._sent_ns)
            self._done.set_result(None)


_numbers = count()


def request_bytes(load: Load, body: str) -> bytes:
    """Return one POST; its idempotency key is new each time, as the SDK's is."""
    content = body.encode()
    key = f"bench-{time.time_ns()}-{next(_numbers)}"
    head = (
        f"POST {load.path} HTTP/1.1\r\nhost: 127.0.0.1:{load.port}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(content)}\r\n"
        f"authorization: Bearer benchmark\r\nidempotency-key: {key}\r\n\r\n"
    )
    return head.encode() + content


async def _drive(connection: Connection, load: Load) -> None:
    for _ in range(load.requests):
        if load.pause_s:
            await asyncio.sleep(load.pause_s)
        request = request_bytes(load, load.body)
        await connection.exchange(request, deltas_expected=load.deltas_expected)


async def _warm_up(connection: Connection, load: Load) -> None:
    request = request_bytes(load, load.warm_up_body)
    await connection.exchange(request, deltas_expected=load.deltas_expected_warm_up)


def _median_ms(samples_ns: list[int]) -> float | None:
    return median(samples_ns) / 1e6 if samples_ns else None


async def _run(
    connections: Sequence[Connection], load: Load, samples: Samples
) -> tuple[float, float]:
    """Warm up, then drive all requests; return the wall and CPU seconds of the latter."""
    async with asyncio.TaskGroup() as group:
        for connection in connections:
            group.create_task(_warm_up(connection, load))
    await asyncio.sleep(SETTLE_S)
    samples.clear()
    cpu_before_s = cpu_s(load.cpu_of) if load.cpu_of else 0.0
    begun_s = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for connection in connections:
            group.create_task(_drive(connection, load))
    wall_s = time.perf_counter() - begun_s
    await asyncio.sleep(SETTLE_S)
    cpu_after_s = cpu_s(load.cpu_of) if load.cpu_of else 0.0
    return wall_s, cpu_after_s - cpu_before_s


async def run_load(load: Load) -> Measured:
    """Drive the load to its end.

    Raises:
        LoadError: an answer was not as expected; the first one ends the whole.
        TimeoutError: it took longer than `load.timeout_s`.
    """
    samples = Samples()
    connections = [Connection(load, samples) for _ in range(load.connections)]
    try:
        async with asyncio.timeout(load.timeout_s):
            wall_s, cpu_used_s = await _run(connections, load, samples)
    finally:
        for connection in connections:
            connection.close()
    return Measured(
        requests=len(samples.answer_ns),
        deltas=samples.deltas,
        wall_s=wall_s,
        cpu_s=cpu_used_s,
        first_delta_ms=_median_ms(samples.first_ns),
        answer_ms=_median_ms(samples.answer_ns),
        token_latency_ms=_median_ms(samples.token_ns),
    )


async def _main(spec: str) -> None:
    try:
        measured = await run_load(Load(**json.loads(spec)))
    except TimeoutError:
        sys.exit("the load did not end in time")
    except ExceptionGroup as group:
        sys.exit(f"{group.exceptions[0]} ({len(group.exceptions)} requests failed)")
    print(json.dumps(asdict(measured)))


if __name__ == "__main__":
    runner()(_main(sys.argv[1]))
