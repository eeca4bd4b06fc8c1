"""How long a cancel, a pause and a resume take, idle and beside fifty streams."""

import asyncio
import json
import sys
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from benchmarks.processes import BenchmarkError, Client, environment
from benchmarks.rows import Shape, load_of
from benchmarks.sections import Section, p50, p99, shown, verdict
from benchmarks.servers import OURS, PROMPT, Server
from benchmarks.subject import NewSubject, Subject, task_body
from benchmarks.wire import Link, Stream, event

CANCEL_MAX_MS: Final = 1_000.0
"""The contract: a cancel takes effect within a second, also in the middle of an answer."""
HUNG_UP_TIMEOUT_S: Final = 5.0
BUSY: Final = Shape(tokens=100, rate=100, connections=50, requests=1_000)
BUSY_TITLE: Final = "beside 50 streams of 100 deltas per second"
WARM_UP_S: Final = 2.0
SLOW_MODEL: Final = "mock-100000-50"
SCRIPT: Final = """
- {match: "^hang", repeat: true, steps: [{text: "So "}, {delay_s: 3600}]}
- {match: "^loop", repeat: true, steps: [{text: "Let me see. "}, {tool_call: {name: ledger_read}}]}
"""
"""`loop` calls a tool in every step, and takes no time of its own."""

Samples = dict[str, list[float]]
"""Milliseconds, by what was measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the table: what was measured, and beside what it is shown."""

    key: str
    title: str
    beside: str
    beside_title: str
    p99_max: float | None = None


ROWS: Final = (
    Row(
        key="cancel",
        title="cancel in mid-answer: request to answer",
        beside="retrieve",
        beside_title="retrieve",
        p99_max=CANCEL_MAX_MS,
    ),
    Row(
        key="cancel_event",
        title="... to task.canceled at a reader",
        beside="retrieve",
        beside_title="retrieve",
        p99_max=CANCEL_MAX_MS,
    ),
    Row(
        key="cancel_provider",
        title="... to the provider's seeing the connection closed",
        beside="retrieve",
        beside_title="retrieve",
        p99_max=CANCEL_MAX_MS,
    ),
    Row(
        key="cancel_queued",
        title="cancel of a queued task: request to answer",
        beside="retrieve",
        beside_title="retrieve",
        p99_max=CANCEL_MAX_MS,
    ),
    Row(
        key="pause",
        title="pause: request to answer",
        beside="retrieve",
        beside_title="retrieve",
    ),
    Row(
        key="pause_event",
        title="... to task.paused at a reader",
        beside="step",
        beside_title="a step of the task",
    ),
    Row(
        key="resume",
        title="resume: request to answer",
        beside="retrieve",
        beside_title="retrieve",
    ),
    Row(
        key="resume_event",
        title="... to task.working at a reader",
        beside="retrieve",
        beside_title="retrieve",
    ),
)


@dataclass(slots=True)
class Bench:
    """The links and the samples of one measurement."""

    subject: Subject
    control: Link
    provider: Link
    prefix: str
    samples: Samples = field(default_factory=lambda: defaultdict(list))
    made: int = 0

    def new_id(self) -> str:
        """Return an id for a task."""
        self.made += 1
        return f"{self.prefix}_{self.made}"

    async def ask(self, key: str, method: str, path: str) -> Any:
        """Send a request, and note how long it took under `key`."""
        answer = await self.control.ask(method, path)
        self.samples[key].append(self.control.took_ms)
        return answer["result"]

    def note(self, key: str, at_ns: int) -> None:
        """Note how long after the last request something was seen."""
        self.samples[key].append((at_ns - self.control.sent_ns) / 1e6)

    async def follow(self, task_id: str) -> Stream:
        """Return a task's events, until it is final."""
        link = await Link.open(self.subject.port)
        return await link.stream("GET", f"/v1/tasks/{task_id}/events?until=final")

    async def cancel_in_answer(self) -> None:
        """Cancel a task whose provider streams."""
        task_id = self.new_id()
        body = task_body(task_id, PROMPT, model=SLOW_MODEL)
        await self.control.ask("POST", "/v1/tasks", body)
        stream = await self.follow(task_id)
        await stream.wait_for(event("task.text.delta"))
        await self.provider.ask("GET", "/hung-up")
        await self.ask("retrieve", "GET", f"/v1/tasks/{task_id}")
        task = await self.ask("cancel", "POST", f"/v1/tasks/{task_id}/cancel")
        _expect(task, "canceled")
        self.note("cancel_event", await stream.wait_for(event("task.canceled")))
        self.note("cancel_provider", await self._hung_up())
        stream.close()

    async def cancel_queued(self) -> None:
        """Cancel a task that waits behind another one of its session."""
        first, second = self.new_id(), self.new_id()
        for task_id in (first, second):
            body = task_body(task_id, "hang") | {"session_id": first}
            await self.control.ask("POST", "/v1/tasks", body)
        _expect(await self.ask("retrieve", "GET", f"/v1/tasks/{second}"), "queued")
        _expect(await self.ask("cancel_queued", "POST", f"/v1/tasks/{second}/cancel"), "canceled")
        await self.control.ask("POST", f"/v1/tasks/{first}/cancel")

    async def pause_and_resume(self) -> None:
        """Pause a task between two of its steps, and let it go on."""
        task_id = self.new_id()
        await self.control.ask("POST", "/v1/tasks", task_body(task_id, "loop"))
        stream = await self.follow(task_id)
        done = event("task.tool_result.done")
        began_ns, ended_ns = await stream.wait_for(done), await stream.wait_for(done)
        self.samples["step"].append((ended_ns - began_ns) / 1e6)
        await self.ask("pause", "POST", f"/v1/tasks/{task_id}/pause")
        self.note("pause_event", await stream.wait_for(event("task.paused")))
        _expect(await self.ask("retrieve", "GET", f"/v1/tasks/{task_id}"), "paused")
        await self.ask("resume", "POST", f"/v1/tasks/{task_id}/resume")
        self.note("resume_event", await stream.wait_for(event("task.working")))
        await self.control.ask("POST", f"/v1/tasks/{task_id}/cancel")
        stream.close()

    async def _hung_up(self) -> int:
        async with asyncio.timeout(HUNG_UP_TIMEOUT_S):
            while not (seen := await self.provider.ask("GET", "/hung-up")):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.001)
        return seen[0]


