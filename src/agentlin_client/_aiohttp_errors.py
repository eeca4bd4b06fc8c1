"""What aiohttp raises, in the words of httpx."""

from typing import Final, NoReturn

import aiohttp
import httpx
from aiohttp.http import HttpProcessingError

FAILURES: Final = (aiohttp.ClientError, HttpProcessingError, OSError)
"""What aiohttp raises when something goes wrong; a time-out is an OSError."""

_BROKEN_RULES: Final = (
    aiohttp.ClientPayloadError,
    aiohttp.ServerDisconnectedError,
    HttpProcessingError,
)
"""Those of them that say: this was no HTTP, or only the beginning of an answer."""


def raise_connect_error(error: Exception, request: httpx.Request) -> NoReturn:
    """Raise the error of httpx for one of `FAILURES` to connect, with that as its cause."""
    if isinstance(error, TimeoutError):
        raise httpx.ConnectTimeout("connecting took too long", request=request) from error
    if isinstance(error, aiohttp.ClientResponseError):
        # Only a proxy answers before the request is sent.
        words = f"the proxy answered {error.status} {error.message}"
        raise httpx.ProxyError(words, request=request) from error
    raise httpx.ConnectError(_words_of(error), request=request) from error


def raise_read_error(error: Exception, request: httpx.Request) -> NoReturn:
    """Raise the error of httpx for one of `FAILURES` to read, with that as its cause."""
    if isinstance(error, TimeoutError):
        raise httpx.ReadTimeout("waiting for the answer took too long", request=request) from error
    if isinstance(error, _BROKEN_RULES):
        raise httpx.RemoteProtocolError(_words_of(error), request=request) from error
    raise httpx.ReadError(_words_of(error), request=request) from error


def _words_of(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorError) and error.__cause__ is not None:
        error = error.__cause__  # around which aiohttp prints its own objects
    return str(error) or type(error).__name__
