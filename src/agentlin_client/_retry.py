"""Whether a failed call is sent again, and after how long (contract, section 2). Pure."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from ._errors import APIError  # at run time, for typing.get_type_hints(Retry)

if TYPE_CHECKING:
    from collections.abc import Mapping

FIRST_DELAY_S: Final = 0.5
DELAY_S_MAX: Final = 8.0
RETRY_AFTER_S_MAX: Final = 60.0
"""The longest wait that a server may ask for; one that asks for more gets the usual back-off."""

_RETRIED: Final = frozenset({408, 409, 429})
_SERVER_ERRORS_FROM: Final = 500
_JITTER: Final = 0.25


class Retry(NamedTuple):
    """A failed attempt that will be followed by another; what `on_retry` hooks get.

    Attributes:
        number: Which retry it is, from 1.
        retries_max: How many there may be.
        delay_s: How long the client waits before it, in seconds.
        error: What went wrong; its `request` is the one that failed.
    """

    number: int
    retries_max: int
    delay_s: float
    error: APIError


def is_retryable(status_code: int, headers: Mapping[str, str]) -> bool:
    """Whether an error status is worth another attempt; `x-should-retry` has the last word.

    >>> is_retryable(409, {}), is_retryable(409, {"x-should-retry": "false"})
    (True, False)
    """
    match headers.get("x-should-retry"):
        case "true":
            return True
        case "false":
            return False
        case _:
            return status_code in _RETRIED or status_code >= _SERVER_ERRORS_FROM


def retry_delay_s(
    retries_taken: int, headers: Mapping[str, str], *, now_s: float, jitter: float
) -> float:
    """Return how long to wait before the next attempt, in seconds.

    Args:
        retries_taken: How many retries the call has had; >= 0.
        headers: The answer's, empty if there was no answer. Names are looked up in lower case.
        now_s: Unix time, against which a `Retry-After` date is read.
        jitter: 0 to 1; shortens the back-off by up to a quarter, so that clients that failed
            together don't come back together. A wait that the server asked for is not shortened.

    >>> [retry_delay_s(n, {}, now_s=0.0, jitter=0.0) for n in range(6)]
    [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]
    >>> retry_delay_s(0, {"retry-after": "3"}, now_s=0.0, jitter=1.0)
    3.0
    """
    asked_s = _asked_delay_s(headers, now_s)
    if asked_s is not None and 0 < asked_s <= RETRY_AFTER_S_MAX:
        return asked_s
    doublings = min(retries_taken, 10)  # far past the cap, and no overflow
    return min(FIRST_DELAY_S * 2**doublings, DELAY_S_MAX) * (1 - _JITTER * jitter)


def _asked_delay_s(headers: Mapping[str, str], now_s: float) -> float | None:
    if (milliseconds := _number(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    text = headers.get("retry-after", "")
    if (seconds := _number(text)) is not None:
        return seconds
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    if date.tzinfo is None:  # no zone, or -0000: HTTP knows no other time than UTC
        date = date.replace(tzinfo=UTC)
    return date.timestamp() - now_s


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
