"""The HTTP side of the OpenAI-compatible adapter: one session, one POST per call, mapped errors.

The only module of the adapter that imports aiohttp; `openai.py` imports it at the first call.
"""

import asyncio
import io
import math
from collections.abc import Callable, Mapping
from typing import Final

import aiohttp
import anyio

from agentlin_server.domain.errors import (
    ModelError,
    ModelStreamError,
    ModelTimeoutError,
    ModelUnavailableError,
)
from agentlin_server.models.timeouts import ModelTimeouts

CONNECTIONS_MAX: Final = 2000
_KEEPALIVE_S: Final = 30.0
# aiohttp buffers twice this per stream before it stops the provider: some 1,000 deltas, which is
# batch enough, and small enough for hundreds of streams whose reader is slow.
_READ_BUFFER_BYTES: Final = 128 * 1024
_BODY_TIMEOUT_S: Final = 5.0
_DRAIN_TIMEOUT_S: Final = 0.05
_LARGE_BODY_BYTES: Final = 512 * 1024


def new_session(timeouts: ModelTimeouts) -> aiohttp.ClientSession:
    """Return a session that trusts no environment (proxies, .netrc) and keeps no cookies."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX, keepalive_timeout=_KEEPALIVE_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, connect=timeouts.connect_s),
        read_bufsize=_READ_BUFFER_BYTES,
        trust_env=False,
    )


class HttpTransport:
    """Sends the calls of one provider.

    Args:
        provider: Its name, for errors.
        address: The base URL as a person should see it.
        headers: Sent with every call.
        timeouts: See `ModelTimeouts`.
        session_factory: Makes the session, at the first call; it is closed by `aclose`.
    """

    def __init__(
        self,
        *,
        provider: str,
        address: str,
        headers: Mapping[str, str],
        timeouts: ModelTimeouts,
        session_factory: Callable[[], aiohttp.ClientSession] | None = None,
    ) -> None:
        self._provider = provider
        self._address = address
        self._headers = dict(headers)
        self._timeouts = timeouts
        self._session_factory = session_factory or (lambda: new_session(timeouts))
        self._session: aiohttp.ClientSession | None = None

    async def send(self, method: str, url: str, body: bytes = b"") -> "HttpReply":
        """Send one call; return as soon as the answer's headers are there.

        Raises:
            ModelTimeoutError: no connection or no answer in time.
            ModelUnavailableError: the provider can't be reached, or hung up.
        """
        if self._session is None:
            self._session = self._session_factory()
        answer_by = asyncio.get_running_loop().time() + self._timeouts.first_token_s
        try:
            with anyio.fail_after(self._timeouts.first_token_s):
                response = await self._session.request(
                    method,
                    url,
                    # aiohttp warns of large plain bytes, as it writes them in one go
                    data=(body or None) if len(body) < _LARGE_BODY_BYTES else io.BytesIO(body),
                    headers=self._headers,
                    allow_redirects=False,
                )
        except (aiohttp.ClientError, OSError) as exc:  # OSError includes TimeoutError
            raise self._not_answered(exc) from exc
        return HttpReply(
            response, provider=self._provider, timeouts=self._timeouts, answer_by=answer_by
        )

    async def aclose(self) -> None:
        """Close all connections; a later call opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _not_answered(self, exc: Exception) -> ModelError:
        """Return the error for a call that got no answer; most specific conditions first."""
        who, timeouts = f"{self._provider} at {self._address}", self._timeouts
        if isinstance(exc, aiohttp.ConnectionTimeoutError):
            return ModelTimeoutError(
                f"{who}: no connection within {timeouts.connect_s:g} s. Is the address right, "
                "and reachable from here?",
                provider=self._provider,
            )
        if isinstance(exc, TimeoutError):
            return _first_token_error(self._provider, timeouts)
        retryable = True
        if isinstance(exc, aiohttp.ClientSSLError | aiohttp.ClientConnectorCertificateError):
            said = (
                f"the TLS connection failed ({_reason(exc)}). "
                "Does the server speak https, with a valid certificate?"
            )
            retryable = False
        elif isinstance(exc, aiohttp.ClientConnectorDNSError):
            said = "the host name can't be resolved. Is the base URL right?"
        elif isinstance(exc, aiohttp.ClientConnectorError):
            said = f"no connection ({_reason(exc)}). Is the server running there?"
        else:
            said = f"it hung up before it answered ({_reason(exc)})."
        return ModelUnavailableError(f"{who}: {said}", provider=self._provider, retryable=retryable)


