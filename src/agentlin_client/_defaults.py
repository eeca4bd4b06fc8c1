"""The defaults that are values of httpx, which takes time to import: hence apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import httpx
from httpx import Timeout

from ._sentinels import NotGiven

if TYPE_CHECKING:
    from ._config import TimeoutTypes

__all__ = [
    "DEFAULT_CONNECTION_LIMITS",
    "DEFAULT_TIMEOUT",
    "Timeout",
    "stream_timeout",
    "timeout_of",
]

DEFAULT_TIMEOUT: Final = Timeout(60.0, connect=5.0)
"""Seconds: 60 to send, and to wait for the next bytes of the answer; 5 to connect."""
DEFAULT_CONNECTION_LIMITS: Final = httpx.Limits(max_connections=1000, max_keepalive_connections=100)
"""A stream holds a connection as long as it lasts, so there may be many."""

_HTTPX_TIMEOUT: Final = Timeout(5.0)  # httpx's own default: nobody chose it


def timeout_of(
    timeout: TimeoutTypes | NotGiven, http_client: httpx.Client | httpx.AsyncClient | None
) -> Timeout:
    """Return the time-outs of a client: its own, else those of its http_client, else ours."""
    if not isinstance(timeout, NotGiven):
        return Timeout(timeout)
    if http_client is not None and http_client.timeout != _HTTPX_TIMEOUT:
        return http_client.timeout
    return DEFAULT_TIMEOUT


def stream_timeout(timeout: Timeout, idle_s: float | NotGiven | None) -> Timeout:
    """Return the time-outs of a stream: `idle_s` is the longest silence, None for any."""
    if isinstance(idle_s, NotGiven):
        return timeout
    return Timeout(connect=timeout.connect, read=idle_s, write=timeout.write, pool=timeout.pool)
