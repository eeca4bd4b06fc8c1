"""Measure our SDK against the published one, and `openai` beside them, in one run: one command.

    python -m benchmarks.sdk            every row, five rounds: about ten minutes
    python -m benchmarks.sdk --quick    every row, two short rounds: about two minutes, rougher
    python -m benchmarks.sdk --help

The first run installs the published clients into environments of their own and needs a package
index; they are cached. Exit code: 0 measured, 1 measured but a gate is missed (only with
--check), 2 something failed. See README.md in this folder for what each row means.
"""

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from benchmarks import sdk_starts
from benchmarks.control import commit
from benchmarks.machine import describe
from benchmarks.processes import (
    ROOT,
    BenchmarkError,
    Cores,
    Processes,
    choose_cores,
    free_port,
    run_to_end,
)
from benchmarks.sdk_environment import Pythons, prepare
from benchmarks.sdk_probe import Scale
from benchmarks.sdk_rows import HEADINGS, PARTS, ROWS, Result
from benchmarks.sdk_subjects import SUBJECTS
from benchmarks.sections import Section, rewrite

NAME: Final = "benchmarks.sdk"
OK, SHORT, FAILED, INTERRUPTED = 0, 1, 2, 130
PROBE_TIMEOUT_S: Final = 300.0
FULL: Final = Scale(events=4_000, alone=500, passes=3, creates=500, batches=10, clients=100)
QUICK: Final = Scale(events=1_000, alone=100, passes=2, creates=100, batches=3, clients=20)
FULL_ROUNDS, QUICK_ROUNDS = 5, 2
FULL_STARTS, QUICK_STARTS = 5, 2
"""How often each program of the part `start` is started in a round, at least."""
WITH_AIOHTTP: Final = ("loopback_aiohttp", "create_many")
MACHINE: Final = ("cpu", "cores", "memory", "system", "load average before", "python")

Measure = Callable[[str, str], Mapping[str, float]]
"""Measures a part of a subject once: part, subject -> figures; raises BenchmarkError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What is needed to measure any part of any subject once."""

    pythons: Pythons
    cores: Cores
    scale: Scale
    starts: int

    def figures(self, part: str, subject: str) -> dict[str, float]:
        """Measure a part of a subject, in processes of its own.

        Raises:
            BenchmarkError: It failed; its words are the message.
        """
        env = self.pythons.variables(subject)
        python = self.pythons.aiohttp if part in WITH_AIOHTTP else self.pythons.base
        if part == "start":
            url, core = self.scale.url("answer"), self.cores.server
            return sdk_starts.measure(
                subject, python, url=url, core=core, env=env, repeats=self.starts
            )
        scale = json.dumps(asdict(self.scale))
        command = [str(python), "-m", "benchmarks.sdk_probe", subject, part, scale]
        core = self.cores.server
        return json.loads(run_to_end(command, core=core, timeout_s=PROBE_TIMEOUT_S, env=env))


def measure_parts(measure: Measure, parts: Sequence[str], *, rounds: int) -> list[Result]:
    """Measure parts round after round, all subjects in turn, and return the rows' results.

    A subject that fails in a part is left out of it from then on. Every second round goes the
    other way round, so that nobody is always the first.
    """
    results = [Result(row) for row in ROWS if row.part in parts]
    for part in parts:
        mine = [result for result in results if result.row.part == part]
        for number in range(rounds):
            print(f"\r{part}: round {number + 1} of {rounds} ", end="", file=sys.stderr, flush=True)
            for subject in list(SUBJECTS)[:: -1 if number % 2 else 1]:
                _measure_once(measure, subject, mine)
        print(file=sys.stderr)
    return results


def _measure_once(measure: Measure, subject: str, results: Sequence[Result]) -> None:
    """Add a subject's figures of one part to the part's results."""
    if any(subject in result.errors for result in results):
        return
    try:
        figures = measure(results[0].row.part, subject)
    except BenchmarkError as error:
        for result in results:
            result.errors[subject] = str(error)
        return
    for result in results:
        if (figure := figures.get(result.row.figure)) is not None:
            result.rounds.setdefault(subject, []).append(result.row.value(figure))


def measure_all(
    options: argparse.Namespace, *, cores: Cores
) -> tuple[list[Result], Mapping[str, str]]:
    """Install what is missing, start the server, measure, stop it; return results and versions.

    Raises:
        BenchmarkError: An environment could not be made, or the server did not come up.
    """
    scale = QUICK if options.quick else FULL
    with tempfile.TemporaryDirectory(prefix="agentlin-benchmark-") as path:
        folder = Path(path)
        pythons = prepare(folder, options.src.resolve())
        with Processes(folder) as processes:
            port = free_port()
            server = [sys.executable, "-m", "benchmarks.sdk_server", str(port)]
            processes.start("server", server, port=port, core=cores.load, env={})
            run = Run(
                pythons=pythons,
                cores=cores,
                scale=replace(scale, port=port),
                starts=QUICK_STARTS if options.quick else FULL_STARTS,
            )
            for subject in SUBJECTS:  # writes the byte code, and warms the disk
                sdk_starts.measure(
                    subject,
                    pythons.base,
                    url=run.scale.url("answer"),
                    core=None,
                    env=pythons.variables(subject),
                    repeats=1,
                )
            results = measure_parts(run.figures, options.parts, rounds=options.rounds)
    return results, pythons.versions()


