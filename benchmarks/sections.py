"""What a part of a benchmark found: its table, its targets, and its place on the results page."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final

SHOWN_WHOLE_FROM: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The table of one part.

    Attributes:
        key: Its name on the command line.
        title: Its heading.
        headings: Of the columns.
        lines: The cells, formatted.
        note: A sentence below the table; empty for none.
        missed: Targets that were missed, in words.
        raw: All figures, ready for `json.dumps`.
    """

    key: str
    title: str
    headings: Sequence[str]
    lines: Sequence[Sequence[str]]
    note: str = ""
    missed: Sequence[str] = ()
    raw: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def markdown(self) -> str:
        """Return it as Markdown."""
        rows = ["| " + " | ".join(line) + " |" for line in (self.headings, *self.lines)]
        rows.insert(1, "|" + "---|" * len(self.headings))
        return "\n".join([f"### {self.title}", "", *rows, *(["", self.note] if self.note else [])])

    def text(self) -> str:
        """Return it as aligned text."""
        lines = [self.headings, *self.lines]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        rows = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
        return "\n".join([self.title, *rows, *([self.note] if self.note else [])])


def shown(value: float | None) -> str:
    """Return a figure with as many digits as mean something.

    >>> shown(1234.5), shown(12.345), shown(0.0123), shown(None)
    ('1,234', '12.3', '0.0123', '-')
    """
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= SHOWN_WHOLE_FROM else f"{value:.3g}"


def p50(values: Sequence[float]) -> float:
    """Return the median."""
    return median(values)


def p99(values: Sequence[float]) -> float:
    """Return the 99th percentile; of fewer than 100 values about the largest."""
    return quantiles(values, n=100, method="inclusive")[-1] if len(values) > 1 else values[0]


def verdict(value: float, limit: float) -> str:
    """Return `ok`, or by which part of the limit a figure is over it.

    >>> verdict(1.0, 1.0), verdict(3.0, 2.0)
    ('ok', 'over by 50.0%')
    """
    return "ok" if value <= limit else f"over by {(value - limit) / limit:.1%}"


def marked(name: str, text: str) -> str:
    """Return a part of a page, with the marks by which its writer finds it again."""
    return f"<!-- {name}: written by the tool -->\n{text.strip()}\n<!-- /{name} -->\n"


def with_part(page: str, name: str, text: str) -> str:
    r"""Return the page with its part `name` replaced, or put at its end.

    >>> with_part("Page\n", "a", "new") == "Page\n\n" + marked("a", "new")
    True
    """
    found = _part(name).search(page)
    if found is None:
        return f"{page.rstrip()}\n\n{marked(name, text)}".lstrip()
    return page[: found.start()] + marked(name, text) + page[found.end() :]


def marked_parts(page: str) -> str:
    """Return all marked parts of a page, as they are."""
    return "\n".join(found[0] for found in _part(r"[\w.]+").finditer(page))


def rewrite(path: Path, name: str, text: str) -> None:
    """Replace the part `name` of the page at `path`, which is made if it is missing."""
    page = path.read_text() if path.exists() else ""
    path.write_text(with_part(page, name, text))


def rewrite_rest(path: Path, text: str) -> None:
    """Replace everything but the marked parts of the page at `path`, which may be missing."""
    kept = marked_parts(path.read_text()) if path.exists() else ""
    path.write_text(f"{text.rstrip()}\n" + (f"\n{kept}" if kept else ""))


def _part(name: str) -> "re.Pattern[str]":
    pattern = rf"<!-- (?P<name>{name}): written by the tool -->\n.*?<!-- /(?P=name) -->\n"
    return re.compile(pattern, re.DOTALL)
