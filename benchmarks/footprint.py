"""What a delta and a step take on disk: the database's file, divided."""

import asyncio
import sys
from dataclasses import asdict, dataclass
from typing import Final

from benchmarks.sections import Section, shown, verdict
from benchmarks.servers import PROMPT
from benchmarks.subject import Subject, task_body
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


async def measure(new_subject: "type[object]") -> Section:  # pragma: no cover
    """Placeholder."""
    raise NotImplementedError
