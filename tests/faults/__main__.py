"""The kit on the command line: `python -m tests.faults --help`."""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

import anyio

from tests.faults.commits import Tally, all_kills, count_commits, few_kills, play_kills
from tests.faults.machine import run_machine
from tests.faults.report import Report
from tests.faults.scenarios import SCENARIOS

_CHUNK: int = 1_000
"""Steps with one seed."""


def main() -> int:
    """Run what was asked for; return the exit status."""
    asked = _parser().parse_args()
    report = Report(seed=asked.seed)
    try:
        for name in _names(asked.runs):
            _kill_everywhere(report, name, asked)
        _drive(report, asked)
    finally:
        sys.stdout.write(report.text())
        if asked.report is not None:
            asked.report.write_text(report.markdown(), "utf-8")
    return 1 if report.failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults",
        description="Kills a real server in every way there is, and checks that it kept its word.",
    )
    parser.add_argument(
        "--runs",
        default="all",
        help=f"scripted runs to kill at every commit: {', '.join(SCENARIOS)}, all or none",
    )
    parser.add_argument(
        "--thorough",
        action="store_true",
        help="with each commit every kind of kill and power cut, and kills of the recovery",
    )
    parser.add_argument("--steps", type=int, default=_CHUNK, help="steps of the state machine")
    parser.add_argument("--seed", type=int, default=1, help="of everything that chance decides")
    parser.add_argument("--report", type=Path, help="Markdown file for the result")
    return parser


def _names(asked: str) -> list[str]:
    if asked in ("all", "none"):
        return list(SCENARIOS) if asked == "all" else []
    names = asked.split(",")
    if unknown := set(names) - SCENARIOS.keys():
        raise SystemExit(f"no such run: {', '.join(sorted(unknown))}")
    return names


def _kill_everywhere(report: Report, name: str, asked: argparse.Namespace) -> None:
    started = time.monotonic()

    async def play() -> tuple[int, Tally]:
        commits = await count_commits(name)
        kinds = (
            all_kills(name, commits, seed=asked.seed)
            if asked.thorough
            else few_kills(name, commits)
        )
        kills = list(kinds)
        left = iter(range(1, len(kills) + 1))
        return commits, await play_kills(
            kills, seed=asked.seed, on_done=lambda _: _progress(name, next(left), len(kills))
        )

    commits, tally = anyio.run(play)
    report.add_run(name, commits, tally, time.monotonic() - started)


def _drive(report: Report, asked: argparse.Namespace) -> None:
    started = time.monotonic()
    total: Counter[str] = Counter()
    seed = asked.seed

    def on_step() -> None:
        steps[0] += 1
        _progress(f"state machine, seed {seed}", steps[0], asked.steps)

    steps = [0]
    while steps[0] < asked.steps:
        try:
            total += run_machine(
                steps=min(_CHUNK, asked.steps - steps[0]), seed_number=seed, on_step=on_step
            )
        except Exception as exc:  # noqa: BLE001 # reported at the end
            report.failures.append(exc)
            break
        seed += 1
    report.add_machine(total, range(asked.seed, seed), time.monotonic() - started)


def _progress(what: str, done: int, of: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{what}: {done} of {of}\x1b[K" + ("\n" if done == of else ""))
    elif done % 100 == 0 or done == of:
        sys.stderr.write(f"{what}: {done} of {of}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
