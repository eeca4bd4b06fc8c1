"""What aiohttp raises, in the words of httpx."""

from typing import Final

import aiohttp
import httpx
from aiohttp.http import HttpProcessingError


class FinalError(Exception):
    """Carries, as its cause, an error that aiohttp would answer by sending the request again."""


FAILURES: Final = (aiohttp.ClientError, HttpProcessingError, OSError, ValueError, FinalError)
"""What aiohttp raises when something goes wrong. A time-out is an OSError; a ValueError is about
what it was asked to send."""

# The first kind that an error is of decides.
_KINDS: Final[tuple[tuple[type[Exception], type[httpx.TransportError]], ...]] = (
    (aiohttp.ClientHttpProxyError, httpx.ProxyError),
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
    (TimeoutError, httpx.ReadTimeout),
    (aiohttp.ServerDisconnectedError, httpx.RemoteProtocolError),
    (aiohttp.ClientPayloadError, httpx.RemoteProtocolError),
    (aiohttp.ClientResponseError, httpx.RemoteProtocolError),
    (HttpProcessingError, httpx.RemoteProtocolError),
    (ValueError, httpx.LocalProtocolError),
    (Exception, httpx.ReadError),
)


async def only_once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Send a request through aiohttp, which repeats no GET, PUT or DELETE that fails this way.

    A middleware of `aiohttp.ClientSession`; there is no option for it.
    """
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise FinalError from error


def cause_of(error: BaseException) -> BaseException:
    """Return what one of `FAILURES` is about, without a trace: who keeps it keeps nothing else."""
    error.with_traceback(None)
    if isinstance(error, FinalError) and error.__cause__ is not None:
        return error.__cause__.with_traceback(None)
    return error


def httpx_error(cause: BaseException, request: httpx.Request) -> httpx.TransportError:
    """Return the error of httpx for what `cause_of` gave."""
    kind = next(kind for ours, kind in _KINDS if isinstance(cause, ours))
    return kind(_words_of(cause), request=request)


def _words_of(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"the proxy answered {error.status} {error.message}"
    if isinstance(error, aiohttp.ClientConnectorError) and error.__cause__ is not None:
        error = error.__cause__  # around which aiohttp prints its own objects
    return str(error) or type(error).__name__
