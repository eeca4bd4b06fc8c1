"""What the kit found, as text and as Markdown."""

import platform
import sqlite3
import subprocess
import traceback
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from tests.faults.commits import Tally

_EXPLAINED: Final = "[what it shows](../../docs/explanation/what-happens-when.md)"
_HEADER: Final = (
    "scripted run",
    "commits",
    "runs",
    "kills",
    "power cuts",
    "log lost",
    "failures",
    "time",
)


def _head() -> str:
    """Return the commit that is checked out now, as what is tested."""

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip()

    changed = " with changes that are not committed" if git("status", "--porcelain") else ""
    return (git("rev-parse", "--short", "HEAD") or "unknown") + changed


@dataclass(slots=True)
class Report:
    """Collects results.

    Attributes:
        seed: The first seed.
        failures: Everything that went wrong.
    """

    seed: int
    failures: list[BaseException] = field(default_factory=list[BaseException])
    _rows: list[Sequence[str]] = field(default_factory=list[Sequence[str]])
    _counts: Counter[str] = field(default_factory=Counter[str])
    _seeds: Sequence[int] = ()
    _seconds: float = 0.0
    _commit: str = field(default_factory=_head)

    def add_run(self, name: str, commits: int, tally: Tally, took_s: float) -> None:
        """Add the kills of one scripted run."""
        self._rows.append(
            (
                name,
                str(commits),
                str(tally.runs),
                str(tally.deaths - tally.power_cuts),
                str(tally.power_cuts),
                f"{tally.lost_bytes / 1024:.0f} KiB",
                str(len(tally.failures)),
                f"{took_s:.0f} s",
            )
        )
        self.failures += tally.failures
        self._seconds += took_s

    def add_machine(self, counts: Counter[str], seeds: Iterable[int], took_s: float) -> None:
        """Add what the state machine did."""
        self._counts = counts
        self._seeds = list(seeds)
        self._seconds += took_s

    def text(self) -> str:
        """Return it for a terminal."""
        rows = [_HEADER, *self._rows]
        widths = [max(len(row[n]) for row in rows) for n in range(len(_HEADER))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        counts = [f"{count:>8} {name}" for name, count in sorted(self._counts.items())]
        failed = ["".join(traceback.format_exception(one)) for one in self.failures]
        verdict = f"{len(self.failures)} failures, {self._seconds:.0f} s"
        return "\n".join(["", *lines, "", "state machine", *counts, "", *failed, verdict, ""])

    def markdown(self) -> str:
        """Return it for a file."""
        seeds = f"{self._seeds[0]} to {self._seeds[-1]}" if self._seeds else "none"
        facts = {
            "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            "commit": self._commit,
            "on": f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
            f"{platform.system()} {platform.machine()}",
            "seeds": f"{self.seed} for the kills; {seeds} for the state machine",
            "duration": f"{self._seconds / 60:.1f} min",
            "failures": str(len(self.failures)),
        }
        return "\n".join(
            [
                "# The last long run",
                "",
                f"Written by `make test-long` (`python -m tests.faults`); {_EXPLAINED}.",
                "",
                *_table(("", ""), facts.items()),
                "",
                "## A kill at every commit",
                "",
                *_table(_HEADER, self._rows),
                "",
                "## The state machine",
                "",
                *_table(
                    ("what", "how often"), sorted((k, str(v)) for k, v in self._counts.items())
                ),
                "",
            ]
        )


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]
