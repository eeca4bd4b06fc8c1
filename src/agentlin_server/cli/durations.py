"""Durations as people write them: `90s`, `12h`, `30d`, `1d12h`."""

import re
from typing import Final

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")


def parse_duration(text: str) -> float:
    """Return a duration in seconds.

    Raises:
        ValueError: it is none; the message says how one is written.

    >>> parse_duration("30d"), parse_duration("1h30m"), parse_duration("0.5s")
    (2592000.0, 5400.0, 0.5)
    """
    text = text.strip().lower()
    if not re.fullmatch(f"(?:{_PART.pattern})+", text):
        hint = "its unit is missing; " if re.fullmatch(r"\d+(\.\d+)?", text) else ""
        raise ValueError(f"{text!r} is no duration: {hint}write e.g. 90s, 15m, 12h, 30d or 1d12h")
    return float(sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text)))
