"""How soon a killed server serves again, by the number of tasks that it was working on.

Three processes on one database. The first works on all tasks at once, in the middle of their
answers, and is killed. The second must put each of them back (close what was open, queue it) and
begin as many as it may run at once; each streams anew, and then hangs again. It is stopped in good
order; the third runs all of them to their end.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from benchmarks.processes import BenchmarkError
from benchmarks.sections import Section, shown, verdict
from benchmarks.subject import NewSubject, Subject, task_body
from benchmarks.wire import Link, event

READY_MAX_S: Final = 5.0
"""The issue: "10,000 unfinished tasks: serving again within seconds"."""
RUNNING_MAX: Final = 512
"""The server's default, which the second and third process have."""
CREATING: Final = 32
WORDS: Final = 20
CPU_FROM_TASKS: Final = 1_000
"""With fewer, the CPU of one start differs from that of another by more than what they cost."""
EVENTS_BEFORE: Final = 5
"""Created, working, tools_updated, item and part added: what follows is text."""
TIMEOUT_S: Final = 300.0
LOOK_S: Final = 0.02
HANGING: Final = (
    f"- {{repeat: true, steps: [{{text: '{'word ' * WORDS}', chunks: words}}, {{delay_s: 3600}}]}}"
)
ENDING: Final = f"- {{repeat: true, text: '{'word ' * WORDS}', chunks: words}}"

_STREAMING: Final = "SELECT count(*) FROM journal WHERE last_seq = ?"
_OWNER: Final = "SELECT lease_owner FROM task WHERE lease_owner IS NOT NULL LIMIT 1"
_FIRST: Final = """
SELECT id, max(last_seq) FROM task JOIN journal ON task_pk = pk
 WHERE pk = (SELECT min(pk) FROM task)
"""
_NOT_PUT_BACK: Final = "SELECT count(*) FROM task WHERE lease_owner = ?"
_UNFINISHED: Final = """
SELECT sum(status <> 'completed'), sum(status = 'working'), sum(status = 'failed') FROM task
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What was seen of one number of tasks. Instants are seconds since the process was started.

    Attributes:
        tasks: How many were being worked on.
        create_cpu_ms: CPU of the first process per task, to compare with.
        empty_ready_s: When a server was ready whose database has no task.
        ready_s: When the second process answered `/readyz`.
        streams_s: When a reader of the oldest task got the first new delta.
        put_back_s: When the last task was queued again.
        put_back_cpu_ms: CPU of the second process by then, per task, less that of an empty start.
        stop_s: How long its stop took.
        done_s: When the third process had run all tasks to their end.
        done_cpu_ms: CPU of the third process by then, per task, less that of an empty start.
        running_peak: Most tasks that it was seen to work on at once.
    """

    tasks: int
    create_cpu_ms: float
    empty_ready_s: float
    ready_s: float
    streams_s: float
    put_back_s: float
    put_back_cpu_ms: float
    stop_s: float
    done_s: float
    done_cpu_ms: float
    running_peak: int


async def measure_one(subject: Subject, tasks: int) -> Recovered:
    """Kill a server that works on so many tasks, and see what the next ones do.

    Raises:
        BenchmarkError: a task was lost, failed, or stuck; more ran at once than may.
    """
    subject.script, subject.settings = HANGING, {"stop_grace_s": 0}
    subject.start()
    await subject.wait_ready()  # makes the database
    subject.stop()

    subject.start(running_max=10_000)
    empty_ready_s = await subject.wait_ready()
    empty_cpu_s = subject.cpu_s
    await _create(subject, tasks)
    create_cpu_s = subject.cpu_s - empty_cpu_s
    (owner,), (first, last_seq) = subject.look(_OWNER), subject.look(_FIRST)
    subject.kill()

    subject.start()
    async with asyncio.timeout(TIMEOUT_S), asyncio.TaskGroup() as group:
        ready = group.create_task(subject.wait_ready())
        streams = group.create_task(_first_delta(subject, first, last_seq))
        put_back = group.create_task(_put_back(subject, owner))
    put_back_s, put_back_cpu_s = put_back.result()
    stop_s = subject.stop()

    subject.script = ENDING
    subject.start()
    await subject.wait_ready()
    running_peak = await _all_done(subject)
    done_s = (time.perf_counter_ns() - subject.begun_ns) / 1e9
    done_cpu_s = subject.cpu_s
    subject.stop()
    return Recovered(
        tasks=tasks,
        create_cpu_ms=create_cpu_s * 1e3 / tasks,
        empty_ready_s=empty_ready_s,
        ready_s=ready.result(),
        streams_s=streams.result(),
        put_back_s=put_back_s,
        put_back_cpu_ms=(put_back_cpu_s - empty_cpu_s) * 1e3 / tasks,
        stop_s=stop_s,
        done_s=done_s,
        done_cpu_ms=(done_cpu_s - empty_cpu_s) * 1e3 / tasks,
        running_peak=running_peak,
    )


