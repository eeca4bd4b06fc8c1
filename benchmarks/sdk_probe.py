"""Measures one SDK in a process of its own: prints figures, name -> CPU seconds or KiB, as JSON.

    python -m benchmarks.sdk_probe SUBJECT PROBE SCALE

`SCALE` is a `Scale` as JSON. Every probe first checks that the subject gives what it should, which
also warms it up; then it takes the CPU time, user and system, of the whole process.
"""

import gc
import json
import os
import sys
import time
import tracemalloc
from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final

import anyio

from benchmarks import sdk_wire as wire
from benchmarks.sdk_subjects import SUBJECTS, Subject, answering, streaming, streaming_async

MIB: Final = 2**20
KIB: Final = 2**10
CHECKED_EVENTS: Final = 20
AT_ONCE: Final = 100
FRAMINGS: Final = {"event": None, "64k": 64 * KIB, "1k": KIB}
"""How a stream is cut: one event per chunk, or chunks of so many bytes, cut anywhere."""
LARGE_CHUNK_BYTES: Final = 4 * KIB
LARGE_MIB: Final = (4, 16)
ENOUGH_S: Final = 0.5
"""Passes over a large event are repeated for so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much is measured in one round.

    Attributes:
        events: Of a stream in memory, or flat out over loopback.
        alone: Events of a stream over loopback whose events come one by one.
        passes: Repetitions in one process, of which the median is taken.
        creates: Calls of a pass.
        batches: Of a hundred calls at once.
        clients: Clients that are made and kept.
        port: Of the server, 0 if the probe needs none.
    """

    events: int
    alone: int
    passes: int
    creates: int
    batches: int
    clients: int
    port: int = 0

    def url(self, mode: str) -> str:
        """Return the base URL for what the server is to do; see `sdk_server`."""
        return f"http://127.0.0.1:{self.port}/{mode}/v1"


Figures = dict[str, float]


class WrongAnswerError(Exception):
    """The subject gave something else than what it was sent."""


def cpu_s(work: Callable[[], object]) -> float:
    """Return the CPU seconds of a call, without the garbage of what came before."""
    gc.collect()
    begun_s = time.process_time()
    work()
    return time.process_time() - begun_s


async def cpu_async_s(work: Callable[[], Awaitable[object]]) -> float:
    """Return the CPU seconds of an awaited call."""
    gc.collect()
    begun_s = time.process_time()
    await work()
    return time.process_time() - begun_s


def check_events(subject: Subject, items: Sequence[Any], *, count: int) -> None:
    """Check a stream of `wire.deltas`: every event is of its class and holds what was sent.

    Raises:
        WrongAnswerError: It is not so.
    """
    found = [subject.event(item) for item in items]
    names = [type(event).__name__ for event in found]
    tasks = ["TaskTextDeltaEvent"] * count + ["TaskCompletedEvent"]
    responses = ["ResponseTextDeltaEvent"] * count + ["ResponseCompletedEvent"]
    if names != (tasks if subject.kind == "tasks" else responses):
        raise WrongAnswerError(f"{len(names)} events, among them {sorted(set(names))}")
    if "".join(event.delta for event in found[:-1]) != wire.DELTA * count:
        raise WrongAnswerError("the deltas are not what was sent")


def _check_answer(subject: Subject, answer: Any) -> None:
    if subject.answer_text(answer) != "Hello! How can I help you?":
        raise WrongAnswerError(f"the answer is {answer}")


def _count(subject: Subject, client: Any, *, expected: int) -> None:
    count = 0
    for _ in subject.stream(client):
        count += 1
    if count != expected:
        raise WrongAnswerError(f"{count} events instead of {expected}")


async def _count_async(subject: Subject, client: Any, *, expected: int) -> None:
    count = 0
    async for _ in await subject.stream_async(client):
        count += 1
    if count != expected:
        raise WrongAnswerError(f"{count} events instead of {expected}")


