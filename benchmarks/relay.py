"""Measure our server against a bare relay and a durable floor, in one run: one command.

    python -m benchmarks.relay            all rows, about three minutes
    python -m benchmarks.relay --quick    all rows, about one minute, rougher
    python -m benchmarks.relay --help

Exit code: 0 measured, 1 measured but short of a target (only with --check), 2 something failed.
See README.md in this folder for what each row means.
"""

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import NoReturn

if not __package__:  # run as a file: `python benchmarks/relay.py`
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.cpu_clock import resident_bytes
from benchmarks.machine import describe
from benchmarks.mock_provider import BURST_TOKENS
from benchmarks.processes import BenchmarkError, Cores, Processes, choose_cores
from benchmarks.report import Result, as_json, markdown, print_table
from benchmarks.rows import ROWS, Row, Shape, figure
from benchmarks.sections import rewrite_rest
from benchmarks.servers import KINDS, Server, start_provider, start_server

IDLE_S = 1.0
"""How long servers are left alone before their resident memory is read."""

OK, SHORT, FAILED, INTERRUPTED = 0, 1, 2, 130


class Run:
    """The servers of one run, and the measuring of rows on them."""

    def __init__(
        self,
        processes: Processes,
        names: Sequence[str],
        *,
        cores: Cores,
        burst_tokens: int,
        folder: Path,
    ) -> None:
        self._processes = processes
        self._cores = cores
        self._provider = start_provider(processes, cores=cores, burst_tokens=burst_tokens)
        self._servers = [
            start_server(processes, name, cores=cores, provider=self._provider, folder=folder)
            for name in names
        ]

    def measure_idle(self, row: Row) -> Result:
        """Read the resident memory of servers that have had no request yet, in MB (10**6)."""
        time.sleep(IDLE_S)
        figures = {server.name: [resident_bytes(server.pid) / 1e6] for server in self._servers}
        return Result(row, figures)

    def measure(self, row: Row, shape: Shape, *, rounds: int) -> Result:
        """Drive all servers in turn, round after round; one that fails is left out from then on."""
        result = Result(row)
        servers = [server for server in self._servers if server.name == "ours" or not row.only_ours]
        for number in range(rounds):
            words = f"\r{row.key}: round {number + 1} of {rounds} "
            print(words, end="", file=sys.stderr, flush=True)
            offset = 0.0
            if row.minus_provider:
                offset = figure(row, self._provider, shape, cores=self._cores)
            for server in servers:
                if server.name in result.errors:
                    continue
                try:
                    value = figure(row, server, shape, cores=self._cores)
                except BenchmarkError as error:
                    result.errors[server.name] = self._explained(server, error)
                else:
                    result.figures.setdefault(server.name, []).append(value - offset)
        print(file=sys.stderr)
        return result

    def _explained(self, server: Server, error: BenchmarkError) -> str:
        return f"{error}\n  last lines of its log:\n{self._processes.log_tail(server.name)}"


def _names(known: Sequence[str], text: str) -> list[str]:
    """Return the chosen names in the order of `known`.

    Raises:
        argparse.ArgumentTypeError: one of them is not known.
    """
    chosen = {name.strip() for name in text.split(",")}
    if unknown := chosen.difference(known):
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; known: {known}")
    return [name for name in known if name in chosen]


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options of the command line."""
    keys, kinds = [row.key for row in ROWS], list(KINDS)
    parser = argparse.ArgumentParser(prog="python -m benchmarks.relay", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("--rows", type=lambda text: _names(keys, text), default=keys, help=",".join(keys))
    add("--servers", type=lambda text: _names(kinds, text), default=kinds, help=",".join(kinds))
    add("--quick", action="store_true", help="two short rounds")
    add("--rounds", type=int, help="rounds per row (5, or 2 with --quick)")
    add("--burst", type=int, default=BURST_TOKENS, help="deltas per write of a flat-out provider")
    add("--json", type=Path, metavar="FILE", help="write everything as JSON")
    add("--markdown", type=Path, metavar="FILE", help="write the table into a Markdown page")
    add("--check", action="store_true", help="exit with 1 if a target is missed")
    return parser.parse_args(argv)


def measure_all(options: argparse.Namespace, *, cores: Cores) -> list[Result]:
    """Start everything, measure the chosen rows, stop everything.

    Raises:
        BenchmarkError: a server did not come up.
    """
    rows = [row for row in ROWS if row.key in options.rows]
    rounds = options.rounds or (2 if options.quick else 5)
    results: dict[str, Result] = {}
    with tempfile.TemporaryDirectory(prefix="agentlin-benchmark-") as path:
        folder = Path(path)
        with Processes(folder) as processes:
            run = Run(
                processes, options.servers, cores=cores, burst_tokens=options.burst, folder=folder
            )
            for row in sorted(rows, key=lambda row: row.shape is not None):  # idle comes first
                if row.shape is None:
                    results[row.key] = run.measure_idle(row)
                    continue
                shape = replace(row.shape, **row.quick) if options.quick else row.shape
                results[row.key] = run.measure(row, shape, rounds=rounds)
    return [results[row.key] for row in rows]


def _end(number: int, frame: FrameType | None) -> NoReturn:
    """Turn a polite end into an exception, so that the children are stopped on the way out."""
    del frame
    raise SystemExit(128 + number)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = parse_arguments(argv)
    signal.signal(signal.SIGTERM, _end)
    cores = choose_cores()
    about = describe() | {"pinning": cores.description}
    begun_s = time.monotonic()
    about["measured at"] = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    try:
        results = measure_all(options, cores=cores)
    except BenchmarkError as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("interrupted; everything is stopped", file=sys.stderr)
        return INTERRUPTED
    kind = "quick" if options.quick else "full"
    about["run"] = f"{kind}, {time.monotonic() - begun_s:.0f} s, burst {options.burst}"
    print_table(results, about)
    if options.json:
        options.json.write_text(json.dumps(as_json(results, about), indent=2) + "\n")
    if options.markdown:
        rewrite_rest(options.markdown, markdown(results, about))
    if any(result.errors for result in results):
        return FAILED
    is_short = any(result.verdict.startswith("short") for result in results)
    return SHORT if is_short and options.check else OK


if __name__ == "__main__":
    sys.exit(main())