def section(results: Sequence[Result]) -> Section:
    """Return the table."""
    missed = [
        f"{result.row.title}: {result.verdict}"
        for result in results
        if result.row.is_gate and result.shortfall
    ]
    return Section(
        key="sdk",
        title="CPU and memory of three SDKs",
        headings=HEADINGS,
        lines=[result.cells() for result in results],
        missed=missed,
        raw={"rows": [result.as_json() for result in results]},
    )


def markdown(found: Section, about: Mapping[str, str]) -> str:
    """Return the report as a part of a Markdown page."""
    parts = [
        "## The SDK, measured",
        "",
        "How to read it: [benchmarks/README.md](README.md#the-sdk).",
    ]
    parts += ["", found.markdown(), "", "Measured on:", ""]
    return "\n".join([*parts, *(f"- {name}: {value}" for name, value in about.items())])


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sdk", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("--parts", default=",".join(PARTS), help="some of " + ",".join(PARTS))
    add("--quick", action="store_true", help="two short rounds")
    add("--rounds", type=int, help=f"rounds ({FULL_ROUNDS}, or {QUICK_ROUNDS} with --quick)")
    add("--src", type=Path, default=ROOT / "src", help="the folder with our agentlin_client")
    add("--json", type=Path, metavar="FILE", help="write every figure as JSON")
    add("--markdown", type=Path, metavar="FILE", help="write the report into its part of a page")
    add("--check", action="store_true", help="exit with 1 if a gate is missed")
    options = parser.parse_args(argv)
    chosen = set(options.parts.split(","))
    if unknown := chosen.difference(PARTS):
        parser.error(f"unknown parts: {', '.join(sorted(unknown))}")
    options.parts = [part for part in PARTS if part in chosen]
    options.rounds = options.rounds or (QUICK_ROUNDS if options.quick else FULL_ROUNDS)
    return options


def _end(number: int, frame: FrameType | None) -> NoReturn:
    """Turn a polite end into an exception, so that the children are stopped on the way out."""
    del frame
    raise SystemExit(128 + number)


def exit_code(results: Sequence[Result], *, is_checked: bool) -> int:
    """Return the command's exit code: a failure weighs more than a missed gate."""
    if any(result.errors for result in results):
        return FAILED
    return SHORT if is_checked and section(results).missed else OK


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = parse_arguments(argv)
    signal.signal(signal.SIGTERM, _end)
    cores = choose_cores()
    machine = describe()
    about = {name: machine[name] for name in MACHINE}
    about["pinning"] = (
        "none: the server may disturb its clients"
        if cores.server is None
        else f"SDKs on core {cores.server}, server on core {cores.load}"
    )
    about["commit"] = commit()
    if options.src.resolve() != ROOT / "src":
        about["ours"] = "another checkout's (--src), not that of the commit"
    about["measured at"] = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    begun_s = time.monotonic()
    try:
        results, versions = measure_all(options, cores=cores)
    except BenchmarkError as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("interrupted; everything is stopped", file=sys.stderr)
        return INTERRUPTED
    about |= versions
    kind = "quick" if options.quick else "full"
    about["run"] = f"{kind}, {options.rounds} rounds, {time.monotonic() - begun_s:.0f} s"
    _report(results, about, options)
    return exit_code(results, is_checked=options.check)


def _report(
    results: Sequence[Result], about: Mapping[str, str], options: argparse.Namespace
) -> None:
    """Print the table, and write it where the options say."""
    found = section(results)
    print(f"\n{found.text()}\n")
    print("\n".join(f"{name}: {value}" for name, value in about.items()))
    failed = {(r.row.part, subject): words for r in results for subject, words in r.errors.items()}
    for (part, subject), words in failed.items():
        print(f"FAILED {part}, {subject}: {words.splitlines()[-1]}", file=sys.stderr)
    for words in found.missed:
        print(f"MISSED {words}", file=sys.stderr)
    if options.json:
        options.json.write_text(json.dumps({"about": dict(about), **found.raw}, indent=2) + "\n")
    if options.markdown:
        rewrite(options.markdown, NAME, markdown(found, about))


if __name__ == "__main__":
    sys.exit(main())
