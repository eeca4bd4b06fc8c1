"""What a delta and a step take on disk: the database's file, divided."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from benchmarks.sections import Section, shown, verdict
from benchmarks.servers import PROMPT
from benchmarks.subject import NewSubject, Subject, task_body
from benchmarks.wire import Link, event

TASKS: Final = 10
DELTAS: Final = 1_000
PACED: Final = f"mock-{DELTAS}-200"
FLAT: Final = f"mock-{DELTAS}-0"
STEPS: Final = (20, 40)
TWICE_MAX: Final = 2.2
"""The design: "Twice the steps cost at most 2.2 times the bytes"."""
TIMEOUT_S: Final = 120.0
SCRIPT: Final = "".join(
    f"- {{match: '^{steps} ', results: {steps - 1}, repeat: true, text: It is done.}}\n"
    for steps in STEPS
) + (
    "- {repeat: true, steps: [{text: 'Let me look at the ledger once more, to be sure.', "
    "chunks: words}, {tool_call: {name: ledger_read}}]}\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The bytes of one kind of tasks.

    Attributes:
        what: Their kind.
        units: How many deltas or steps.
        wire_bytes: What all events were as streams.
        plain_bytes: The database's file, less an empty one's, before it was swept.
        sealed_bytes: The same afterwards.
    """

    what: str
    units: int
    wire_bytes: int
    plain_bytes: int
    sealed_bytes: int


async def _run(subject: Subject, *, text: str, model: str | None) -> int:
    """Run the tasks side by side; return the bytes of their streams."""

    async def one(number: int) -> int:
        link = await Link.open(subject.port)
        body = task_body(f"task_{number}", text, model=model) | {"stream": True}
        stream = await link.stream("POST", "/v1/tasks", body)
        await stream.wait_for(event("task.completed"))
        stream.close()
        return stream.size_bytes

    async with asyncio.timeout(TIMEOUT_S), asyncio.TaskGroup() as group:
        streams = [group.create_task(one(number)) for number in range(TASKS)]
    return sum(stream.result() for stream in streams)


async def _measure_one(
    subject: Subject, what: str, units: int, *, text: str = PROMPT, model: str | None = None
) -> Taken:
    subject.script = SCRIPT
    subject.start()
    await subject.wait_ready()
    subject.stop()
    empty_bytes = subject.db.stat().st_size
    subject.start()
    await subject.wait_ready()
    wire_bytes = await _run(subject, text=text, model=model)
    subject.stop()
    plain_bytes = subject.db.stat().st_size
    subject.db_command("sweep")
    return Taken(
        what=what,
        units=units,
        wire_bytes=wire_bytes,
        plain_bytes=plain_bytes - empty_bytes,
        sealed_bytes=subject.db.stat().st_size - empty_bytes,
    )


async def measure(new_subject: NewSubject) -> Section:
    """Measure deltas that come alone, deltas in bursts, and steps, each in a database of its own.

    Raises:
        BenchmarkError: a task did not complete.
    """
    paced = await _measure_one(
        new_subject("paced"), "a delta that comes alone", TASKS * DELTAS, model=PACED
    )
    flat = await _measure_one(
        new_subject("flat"), "a delta, provider flat out", TASKS * DELTAS, model=FLAT
    )
    steps = [
        await _measure_one(
            new_subject(f"steps-{count}"),
            f"a step with a tool call, of {count}",
            TASKS * count,
            text=f"{count} steps",
        )
        for count in STEPS
    ]
    return section([paced, flat, *steps])


def section(found: Sequence[Taken]) -> Section:
    """Return the table; the last two must be the same tasks, with twice as many steps."""
    lines = [
        (
            one.what,
            shown(one.wire_bytes / one.units),
            shown(one.plain_bytes / one.units),
            shown(one.plain_bytes / one.wire_bytes),
            shown(one.sealed_bytes / one.units),
            shown(one.sealed_bytes / one.wire_bytes),
        )
        for one in found
    ]
    once, twice = found[-2], found[-1]
    times = twice.plain_bytes / once.plain_bytes
    seen = verdict(times, TWICE_MAX)
    return Section(
        key="footprint",
        title="Bytes of the database",
        headings=("per", "on the wire", "on disk", "x wire", "sealed", "x wire"),
        lines=lines,
        note=f"On disk is the whole file, indexes and all, less that of an empty database. Twice "
        f"the steps take {times:.2f} times the bytes (target: at most {TWICE_MAX:g}): {seen}.",
        missed=[] if seen == "ok" else [f"twice the steps: {seen}"],
        raw={one.what: asdict(one) for one in found},
    )