async def _all(items: Awaitable[AsyncIterable[Any]]) -> list[Any]:
    return [item async for item in await items]


def decode(subject: Subject, scale: Scale) -> Figures:
    """Typed events from a stream in memory, seconds per event, by framing and line end."""
    few = wire.deltas(subject.kind, CHECKED_EVENTS)
    frames = wire.deltas(subject.kind, scale.events)
    streams = {"lf": frames, "crlf": wire.with_crlf(frames)}
    cases: dict[str, list[bytes]] = {}
    for name, size in FRAMINGS.items():
        items = list(subject.stream(streaming(subject, wire.cut(few, size))))
        check_events(subject, items, count=CHECKED_EVENTS)
        cases |= {f"{name}-{end}": wire.cut(stream, size) for end, stream in streams.items()}
    expected = {key: len(frames) for key in cases}
    if subject.kind == "tasks":
        mix = wire.mixed(scale.events // wire.BLOCK)
        cases["mix"], expected["mix"] = mix, len(mix)
    figures: Figures = {}
    for key, chunks in cases.items():
        work = partial(_count, subject, streaming(subject, chunks), expected=expected[key])
        figures[key] = median(cpu_s(work) for _ in range(scale.passes)) / expected[key]
    return figures | anyio.run(_decode_async, subject, scale, frames)


async def _decode_async(subject: Subject, scale: Scale, frames: list[bytes]) -> Figures:
    few = streaming_async(subject, wire.deltas(subject.kind, CHECKED_EVENTS))
    check_events(subject, await _all(subject.stream_async(few)), count=CHECKED_EVENTS)
    client = streaming_async(subject, frames)
    work = partial(_count_async, subject, client, expected=len(frames))
    figures = [await cpu_async_s(work) for _ in range(scale.passes)]
    return {"async": median(figures) / len(frames)}


def large(subject: Subject, scale: Scale) -> Figures:
    """One event of 4 and of 16 MiB in chunks of 4 KiB: seconds per MiB, and how that grows."""
    figures: Figures = {}
    for size in LARGE_MIB:
        chunks = wire.cut(wire.large(subject.kind, size * MIB), LARGE_CHUNK_BYTES)
        client = streaming(subject, chunks)
        seen: list[float] = []
        while not seen or (sum(seen) < ENOUGH_S and len(seen) < scale.passes):
            seen.append(cpu_s(partial(_take_large, subject, client, size * MIB)))
        figures[f"{size}"] = median(seen[1:] or seen) / size  # the first one fetches the memory
    small, big = (figures[f"{size}"] for size in LARGE_MIB)
    return figures | {"growth": big / small}


def _take_large(subject: Subject, client: Any, size_bytes: int) -> None:
    sizes = [len(getattr(subject.event(item), "delta", "")) for item in subject.stream(client)]
    if sizes != [size_bytes, 0]:
        raise WrongAnswerError(f"deltas of {sizes} characters")


def create(subject: Subject, scale: Scale) -> Figures:
    """A create without a stream and without a network, seconds per call."""
    client = answering(subject, wire.json_answer(subject.kind))

    def calls() -> None:
        for _ in range(scale.creates):
            subject.create(client)

    _check_answer(subject, subject.create(client))
    return {"call": median(cpu_s(calls) for _ in range(scale.passes)) / scale.creates}


def loopback(subject: Subject, scale: Scale) -> Figures:
    """Typed events over loopback, one per HTTP chunk, blocking, seconds per event."""
    with subject.client(scale.url(f"flat-{CHECKED_EVENTS}")) as client:
        check_events(subject, list(subject.stream(client)), count=CHECKED_EVENTS)
    figures: Figures = {}
    for mode, count in (("flat", scale.events), ("alone", scale.alone)):
        with subject.client(scale.url(f"{mode}-{count}")) as client:
            work = partial(_count, subject, client, expected=count + 1)
            work()  # opens the connection, and has the server render the stream
            figures[f"{mode}-sync"] = median(cpu_s(work) for _ in range(scale.passes)) / count
    return figures


def loopback_async(subject: Subject, scale: Scale) -> Figures:
    """The same, async, with httpx."""
    return anyio.run(_loopback_async, subject, scale, "async")


def loopback_aiohttp(subject: Subject, scale: Scale) -> Figures:
    """The same, async, with aiohttp."""
    return anyio.run(_loopback_async, subject, scale, "aiohttp")


async def _loopback_async(subject: Subject, scale: Scale, transport: str) -> Figures:
    def new_client(mode: str) -> Any:
        http_client = subject.aiohttp_client() if transport == "aiohttp" else None
        return subject.async_client(scale.url(mode), http_client)

    async with new_client(f"flat-{CHECKED_EVENTS}") as client:
        few = await _all(subject.stream_async(client))
        check_events(subject, few, count=CHECKED_EVENTS)
    figures: Figures = {}
    for mode, count in (("flat", scale.events), ("alone", scale.alone)):
        async with new_client(f"{mode}-{count}") as client:
            work = partial(_count_async, subject, client, expected=count + 1)
            await work()
            seen = [await cpu_async_s(work) for _ in range(scale.passes)]
            figures[f"{mode}-{transport}"] = median(seen) / count
    return figures


def create_many(subject: Subject, scale: Scale) -> Figures:
    """A hundred creates at once over loopback, async, with aiohttp: seconds per call."""
    return anyio.run(_create_many, subject, scale)


async def _create_many(subject: Subject, scale: Scale) -> Figures:
    client = subject.async_client(scale.url("answer"), subject.aiohttp_client())

    async def call() -> None:
        _check_answer(subject, await subject.create(client))

    async def batch() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(AT_ONCE):
                group.start_soon(call)

    async with client:
        await batch()  # opens the connections
        seen = [await cpu_async_s(batch) for _ in range(scale.batches)]
    return {"call": median(seen) / AT_ONCE}


def clients(subject: Subject, scale: Scale) -> Figures:
    """The second and every later client: CPU seconds, KiB of resident memory and of objects."""
    kept = [subject.client()]

    def make() -> None:
        kept.extend(subject.client() for _ in range(scale.clients))

    before = _resident_kib()
    spent_s = cpu_s(make)
    resident_kib = _resident_kib() - before
    tracemalloc.start()
    make()
    objects_kib = tracemalloc.get_traced_memory()[0] / KIB
    tracemalloc.stop()
    figures = {"s": spent_s, "resident": resident_kib, "objects": objects_kib}
    return {name: figure / scale.clients for name, figure in figures.items()}


def clients_used(subject: Subject, scale: Scale) -> Figures:
    """The same with the first request of each, over loopback, so that nothing is put off."""
    kept: list[Any] = []

    def make() -> None:
        client = subject.client(scale.url("answer"))
        subject.create(client)
        kept.append(client)

    make()
    before = _resident_kib()
    spent_s = cpu_s(lambda: [make() for _ in range(scale.clients)])
    figures = {"s": spent_s, "resident": _resident_kib() - before}
    for client in kept:
        client.close()
    return {name: figure / scale.clients for name, figure in figures.items()}


def _resident_kib() -> float:
    gc.collect()
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / KIB
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS counts in bytes
    return peak / KIB if sys.platform == "darwin" else peak


PROBES: Final[dict[str, Callable[[Subject, Scale], Figures]]] = {
    "decode": decode,
    "large": large,
    "create": create,
    "loopback": loopback,
    "loopback_async": loopback_async,
    "loopback_aiohttp": loopback_aiohttp,
    "create_many": create_many,
    "clients": clients,
    "clients_used": clients_used,
}


def main(argv: Sequence[str]) -> None:
    """Run one probe and print what it found."""
    subject, probe, scale = argv
    print(json.dumps(PROBES[probe](SUBJECTS[subject](), Scale(**json.loads(scale)))))


if __name__ == "__main__":
    main(sys.argv[1:])