class HttpReply:
    """One answer, read piece by piece.

    One timer per answer watches all its reads; a timer per read would cost more than the read.
    """

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        *,
        provider: str,
        timeouts: ModelTimeouts,
        answer_by: float,
    ) -> None:
        self._response = response
        self._content = response.content
        self._provider = provider
        self._timeouts = timeouts
        self._loop = asyncio.get_running_loop()
        self._has_begun = False
        self._has_timed_out = False
        self._read_by = answer_by  # of the next read
        self._due = math.inf  # of the read that goes on now, if one does
        self._timer = self._loop.call_at(answer_by, self._on_timer)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._response.status

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, found without regard to case."""
        return self._response.headers

    @property
    def content_type(self) -> str:
        """The media type, in lower case, without parameters; empty if there is none."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    async def read(self) -> bytes:
        """Return what the socket holds, waiting for the first of it; empty at the end.

        Raises:
            ModelTimeoutError: nothing came in time (see `mark_piece`).
            ModelStreamError: the connection broke.
        """
        self._due = self._read_by
        try:
            return await self._content.readany()
        except (aiohttp.ClientError, OSError) as exc:
            if self._has_timed_out:
                raise self._timeout_error() from None
            raise ModelStreamError(
                f"{self._provider} broke off in the middle of its answer ({_reason(exc)}).",
                provider=self._provider,
            ) from exc
        finally:
            self._due = math.inf

    def mark_piece(self) -> None:
        """Note that a piece of the answer has come: the next one has `idle_s` from now."""
        self._read_by = self._loop.time() + self._timeouts.idle_s
        if not self._has_begun:
            self._has_begun = True
            self._timer.cancel()
            self._timer = self._loop.call_at(self._read_by, self._on_timer)

    async def read_body(self, *, bytes_max: int) -> bytes:
        """Return the beginning of the body; less if it breaks off or is slow. Never raises."""
        body = bytearray()
        with anyio.move_on_after(_BODY_TIMEOUT_S):
            try:
                while len(body) < bytes_max and (data := await self.read()):
                    body += data
            except ModelError:
                pass  # the status says enough; what was cut off won't decode
        return bytes(body[:bytes_max])

    async def drain(self) -> None:
        """Read a finished answer to its end, if that is near, so that its connection is kept."""
        if self._content.at_eof():
            return
        with anyio.move_on_after(_DRAIN_TIMEOUT_S):
            try:
                while await self._content.readany():
                    pass
            except (aiohttp.ClientError, OSError):
                pass  # the answer is complete without it

    def close(self) -> None:
        """Close the connection at once; at the end of the answer it has gone back to the pool."""
        self._timer.cancel()
        self._response.close()

    def _on_timer(self) -> None:
        now = self._loop.time()
        if now < self._due:
            # nobody reads now, for the engine is busy, or pieces have come meanwhile
            following = self._read_by if self._read_by > now else now + self._timeouts.idle_s
            self._timer = self._loop.call_at(following, self._on_timer)
            return
        self._has_timed_out = True
        self._response.close()  # wakes the read

    def _timeout_error(self) -> ModelTimeoutError:
        if not self._has_begun:
            return _first_token_error(self._provider, self._timeouts)
        return ModelTimeoutError(
            f"{self._provider} stopped in the middle of its answer: nothing came for "
            f"{self._timeouts.idle_s:g} s.",
            provider=self._provider,
        )


def _first_token_error(provider: str, timeouts: ModelTimeouts) -> ModelTimeoutError:
    return ModelTimeoutError(
        f"{provider} did not begin to answer within {timeouts.first_token_s:g} s. "
        "It may be overloaded, or the prompt too long for it.",
        provider=provider,
    )


def _reason(exc: BaseException) -> str:
    """Return what went wrong, in the system's words where it has some."""
    cause = getattr(exc, "os_error", None) or exc
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
