"""What a docstring says about a function and its parameters: Google, NumPy and Sphinx style. Pure.

Sections on parameters, results and errors are taken out of the text; all else stays, since it
may tell a model when to call the function.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_PARAMETERS: Final = frozenset(
    {"args", "arguments", "parameters", "params", "keyword args", "keyword arguments",
     "other parameters"}
)  # fmt: skip
_OTHERS: Final = frozenset({"returns", "return", "yields", "yield", "raises", "raise"})

_GOOGLE_ENTRY: Final = re.compile(r"\*{0,2}(\w+)\s*(?:\(.*?\))?\s*:(?:\s+(.*)|$)")
_NUMPY_ENTRY: Final = re.compile(r"\*{0,2}(\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?::.*)?$")
_SPHINX_FIELD: Final = re.compile(
    r":(?:param|parameter|arg|argument|key|keyword|type|raise|raises|return|returns|rtype"
    r"|yield|yields|ytype)\b[^:]*:"
)
_SPHINX_PARAMETER: Final = re.compile(
    r":(?:param|parameter|arg|argument|key|keyword)\s+(?:[^:]*\s)?\*{0,2}(\w+):\s*(.*)"
)


@dataclass(frozen=True, slots=True)
class Docstring:
    """A docstring, taken apart.

    Attributes:
        text: What it says in general, without the sections on parameters, results and errors.
        parameters: What it says about each parameter, in one line.
    """

    text: str
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])


def parse_docstring(docstring: str | None) -> Docstring:
    r"""Take a docstring apart; whatever is of no known style is text.

    >>> parse_docstring("Add.\n\nArgs:\n    a (int): One\n        number.\n    b: Another.")
    Docstring(text='Add.', parameters={'a': 'One number.', 'b': 'Another.'})
    """
    lines = inspect.cleandoc(docstring or "").splitlines()
    text: list[str] = []
    parameters: dict[str, str] = {}
    at = 0
    while at < len(lines):
        for read in (_read_google, _read_numpy, _read_sphinx):
            if (block := read(lines, at)) is not None:
                at = block.end
                parameters.update(block.parameters)
                break
        else:
            text.append(lines[at])
            at += 1
    return Docstring(re.sub(r"\n{3,}", "\n\n", "\n".join(text)).strip(), parameters)


@dataclass(frozen=True, slots=True)
class _Block:
    """Lines that are no text: what they say of parameters, and the number of the next line."""

    end: int
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])


def _read_google(lines: Sequence[str], at: int) -> _Block | None:
    name = lines[at].removesuffix(":").lower()
    if not lines[at].endswith(":") or name not in _PARAMETERS | _OTHERS:
        return None
    end = _end_of_indented(lines, at + 1)
    if name in _OTHERS:
        return _Block(end)
    body = textwrap.dedent("\n".join(lines[at + 1 : end])).splitlines()
    return _Block(end, dict(_entries(body, _GOOGLE_ENTRY)))


def _read_numpy(lines: Sequence[str], at: int) -> _Block | None:
    name = lines[at].lower()
    if name not in _PARAMETERS | _OTHERS or not _is_underlined(lines, at):
        return None
    end = at + 2
    while end < len(lines) and not _is_underlined(lines, end):
        end += 1
    return _Block(end, {} if name in _OTHERS else dict(_entries(lines[at + 2 : end], _NUMPY_ENTRY)))


def _read_sphinx(lines: Sequence[str], at: int) -> _Block | None:
    if _SPHINX_FIELD.match(lines[at]) is None:
        return None
    end = _end_of_indented(lines, at + 1)
    return _Block(end, dict(_entries(lines[at:end], _SPHINX_PARAMETER)))


def _is_underlined(lines: Sequence[str], at: int) -> bool:
    return (
        at + 1 < len(lines)
        and bool(lines[at].strip())
        and re.fullmatch(r"-{3,}", lines[at + 1]) is not None
    )


def _end_of_indented(lines: Sequence[str], start: int) -> int:
    """Return the number of the first line from `start` on that has text and no indentation."""
    for number in range(start, len(lines)):
        if lines[number] and not lines[number][0].isspace():
            return number
    return len(lines)


def _entries(lines: Iterable[str], head: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    """Yield (parameter, description); an entry is a line like `head` and the indented ones below.

    Group 1 of `head` has the name, or several with commas; group 2, if any, begins the text.
    """
    names: list[str] = []
    words: list[str] = []
    for line in lines:
        if match := None if line[:1].isspace() else head.match(line):
            yield from ((name, " ".join(words)) for name in names if words)
            names = [name.strip().lstrip("*") for name in match[1].split(",")]
            words = [match[2].strip()] if head.groups > 1 and match[2] else []
        elif line.strip():
            words.append(line.strip())
    yield from ((name, " ".join(words)) for name in names if words)
