"""Measure what the control plane costs: one command, a real server, real sockets.

    python -m benchmarks.control            everything, about six minutes
    python -m benchmarks.control --quick    everything, about two minutes, rougher
    python -m benchmarks.control --help

Exit code: 0 measured, 1 measured but short of a target (only with --check), 2 something failed.
See README.md in this folder for what each table means.
"""

import argparse
import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from benchmarks import footprint, latency, recovery, replay, viewer_rows, viewers
from benchmarks.machine import describe
from benchmarks.mock_provider import BURST_TOKENS
from benchmarks.processes import ROOT, BenchmarkError, Cores, Processes, choose_cores
from benchmarks.sections import Section, rewrite
from benchmarks.servers import start_provider
from benchmarks.subject import NewSubject, Subject

NAME: Final = "benchmarks.control"
VIEWERS: Final = ("alone", "hundred", "thousand")
"""Rows of `benchmarks.viewers`; its own command has more."""
OK, SHORT, FAILED, INTERRUPTED = 0, 1, 2, 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much is measured.

    Attributes:
        cancels: Cancels, pauses and resumes of each kind.
        tasks: Numbers of tasks to recover.
        readers: Numbers of readers that replay at once.
        rounds: Of everything else.
    """

    cancels: int
    tasks: Sequence[int]
    readers: Sequence[int]
    rounds: int


FULL: Final = Scale(cancels=100, tasks=(10, 100, 1_000, 10_000), readers=(1, 10, 100), rounds=3)
QUICK: Final = Scale(cancels=20, tasks=(10, 100, 1_000), readers=(1, 10), rounds=1)


def _viewers(scale: Scale) -> Section:
    rows = [row for row in viewer_rows.ROWS if row.key in VIEWERS]
    results = viewers.measure_viewers(rows, rounds=scale.rounds)
    cost = viewer_rows.cost_of_a_viewer(results)
    return Section(
        key="viewers",
        title="What viewers of a task cost its creator",
        headings=viewer_rows.HEADINGS,
        lines=viewer_rows.table(results),
        note=f"One viewer of the thousand costs {cost['cpu_ms_per_s']:.2g} ms of CPU per second "
        f"and {cost['memory_kb']:.2g} kB of memory.",
        missed=[
            f"{result.row.title}: {result.ratio:.2f} x" for result in results if not result.is_ok
        ],
        raw={result.row.key: result.as_json() for result in results},
    )


PARTS: Final[Mapping[str, Callable[[NewSubject, Scale], Section]]] = {
    "latency": lambda new, scale: asyncio.run(latency.measure(new, rounds=scale.cancels)),
    "recovery": lambda new, scale: asyncio.run(recovery.measure(new, scale.tasks)),
    "replay": lambda new, scale: asyncio.run(
        replay.measure(new, rounds=scale.rounds, readers=scale.readers)
    ),
    "viewers": lambda _, scale: _viewers(scale),
    "footprint": lambda new, _: asyncio.run(footprint.measure(new)),
}
"""What can be measured, in the order of the page."""


def measure_all(keys: Sequence[str], scale: Scale, *, cores: Cores) -> list[Section]:
    """Measure parts, each on databases of its own, and stop everything.

    Raises:
        BenchmarkError: something was not as expected; the message says what.
    """
    if cores.load is not None:  # we are the load
        os.sched_setaffinity(0, {cores.load})
    with tempfile.TemporaryDirectory(prefix="agentlin-benchmark-") as path:
        folder = Path(path)
        with Processes(folder) as processes:
            provider = start_provider(processes, cores=cores, burst_tokens=BURST_TOKENS)

            def new_subject(name: str) -> Subject:
                return Subject(
                    name=name,
                    processes=processes,
                    cores=cores,
                    folder=folder,
                    provider_port=provider.port,
                )

            return [PARTS[key](new_subject, scale) for key in keys]


def commit() -> str:
    """Return the commit that is checked out, and whether files differ from it."""
    git = shutil.which("git")
    if git is None:
        return "unknown"
    command = [git, "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude=*"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


def markdown(sections: Sequence[Section], about: Mapping[str, str]) -> str:
    """Return the report as a part of a Markdown page."""
    parts = ["## The control plane, measured", ""]
    parts.append("How to read it: [benchmarks/README.md](README.md#the-control-plane).")
    for section in sections:
        parts += ["", section.markdown()]
    parts += ["", "Measured on:", "", *(f"- {name}: {value}" for name, value in about.items())]
    return "\n".join(parts)


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.control", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("--parts", default=",".join(PARTS), help="some of " + ",".join(PARTS))
    add("--quick", action="store_true", help="fewer rounds, at most 1,000 tasks to recover")
    add("--json", type=Path, metavar="FILE", help="write every figure as JSON")
    add("--markdown", type=Path, metavar="FILE", help="write the report into its part of a page")
    add("--check", action="store_true", help="exit with 1 if a target is missed")
    options = parser.parse_args(argv)
    chosen = set(options.parts.split(","))
    if unknown := chosen.difference(PARTS):
        parser.error(f"unknown parts: {', '.join(sorted(unknown))}")
    options.parts = [key for key in PARTS if key in chosen]
    return options


def _end(number: int, frame: FrameType | None) -> NoReturn:
    """Turn a polite end into an exception, so that the children are stopped on the way out."""
    del frame
    raise SystemExit(128 + number)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = parse_arguments(argv)
    signal.signal(signal.SIGTERM, _end)
    cores = choose_cores()
    about = describe() | {"pinning": cores.description, "commit": commit()}
    about["measured at"] = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    begun_s = time.monotonic()
    try:
        sections = measure_all(options.parts, QUICK if options.quick else FULL, cores=cores)
    except BenchmarkError as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("interrupted; everything is stopped", file=sys.stderr)
        return INTERRUPTED
    about["run"] = f"{'quick' if options.quick else 'full'}, {time.monotonic() - begun_s:.0f} s"
    for section in sections:
        print(f"\n{section.text()}")
    print("\n" + "\n".join(f"{name}: {value}" for name, value in about.items()))
    missed = [f"{section.key}: {one}" for section in sections for one in section.missed]
    for one in missed:
        print(f"MISSED {one}", file=sys.stderr)
    if options.json:
        found = {section.key: section.raw for section in sections}
        options.json.write_text(json.dumps({"about": about, **found}, indent=2) + "\n")
    if options.markdown:
        rewrite(options.markdown, NAME, markdown(sections, about))
    return SHORT if missed and options.check else OK


if __name__ == "__main__":
    sys.exit(main())
