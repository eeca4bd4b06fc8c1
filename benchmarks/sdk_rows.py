"""The rows of the SDK's table: what is read from a measurement, and what ours must reach."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

from benchmarks.rows import Target
from benchmarks.sections import shown

BESIDE: Final = "published"
"""The subject that ours is compared with."""
HEADINGS: Final = (
    "figure",
    "unit",
    "published",
    "openai",
    "ours",
    "ours / published",
    "its spread",
    "target",
    "verdict",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the table.

    Attributes:
        title: Its name.
        unit: Of its figures.
        part: What measures it: `start`, or a probe.
        figure: Name of the figure in what that part finds: seconds or KiB of one.
        factor: From the figure to the unit.
        is_rate: Whether the row shows how many there are in a second instead of what one costs.
        target: What ours must reach, as a ratio to the published client's figure or by itself.
        is_gate: Whether `--check` fails if the target is missed.
    """

    title: str
    unit: str
    part: str
    figure: str
    factor: float = 1.0
    is_rate: bool = False
    target: Target | None = None
    is_gate: bool = False

    def value(self, figure: float) -> float:
        """Return a figure in the row's unit.

        >>> Row(title="", unit="1/s", part="", figure="", is_rate=True).value(0.01)
        100.0
        """
        return self.factor / figure if self.is_rate else figure * self.factor

    @property
    def target_shown(self) -> str:
        """The target in words; `-` if there is none."""
        if self.target is None:
            return "-"
        of = "x" if self.target.of == "ratio" else self.unit
        kind = "gate" if self.is_gate else "goal"
        return f"{kind} {self.target.sign} {self.target.limit:g} {of}"


def _start(title: str, figure: str, limit: float | None, *, is_gate: bool = False) -> Row:
    target = None if limit is None else Target("ratio", "<=", limit)
    return Row(
        title=title,
        unit="ms",
        part="start",
        figure=figure,
        factor=1e3,
        target=target,
        is_gate=is_gate,
    )


def _events(
    title: str, part: str, figure: str, limit: float | None, *, is_gate: bool = False
) -> Row:
    target = None if limit is None else Target("ratio", ">=", limit)
    return Row(
        title=title,
        unit="1/s",
        part=part,
        figure=figure,
        is_rate=True,
        target=target,
        is_gate=is_gate,
    )


def _call(title: str, part: str, limit: float, *, is_gate: bool = False) -> Row:
    target = Target("ratio", "<=", limit)
    return Row(
        title=title,
        unit="us",
        part=part,
        figure="call",
        factor=1e6,
        target=target,
        is_gate=is_gate,
    )


_CHUNKS: Final = {
    "event": "one event per chunk",
    "64k": "chunks of 64 KiB",
    "1k": "chunks of 1 KiB, cut anywhere",
}
_TRANSPORTS: Final = {
    "loopback": ("sync", "httpx, sync", 5),
    "loopback_async": ("async", "httpx, async", 5),
    "loopback_aiohttp": ("aiohttp", "aiohttp, async", 12),
}

