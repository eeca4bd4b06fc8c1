"""The rows of `viewers`: who reads beside the producer's client, and what was seen."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Final

RATIO_MAX: Final = 2.0
"""The target: what the producer's median latency may be, as a multiple of the row `alone`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Who reads beside the producer's client.

    Attributes:
        key: Its name on the command line.
        title: Its name in the table.
        reading: Viewers that keep up.
        slow: Viewers that look at their socket twice a second.
        stalled: Viewers that never read.
        seconds: How long the producer streams.
        are_late: They replay another, finished task instead, all at once.
    """

    key: str
    title: str
    reading: int = 0
    slow: int = 0
    stalled: int = 0
    seconds: int = 8
    are_late: bool = False


ROWS: Final = (
    Row(key="alone", title="nobody else", seconds=4),
    Row(key="fifty", title="49 viewers that keep up", reading=49, seconds=5),
    Row(key="hundred", title="100 viewers that keep up", reading=100, seconds=5),
    Row(key="thousand", title="1,000 viewers that keep up", reading=1_000, seconds=10),
    Row(
        key="mixed",
        title="1,000 viewers: 400 keep up, 300 are slow, 300 never read",
        reading=400,
        slow=300,
        stalled=300,
        seconds=10,
    ),
    Row(
        key="late",
        title="1,000 viewers replay a finished task of 5,000 deltas",
        reading=1_000,
        seconds=20,
        are_late=True,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One row, measured once, while all viewers were attached.

    Attributes:
        latency_ms: Median token latency of the producer's client.
        latency_p99_ms: Its 99th percentile.
        viewer_latency_ms: The same median of the viewers (some are sampled); None without any.
        attach_s: From the first viewer's connecting to the last one's first byte.
        replay_s: From the first viewer's connecting to the last one's end, if they are late.
        cpu_share: Part of a core that the server used.
        memory_mb: Peak resident memory of the server, in MB (10**6).
        wal_mb: Peak size of the write-ahead log, in MB.
    """

    latency_ms: float
    latency_p99_ms: float
    viewer_latency_ms: float | None
    attach_s: float
    replay_s: float | None
    cpu_share: float
    memory_mb: float
    wal_mb: float


@dataclass(slots=True)
class Result:
    """All rounds of one row."""

    row: Row
    rounds: list[Seen] = field(default_factory=list[Seen])
    ratios: list[float] = field(default_factory=list[float])

    def middle(self, name: str) -> float | None:
        """Return the median of a figure over the rounds, None where there is none."""
        figures = [getattr(seen, name) for seen in self.rounds]
        return None if None in figures else median(figures)

    @property
    def ratio(self) -> float:
        """Median of the rounds' ratios to `alone`: both of a round saw the same machine."""
        return median(self.ratios)

    @property
    def is_ok(self) -> bool:
        """Whether the target is met."""
        return self.ratio <= RATIO_MAX

    def as_json(self) -> dict[str, Any]:
        """Return everything, every round included."""
        return {
            "key": self.row.key,
            "title": self.row.title,
            "ratio": self.ratio,
            "ratio_max": RATIO_MAX,
            "ok": self.is_ok,
            "rounds": [asdict(seen) for seen in self.rounds],
        }


def cost_of_a_viewer(results: Sequence[Result]) -> dict[str, float]:
    """Return what one of the thousand viewers costs the server beyond the task itself.

    `results` hold the rows `alone` and `thousand`. The keys: `cpu_ms_per_s`, milliseconds of CPU
    per second; `memory_kb`, kilobytes (10**3) of resident memory.
    """
    alone, many = (one for key in ("alone", "thousand") for one in results if one.row.key == key)
    first, last = alone.rounds[0], many.rounds[0]  # later rounds find the memory taken already
    share = (many.middle("cpu_share") or 0.0) - (alone.middle("cpu_share") or 0.0)
    return {
        "cpu_ms_per_s": share * 1e3 / many.row.reading,
        "memory_kb": (last.memory_mb - first.memory_mb) * 1e3 / many.row.reading,
    }


HEADINGS: Final = (
    "viewers", "p50 ms", "x alone", "p99 ms", "viewers' p50 ms", "attach s", "replay s",
    "server CPU", "memory MB", "WAL MB", "verdict",
)  # fmt: skip
_FIGURES: Final = (
    "latency_p99_ms", "viewer_latency_ms", "attach_s", "replay_s", "cpu_share", "memory_mb",
    "wal_mb",
)  # fmt: skip


def table(results: Sequence[Result]) -> list[tuple[str, ...]]:
    """Return the table's lines, without its headings."""
    return [
        (
            result.row.title,
            _shown(result.middle("latency_ms")),
            _shown(result.ratio),
            *(_shown(result.middle(name)) for name in _FIGURES),
            "ok" if result.is_ok else f"over {RATIO_MAX:g} x",
        )
        for result in results
    ]


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}" if value < 10 else f"{value:.0f}"  # noqa: PLR2004


def print_table(results: Sequence[Result]) -> None:
    """Print the results as aligned text."""
    lines = [HEADINGS, *table(results)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(map(str.ljust, line, widths)).rstrip())
