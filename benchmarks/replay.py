"""How fast a finished task is replayed from the database, to one reader and to many at once."""

import asyncio
import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from benchmarks.crowd import Crowd, Watched, raise_file_limit
from benchmarks.processes import environment, run_to_end
from benchmarks.sections import Section, p50, shown
from benchmarks.servers import PROMPT
from benchmarks.subject import NewSubject, Subject
from benchmarks.wire import Link, event

DELTAS: Final = 10_000
TIMEOUT_S: Final = 120.0
SETTLE_S: Final = 0.2

Figures = dict[str, list[tuple[float, float]]]
"""By what was measured: deltas per second, and deltas per CPU second of the server."""


class Bench:
    """Reads of one server, live and again."""

    def __init__(self, subject: Subject) -> None:
        """Measure `subject`, which must be up."""
        self._subject = subject
        self.figures: Figures = defaultdict(list)
        self._made = 0

    async def live(self) -> str:
        """Create a task whose provider streams flat out, and read along; return its id."""
        self._made += 1
        task_id = f"live_{self._made}"
        agent = {"model": f"openai/mock-{DELTAS}-0"}
        body = {"task_id": task_id, "stream": True, "user_message_content": PROMPT}
        content = json.dumps(body | {"agent_config": agent})
        crowd = self._crowd("/v1/tasks", readers=1, body=content)
        await self._read("live", crowd)
        return task_id

    async def replay(self, task_id: str, *, readers: int, kind: str) -> None:
        """Have many readers replay a finished task from its first event."""
        crowd = self._crowd(f"/v1/tasks/{task_id}/events", readers=readers)
        await self._read(f"{kind} {readers}", crowd)

    def _crowd(self, path: str, *, readers: int, body: str = "") -> Crowd:
        return Crowd(
            port=self._subject.port,
            path=path,
            body=body,
            reading=readers,
            deltas_expected=DELTAS,
            timeout_s=TIMEOUT_S,
        )

    async def _read(self, key: str, crowd: Crowd) -> None:
        subject = self._subject
        before_s = subject.cpu_s
        argv = [sys.executable, "-m", "benchmarks.crowd", json.dumps(asdict(crowd))]
        output = run_to_end(argv, core=subject.cores.load, timeout_s=TIMEOUT_S, env=environment({}))
        await asyncio.sleep(SETTLE_S)
        watched = Watched(**json.loads(output))
        wall_s = (watched.ended_ns - watched.begun_ns) / 1e9
        cpu_used_s = subject.cpu_s - before_s
        self.figures[key].append((watched.deltas / wall_s, watched.deltas / cpu_used_s))


async def measure(new_subject: NewSubject, *, rounds: int, readers: Sequence[int]) -> Section:
    """Measure live, unsealed and sealed, one after the other, on one database.

    Raises:
        BenchmarkError: a stream was not whole.
    """
    raise_file_limit()
    subject = new_subject("replay")
    subject.start()
    await subject.wait_ready()
    bench = Bench(subject)
    task_id = ""
    for number in range(rounds):
        print(f"\rreplay: round {number + 1} of {rounds} ", end="", file=sys.stderr, flush=True)
        task_id = await bench.live()
        for many in readers:
            await bench.replay(task_id, readers=many, kind="unsealed")
    subject.stop()
    subject.db_command("sweep")
    subject.start()
    await subject.wait_ready()
    for _ in range(rounds):
        for many in readers:
            await bench.replay(task_id, readers=many, kind="sealed")
    resumed_ms = await _last_delta_ms(subject, task_id)
    subject.stop()
    print(file=sys.stderr)
    return section(bench.figures, readers=readers, resumed_ms=resumed_ms)


async def _last_delta_ms(subject: Subject, task_id: str) -> float:
    """Return how long a reader waits that has all events but the last ones of a sealed task."""
    took: list[float] = []
    for _ in range(10):
        link = await Link.open(subject.port)
        path = f"/v1/tasks/{task_id}/events?starting_after={DELTAS}"
        stream = await link.stream("GET", path)
        ended_ns = await stream.wait_for(event("task.completed"))
        took.append((ended_ns - link.sent_ns) / 1e6)
        stream.close()
    return p50(took)


def section(figures: Figures, *, readers: Sequence[int], resumed_ms: float) -> Section:
    """Return the table."""
    kinds = [("live", "live, one reader, provider flat out")]
    for kind in ("unsealed", "sealed"):
        kinds += [(f"{kind} {many}", f"{kind}, {_readers(many)}") for many in readers]
    live = _medians(figures["live"])
    lines: list[tuple[str, ...]] = []
    for key, title in kinds:
        per_s, per_cpu_s = _medians(figures[key])
        lines.append(
            (
                title,
                shown(per_s),
                shown(per_s / live[0]),
                shown(per_cpu_s),
                shown(per_cpu_s / live[1]),
            )
        )
    return Section(
        key="replay",
        title=f"Replay of a finished task of {DELTAS:,} deltas, and the same live",
        headings=(
            "who reads",
            "deltas per second, all readers",
            "x live",
            "per CPU second",
            "x live",
        ),
        lines=lines,
        note=f"A reader that lacks the last ten events of the sealed task has them after "
        f"{shown(resumed_ms)} ms (p50).",
        raw=_raw(figures) | {"resumed_ms": resumed_ms},
    )


def _medians(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return p50([wall for wall, _ in pairs]), p50([cpu for _, cpu in pairs])


def _readers(many: int) -> str:
    return "one reader" if many == 1 else f"{many} readers at once"


def _raw(figures: Mapping[str, Sequence[tuple[float, float]]]) -> dict[str, Any]:
    return {key: list(pairs) for key, pairs in figures.items()}