ROWS: Final[Sequence[Row]] = (
    _start("`import`", "import", 0.10, is_gate=True),
    _start("`import`, `Client()`, `.tasks`", "client", 0.15),
    _start("... and the first `tasks.create`, over loopback", "answer", None),
    *(
        _events(f"{words}, {end.upper()}", "decode", f"{name}-{end}", 15, is_gate=True)
        for end in ("lf", "crlf")
        for name, words in _CHUNKS.items()
    ),
    _events("one event per chunk, async", "decode", "async", 15),
    _events("one event per chunk, a mix with tool calls", "decode", "mix", 15),
    *(
        _events(f"loopback, {words}", part, f"flat-{transport}", limit)
        for part, (transport, words, limit) in _TRANSPORTS.items()
    ),
    *(
        _events(f"loopback, each event comes alone: {words}", part, f"alone-{transport}", None)
        for part, (transport, words, _) in _TRANSPORTS.items()
    ),
    Row(
        title="one event of 16 MiB in chunks of 4 KiB",
        unit="MiB/s",
        part="large",
        figure="16",
        is_rate=True,
        target=Target("ratio", ">=", 25),
    ),
    Row(
        title="... cost per MiB, beside one of 4 MiB (linear: 1)",
        unit="x",
        part="large",
        figure="growth",
        target=Target("figure", "<=", 1.25),
    ),
    _call("`tasks.create`, no network", "create", 0.35, is_gate=True),
    _call("`tasks.create`, async, 100 at once, aiohttp, loopback", "create_many", 0.2),
    Row(
        title="second and later `Client()`",
        unit="ms",
        part="clients",
        figure="s",
        factor=1e3,
        target=Target("figure", "<=", 1),
    ),
    Row(
        title="... resident memory",
        unit="KiB",
        part="clients",
        figure="resident",
        target=Target("figure", "<=", 32),
    ),
    Row(title="... of it Python's objects", unit="KiB", part="clients", figure="objects"),
    Row(
        title="second and later `Client()` and its first `tasks.create`, loopback",
        unit="ms",
        part="clients_used",
        figure="s",
        factor=1e3,
    ),
    Row(title="... resident memory", unit="KiB", part="clients_used", figure="resident"),
)
PARTS: Final = tuple(dict.fromkeys(row.part for row in ROWS))
"""What can be measured, in the order of the table."""


@dataclass(slots=True)
class Result:
    """The values of one row: subject -> one per round, in the row's unit; what went wrong."""

    row: Row
    rounds: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    errors: dict[str, str] = field(default_factory=dict[str, str])

    def median(self, subject: str) -> float | None:
        """Return the median over the rounds, None if the subject was not measured."""
        values = self.rounds.get(subject)
        return median(values) if values and subject not in self.errors else None

    @property
    def ratios(self) -> list[float]:
        """Ours / published in each round: the two of a round saw the same machine."""
        if self.median("ours") is None or not self.median(BESIDE):
            return []
        pairs = zip(self.rounds["ours"], self.rounds[BESIDE], strict=True)
        return [ours / beside for ours, beside in pairs if beside > 0]

    @property
    def shortfall(self) -> float | None:
        """By which part of its limit ours misses the target, 0 if not, None if not judged."""
        if self.row.target is None:
            return None
        is_ratio = self.row.target.of == "ratio"
        judged = (median(self.ratios) if self.ratios else None) if is_ratio else self.median("ours")
        return None if judged is None else self.row.target.shortfall(judged)

    @property
    def verdict(self) -> str:
        """`ok`, `short by N %` (of the limit), `failed`, or `-` where nothing was to be judged."""
        if "ours" in self.errors or (self.row.target and BESIDE in self.errors):
            return "failed"
        if self.shortfall is None:
            return "-"
        return f"short by {self.shortfall:.1%}" if self.shortfall else "ok"

    def cells(self) -> tuple[str, ...]:
        """Return the row's line, a cell per heading."""
        values = (shown(self.median(subject)) for subject in ("published", "openai", "ours"))
        ratios = self.ratios
        ratio = shown(median(ratios)) if ratios else "-"
        spread = f"{shown(min(ratios))} to {shown(max(ratios))}" if ratios else "-"
        row = self.row
        return (row.title, row.unit, *values, ratio, spread, row.target_shown, self.verdict)

    def as_json(self) -> dict[str, Any]:
        """Return everything, ready for `json.dumps`."""
        return {
            "title": self.row.title,
            "unit": self.row.unit,
            "part": self.row.part,
            "figure": self.row.figure,
            "median": {subject: self.median(subject) for subject in self.rounds},
            "ratio": median(self.ratios) if self.ratios else None,
            "target": self.row.target_shown,
            "verdict": self.verdict,
            "rounds": self.rounds,
            "errors": self.errors,
        }
