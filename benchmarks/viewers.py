"""What a viewer costs: the latency of one client's tokens while others read the same task.

    python -m benchmarks.viewers            all rows, three rounds, about three minutes
    python -m benchmarks.viewers --quick    one round, about a minute, rougher
    python -m benchmarks.viewers --help

Every row has a task of its own that streams 100 deltas per second to the client that created it,
the producer's. Its median token latency (from the provider's sending to its arrival) is compared
with that of the row `alone` in the same round, where nobody else reads.
Exit code: 0 measured, 1 measured but short of a target (only with --check), 2 something failed.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Final

from benchmarks.cpu_clock import cpu_s, resident_bytes
from benchmarks.crowd import Crowd, Watched, raise_file_limit
from benchmarks.machine import describe
from benchmarks.mock_provider import BURST_TOKENS
from benchmarks.processes import (
    BenchmarkError,
    Client,
    Cores,
    Processes,
    choose_cores,
    environment,
)
from benchmarks.servers import PROMPT, Server, start_provider, start_server
from benchmarks.viewer_rows import ROWS, Result, Row, Seen, cost_of_a_viewer, print_table

RATE: Final = 100
"""Deltas per second of the producer."""
SAMPLE_S: Final = 0.05
SAMPLES_MIN: Final = 100
CREATING_S: Final = 0.5
"""What a task gets to be created, before its viewers come."""
TIMEOUT_S: Final = 60.0
LONG_TOKENS: Final = 5_000
"""Deltas of the finished task that late joiners replay: some 1.2 MB each on the wire."""

OK, SHORT, FAILED = 0, 1, 2


@dataclass(slots=True)
class Samples:
    """The server, looked at every `SAMPLE_S` seconds."""

    server: Server
    wal: Path
    cpu: list[tuple[int, float]] = field(default_factory=list[tuple[int, float]])
    memory: list[int] = field(default_factory=list[int])
    wal_bytes: list[int] = field(default_factory=list[int])

    def look(self) -> None:
        """Take one sample."""
        self.cpu.append((time.perf_counter_ns(), cpu_s(self.server.pid)))
        self.memory.append(resident_bytes(self.server.pid))
        self.wal_bytes.append(self.wal.stat().st_size if self.wal.exists() else 0)

    def cpu_share(self, begin_ns: int, end_ns: int) -> float:
        """Return the part of a core that was used between two instants."""
        inside = [(at, used) for at, used in self.cpu if begin_ns <= at <= end_ns]
        if len(inside) < 2:  # noqa: PLR2004 - a difference needs two
            raise BenchmarkError("the viewers were attached too late to measure anything")
        (first_ns, first_s), (last_ns, last_s) = inside[0], inside[-1]
        return (last_s - first_s) * 1e9 / (last_ns - first_ns)


class Bench:
    """The provider and our server, up for one run."""

    def __init__(self, processes: Processes, *, cores: Cores, folder: Path) -> None:
        self._cores = cores
        self._wal = folder / "ours.db-wal"
        provider = start_provider(processes, cores=cores, burst_tokens=BURST_TOKENS)
        self._server = start_server(
            processes, "ours", cores=cores, provider=provider, folder=folder
        )
        self._tasks = 0

    def measure(self, row: Row) -> Seen:
        """Measure a row once.

        Raises:
            BenchmarkError: a stream was not whole, or there was too little to be seen.
        """
        with ExitStack() as stack:
            watched_id, watched_tokens = "", 0
            if row.are_late:
                watched_id, watched_tokens = self._new_id(), LONG_TOKENS
                _result(self._create(stack, watched_id, LONG_TOKENS, 0))
            samples = Samples(self._server, self._wal)
            tokens = row.seconds * RATE
            task_id = self._new_id()
            creator, crowd = self._create(stack, task_id, tokens, RATE), None
            if row.reading:
                time.sleep(CREATING_S)  # its viewers would be answered 404 before
                crowd = self._watch(stack, row, watched_id or task_id, watched_tokens or tokens)
            while creator.is_running or (crowd is not None and crowd.is_running):
                samples.look()
                time.sleep(SAMPLE_S)
            produced = _result(creator)
            return _seen(row, produced, None if crowd is None else _result(crowd), samples)

    def _new_id(self) -> str:
        self._tasks += 1
        return f"task_{self._tasks}"

    def _create(self, stack: ExitStack, task_id: str, tokens: int, rate: int) -> Client:
        agent = {"model": f"openai/mock-{tokens}-{rate}"}
        body = {"task_id": task_id, "stream": True, "user_message_content": PROMPT}
        return self._start(
            stack,
            Crowd(
                port=self._server.port,
                path="/v1/tasks",
                body=json.dumps(body | {"agent_config": agent}),
                deltas_expected=tokens,
            ),
        )

    def _watch(self, stack: ExitStack, row: Row, task_id: str, tokens: int) -> Client:
        return self._start(
            stack,
            Crowd(
                port=self._server.port,
                path=f"/v1/tasks/{task_id}/events",
                reading=row.reading,
                slow=row.slow,
                stalled=row.stalled,
                deltas_expected=tokens,
            ),
        )

    def _start(self, stack: ExitStack, crowd: Crowd) -> Client:
        argv = [sys.executable, "-m", "benchmarks.crowd", json.dumps(asdict(crowd))]
        client = Client(argv, core=self._cores.load, env=environment({}))
        stack.callback(client.stop)
        return client


def _result(client: Client) -> Watched:
    """Wait for a crowd's end and return what it saw.

    Raises:
        BenchmarkError: it failed, or took too long.
    """
    return Watched(**json.loads(client.output(timeout_s=TIMEOUT_S)))


def _seen(row: Row, produced: Watched, viewed: Watched | None, samples: Samples) -> Seen:
    begin_ns, end_ns = produced.attached_ns, produced.ended_ns
    viewer_ms: float | None = None
    if viewed is not None:
        begin_ns = viewed.begun_ns if row.are_late else viewed.attached_ns
        end_ns = min(end_ns, viewed.ended_ns)
        seen_ns = [took for sent, took in viewed.arrivals_ns if begin_ns <= sent <= end_ns]
        viewer_ms = median(seen_ns) / 1e6 if seen_ns else None
    took_ns = [took for sent, took in produced.arrivals_ns if begin_ns <= sent <= end_ns]
    if len(took_ns) < SAMPLES_MIN:
        raise BenchmarkError(f"{len(took_ns)} deltas while all were attached: too few")
    return Seen(
        latency_ms=median(took_ns) / 1e6,
        latency_p99_ms=quantiles(took_ns, n=100)[-1] / 1e6,
        viewer_latency_ms=viewer_ms,
        attach_s=0.0 if viewed is None else (viewed.attached_ns - viewed.begun_ns) / 1e9,
        replay_s=(viewed.ended_ns - viewed.begun_ns) / 1e9
        if viewed is not None and row.are_late
        else None,
        cpu_share=samples.cpu_share(begin_ns, end_ns),
        memory_mb=max(samples.memory) / 1e6,
        wal_mb=max(samples.wal_bytes) / 1e6,
    )


def measure_viewers(rows: Sequence[Row] = ROWS, *, rounds: int = 3) -> list[Result]:
    """Measure rows, the first of which is `alone`, round after round, on a server of their own.

    Raises:
        BenchmarkError: a process did not come up, or a stream was not whole.
    """
    raise_file_limit()
    results = [Result(row) for row in rows]
    with tempfile.TemporaryDirectory(prefix="agentlin-benchmark-") as path:
        folder = Path(path)
        with Processes(folder) as processes:
            bench = Bench(processes, cores=choose_cores(), folder=folder)
            bench.measure(ROWS[0])  # a warm-up
            for number in range(rounds):
                for result in results:
                    words = f"\rround {number + 1} of {rounds}: {result.row.key:<10}"
                    print(words, end="", file=sys.stderr, flush=True)
                    seen = bench.measure(result.row)
                    result.rounds.append(seen)
                    result.ratios.append(seen.latency_ms / results[0].rounds[-1].latency_ms)
    print(file=sys.stderr)
    return results


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    keys = [row.key for row in ROWS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.viewers", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rows", default=",".join(keys), help="some of " + ",".join(keys))
    parser.add_argument("--quick", action="store_true", help="one round")
    parser.add_argument("--rounds", type=int, help="rounds (3, or 1 with --quick)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything as JSON")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed")
    options = parser.parse_args(argv)
    chosen = {"alone", *options.rows.split(",")}
    if unknown := chosen.difference(keys):
        parser.error(f"unknown rows: {', '.join(sorted(unknown))}")
    about = describe() | {"pinning": choose_cores().description}
    rows = [row for row in ROWS if row.key in chosen]
    try:
        results = measure_viewers(rows, rounds=options.rounds or (1 if options.quick else 3))
    except BenchmarkError as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    print_table(results)
    if "thousand" in chosen:
        cost = cost_of_a_viewer(results)
        words = "one of 1,000 viewers: {cpu_ms_per_s:.2f} ms of CPU per second, {memory_kb:.0f} kB"
        print(words.format_map(cost))
    if options.json:
        everything = {"about": about, "rows": [result.as_json() for result in results]}
        options.json.write_text(json.dumps(everything, indent=2) + "\n")
    return SHORT if options.check and not all(result.is_ok for result in results) else OK


if __name__ == "__main__":
    sys.exit(main())