async def _create(subject: Subject, tasks: int) -> None:
    """Create tasks, and wait until all of them are in the middle of their answers."""
    numbers = iter(range(tasks))

    async def create_some() -> None:
        link = await Link.open(subject.port)
        for number in numbers:  # shared: each takes the next
            await link.ask("POST", "/v1/tasks", task_body(f"task_{number}"))
        link.close()

    async with asyncio.timeout(TIMEOUT_S):
        async with asyncio.TaskGroup() as group:
            for _ in range(min(CREATING, tasks)):
                group.create_task(create_some())
        while subject.look(_STREAMING, [EVENTS_BEFORE + WORDS - 1])[0] < tasks:  # noqa: ASYNC110 - another process
            await asyncio.sleep(LOOK_S)


async def _first_delta(subject: Subject, task_id: str, after_seq: int) -> float:
    link = await Link.open(subject.port)
    path = f"/v1/tasks/{task_id}/events?starting_after={after_seq}&until=final"
    stream = await link.stream("GET", path)
    at_ns = await stream.wait_for(event("task.text.delta"))
    stream.close()
    return (at_ns - subject.begun_ns) / 1e9


async def _put_back(subject: Subject, owner: str) -> tuple[float, float]:
    """Wait until the dead owner has no task; return when that was, and the CPU seconds by then."""
    while subject.look(_NOT_PUT_BACK, [owner])[0]:  # noqa: ASYNC110 - another process
        await asyncio.sleep(LOOK_S)
    return (time.perf_counter_ns() - subject.begun_ns) / 1e9, subject.cpu_s


async def _all_done(subject: Subject) -> int:
    """Wait until all tasks are completed; return how many were seen working at once."""
    peak = 0
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            left, working, failed = subject.look(_UNFINISHED)
            if failed:
                raise BenchmarkError(f"{failed} tasks failed")
            if not left:
                break
            peak = max(peak, working)
            await asyncio.sleep(LOOK_S)
    if peak > RUNNING_MAX:
        raise BenchmarkError(f"{peak} tasks ran at once, not at most {RUNNING_MAX}")
    return peak


async def measure(new_subject: NewSubject, counts: Sequence[int]) -> Section:
    """Measure with each number of tasks, in a database of its own.

    Raises:
        BenchmarkError: see `measure_one`.
    """
    found: list[Recovered] = []
    for tasks in counts:
        print(f"\rrecovery: {tasks:,} tasks ", end="", file=sys.stderr, flush=True)
        found.append(await measure_one(new_subject(f"recovery-{tasks}"), tasks))
    print(file=sys.stderr)
    return section(found)


def section(found: Sequence[Recovered]) -> Section:
    """Return the table: a line per figure, a column per number of tasks."""
    rows: tuple[tuple[str, str], ...] = (
        ("empty_ready_s", "ready with an empty database, s"),
        ("ready_s", "ready, s"),
        ("streams_s", "the oldest task streams again, s"),
        ("put_back_s", "all are put back, s"),
        ("put_back_cpu_ms", "... CPU per task, ms"),
        ("create_cpu_ms", "beside it: create and first tokens, CPU per task, ms"),
        ("stop_s", "graceful stop of what runs then, s"),
        ("done_s", "started again: all have ended, s"),
        ("done_cpu_ms", "... CPU per task, ms"),
        ("running_peak", "... most of them at once"),
    )
    lines = [(title, *(_shown(one, key) for one in found)) for key, title in rows]
    verdicts = [verdict(one.ready_s, READY_MAX_S) for one in found]
    lines.insert(2, (f"... target: at most {READY_MAX_S:g} s", *verdicts))
    missed = [
        f"ready after {one.tasks:,} tasks: {seen}"
        for one, seen in zip(found, verdicts, strict=True)
        if seen != "ok"
    ]
    return Section(
        key="recovery",
        title="Recovery after SIGKILL, by the number of tasks in mid-answer",
        headings=("what", *(f"{one.tasks:,} tasks" for one in found)),
        lines=lines,
        note="Instants count from the start of the process, Python's own start included.",
        missed=missed,
        raw=_raw(found),
    )


def _shown(one: Recovered, key: str) -> str:
    if key.endswith("cpu_ms") and one.tasks < CPU_FROM_TASKS:
        return "-"
    return shown(getattr(one, key))


def _raw(found: Sequence[Recovered]) -> dict[str, Any]:
    return {str(one.tasks): asdict(one) for one in found}