def _expect(task: dict[str, Any], status: str) -> None:
    if task["status"] != status:
        raise BenchmarkError(f"the task {task['id']} is {task['status']}, not {status}")


@asynccontextmanager
async def _busy(subject: Subject) -> AsyncGenerator[None]:
    """Have fifty streams running meanwhile."""
    load = load_of(Server("ours", subject.port, 0, OURS), BUSY)
    argv = [sys.executable, "-m", "benchmarks.load", json.dumps(asdict(load))]
    client = Client(argv, core=subject.cores.load, env=environment({}))
    try:
        await asyncio.sleep(WARM_UP_S)
        yield
        if not client.is_running:
            client.output(timeout_s=1.0)
            raise BenchmarkError("the load has ended too early")
    finally:
        client.stop()


async def _measure(subject: Subject, prefix: str, rounds: int) -> Samples:
    bench = Bench(
        subject,
        await Link.open(subject.port),
        await Link.open(subject.provider_port),
        prefix,
    )
    kinds = (bench.cancel_in_answer, bench.cancel_queued, bench.pause_and_resume)
    for one in kinds:  # a warm-up
        await one()
    bench.samples.clear()
    for number in range(rounds):
        print(f"\r{prefix}: {number + 1} of {rounds} ", end="", file=sys.stderr, flush=True)
        for one in kinds:
            await one()
    print(file=sys.stderr)
    bench.control.close()
    bench.provider.close()
    return bench.samples


async def measure(new_subject: NewSubject, *, rounds: int) -> Section:
    """Measure all rows, idle and busy, on one server.

    Raises:
        BenchmarkError: something was not as expected.
    """
    subject = new_subject("latency")
    subject.script = SCRIPT
    subject.start(step_max=100_000)
    await subject.wait_ready()
    idle = await _measure(subject, "idle", rounds)
    async with _busy(subject):
        busy = await _measure(subject, "busy", rounds)
    subject.stop()
    return section({"idle": idle, BUSY_TITLE: busy})


def section(samples: dict[str, Samples]) -> Section:
    """Return the table of samples, by load."""
    lines: list[tuple[str, ...]] = []
    missed: list[str] = []
    for load, seen in samples.items():
        for row in ROWS:
            took, beside = seen[row.key], p50(seen[row.beside])
            verdict_shown = "-"
            if row.p99_max is not None:
                verdict_shown = verdict(p99(took), row.p99_max)
            if verdict_shown.startswith("over"):
                missed.append(f"{row.title}, {load}: {verdict_shown}")
            lines.append(
                (
                    row.title,
                    load,
                    shown(p50(took)),
                    shown(p99(took)),
                    f"{row.beside_title}: {shown(beside)}",
                    shown(p50(took) / beside),
                    "-" if row.p99_max is None else f"p99 <= {row.p99_max:,.0f}",
                    verdict_shown,
                )
            )
    return Section(
        key="latency",
        title="Cancel, pause, resume: milliseconds",
        headings=(
            "what",
            "load",
            "p50",
            "p99",
            "beside it, p50",
            "ratio",
            "target",
            "verdict",
        ),
        lines=lines,
        missed=missed,
        raw={load: dict(seen) for load, seen in samples.items()},
    )
