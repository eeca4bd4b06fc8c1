"""From figures to the table: medians, ratios, verdicts; for a terminal, Markdown, JSON."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.rows import Row

SHOWN_WHOLE_FROM = 100
"""From this figure on no decimals are shown."""

HEADINGS = ("figure", "unit", "relay", "floor", "ours", "ours / relay", "target", "verdict")


@dataclass(slots=True)
class Result:
    """The figures of one row: server -> one figure per round; and what went wrong, by server."""

    row: Row
    figures: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    errors: dict[str, str] = field(default_factory=dict[str, str])

    def value(self, server: str) -> float | None:
        """Return the median over the rounds, None if the server was not measured."""
        figures = self.figures.get(server)
        return median(figures) if figures and server not in self.errors else None

    @property
    def ratio(self) -> float | None:
        """Median of the rounds' ratios ours / relay: the two of a round saw the same machine."""
        if self.value("ours") is None or self.value("relay") is None:
            return None
        pairs = zip(self.figures["ours"], self.figures["relay"], strict=True)
        return median(ours / relay for ours, relay in pairs)

    @property
    def verdict(self) -> str:
        """`ok`, `short by N %` (of the limit), `failed`, or `-` where nothing was to be judged."""
        if "ours" in self.errors:
            return "failed"
        judged = self.ratio if self.row.target.of == "ratio" else self.value("ours")
        if judged is None:
            return "-"
        short = self.row.target.shortfall(judged)
        return f"short by {short:.1%}" if short else "ok"


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= SHOWN_WHOLE_FROM else f"{value:.3g}"


def _target_shown(row: Row) -> str:
    of = " x relay" if row.target.of == "ratio" else f" {row.unit}"
    return f"{row.target.sign} {row.target.limit:g}{of}"


def table(results: Sequence[Result]) -> list[tuple[str, ...]]:
    """Return the table's lines, without its headings, one cell per heading."""
    return [
        (
            result.row.title,
            result.row.unit,
            *(_shown(result.value(server)) for server in ("relay", "floor", "ours")),
            _shown(result.ratio),
            _target_shown(result.row),
            result.verdict,
        )
        for result in results
    ]


def _errors(results: Sequence[Result]) -> list[str]:
    return [
        f"{result.row.key}, {server}: {message}"
        for result in results
        for server, message in result.errors.items()
    ]


def print_table(results: Sequence[Result], about: Mapping[str, str]) -> None:
    """Print table, machine and errors; in colour where rich is installed."""
    lines = table(results)
    try:
        from rich.console import Console
        from rich.table import Table
    except ImportError:
        print(_aligned([HEADINGS, *lines]))
    else:
        shown = Table(*HEADINGS)
        for line in lines:
            style = {"ok": "green", "-": ""}.get(line[-1], "red")
            shown.add_row(*line[:-1], f"[{style}]{line[-1]}[/]" if style else line[-1])
        width = None if sys.stdout.isatty() else 160  # a file has no width to keep to
        Console(width=width).print(shown)
    for name, value in about.items():
        print(f"{name}: {value}")
    for message in _errors(results):
        print(f"FAILED {message}", file=sys.stderr)


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = (map(str.ljust, line, widths) for line in lines)
    return "\n".join("  ".join(cells).rstrip() for cells in padded)


def markdown(results: Sequence[Result], about: Mapping[str, str]) -> str:
    """Return the report as a Markdown page."""
    parts = ["# Numbers, measured", "", "| " + " | ".join(HEADINGS) + " |"]
    parts.append("|" + "---|" * len(HEADINGS))
    parts += ["| " + " | ".join(line) + " |" for line in table(results)]
    parts += [
        "",
        "How to read it, and why rows are short: [benchmarks/README.md](README.md). Measured on:",
        "",
    ]
    parts += [f"- {name}: {value}" for name, value in about.items()]
    parts += [f"- FAILED {message.splitlines()[0]}" for message in _errors(results)]
    return "\n".join(parts) + "\n"


def as_json(results: Sequence[Result], about: Mapping[str, str]) -> dict[str, Any]:
    """Return everything, every round's figure included, ready for `json.dumps`."""
    rows = [
        {
            "key": result.row.key,
            "title": result.row.title,
            "unit": result.row.unit,
            "median": {server: result.value(server) for server in result.figures},
            "ratio": result.ratio,
            "target": _target_shown(result.row),
            "verdict": result.verdict,
            "rounds": result.figures,
            "errors": result.errors,
        }
        for result in results
    ]
    return {"about": dict(about), "rows": rows}
