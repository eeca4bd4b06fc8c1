"""Bodies, sent and received, between httpx and aiohttp."""

import math
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Final

import aiohttp
import httpx
from aiohttp.hdrs import CONTENT_ENCODING, CONTENT_LENGTH, SET_COOKIE, TRANSFER_ENCODING
from anyio import CancelScope, current_time
from multidict import CIMultiDict

from ._aiohttp_errors import FAILURES, cause_of, httpx_error

_PIECE_BYTES: Final = 64 * 1024


def timeouts_of(request: httpx.Request) -> dict[str, float | None]:
    """Return the seconds for `connect`, `read`, `write` and `pool`; None or nothing: for ever."""
    return request.extensions.get("timeout") or {}


def small_content_of(request: httpx.Request, headers: CIMultiDict[str]) -> bytes | None:
    """Return a body that can be sent as it is: with the head, in one write that never waits.

    Args:
        request: Its body is returned, None if it can't.
        headers: The headers that announce it.
    """
    try:
        content = request.content
    except httpx.RequestNotRead:
        if not isinstance(request.stream, httpx.ByteStream):
            return None
        content = b"".join(request.stream)  # of a request that was redirected
    size = len(content)
    is_announced = headers.get(CONTENT_LENGTH, "0") == str(size)
    is_plain = is_announced and TRANSFER_ENCODING not in headers
    return content if is_plain and size <= _PIECE_BYTES else None


class Upload:
    """Any other body, in pieces; given to aiohttp to be sent.

    aiohttp itself waits for ever for a server that takes nothing, cuts a body that is longer than
    announced, and tells of an error in the body only that there was one.

    Args:
        request: Its body is sent.
        headers: The headers that announce it; those for chunks are left to aiohttp.
        scope: Around the request; ended if the server takes none of it for longer than the
            request's time-out to write.

    Attributes:
        error: What went wrong, if it was the body.

    Raises:
        RuntimeError: The body is read with blocking calls.
        ValueError: The announced length is none.
    """

    def __init__(
        self, request: httpx.Request, headers: CIMultiDict[str], scope: CancelScope
    ) -> None:
        if not isinstance(request.stream, httpx.AsyncByteStream):
            raise RuntimeError(  # noqa: TRY004 - what httpx raises
                "an async client can't send a body that is read with blocking calls"
            )
        if headers.pop(TRANSFER_ENCODING, None) is not None:
            headers.pop(CONTENT_LENGTH, None)
        length = headers.get(CONTENT_LENGTH)
        timeout_s = timeouts_of(request).get("write")
        self._request = request
        self._parts = request.stream
        self._least_bytes = 0 if length is None else int(length)
        self._most_bytes = math.inf if length is None else int(length)
        self._scope = scope
        self._timeout_s = math.inf if timeout_s is None else timeout_s
        self.error: Exception | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            size = 0
            async for part in self._parts:
                for start in range(0, len(part), _PIECE_BYTES):
                    piece = part[start : start + _PIECE_BYTES]
                    size += len(piece)
                    self._check(size <= self._most_bytes)
                    # aiohttp asks for the next piece when the server has taken most of this one.
                    self._scope.deadline = current_time() + self._timeout_s
                    yield piece
                    self._scope.deadline = math.inf
            self._check(size >= self._least_bytes)
        except Exception as error:
            self.error = error
            raise

    def _check(self, is_as_announced: bool) -> None:  # noqa: FBT001 - reads like an assert
        if not is_as_announced:
            raise httpx.LocalProtocolError(
                "the request's body is longer or shorter than its Content-Length",
                request=self._request,
            )


class Body(httpx.AsyncByteStream):
    """The body of an answer, read once: each step gives whatever has arrived.

    Args:
        answer: What aiohttp got; its connection is given back at the body's end, by aiohttp.
        request: For the errors.
    """

    def __init__(self, answer: aiohttp.ClientResponse, request: httpx.Request) -> None:
        self._answer = answer
        self._content = answer.content
        self._request = request
        self._timed: tuple[httpx.Response, float] | None = None

    @property
    def is_encoded(self) -> bool:
        """Whether the head says that the body is compressed."""
        return CONTENT_ENCODING in self._answer.headers

    @property
    def sets_cookies(self) -> bool:
        """Whether the head has cookies."""
        return SET_COOKIE in self._answer.headers

    def time(self, response: httpx.Response, started_at: float) -> None:
        """Have `response.elapsed` set when the body is closed.

        Args:
            response: The response of this body.
            started_at: When the request was sent, by `time.perf_counter`.
        """
        self._timed = response, started_at

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            chunk = await self._content.readany()
        except FAILURES as error:
            # What came before the failure is good; the failure shows again after it.
            chunk = _left_in(self._content)
            if not chunk:
                self.close()
                cause = cause_of(error)
                raise httpx_error(cause, self._request) from cause
        except BaseException:
            self.close()
            raise
        if not chunk:
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        """End the reading, from anywhere: a connection that is not read to the end is closed."""
        self.close()
        if self._timed is not None:
            (response, started_at), self._timed = self._timed, None
            response.elapsed = timedelta(seconds=time.perf_counter() - started_at)

    def close(self) -> None:
        """End the reading at once; a task that waits for more is woken up with an error."""
        self._answer.close()


class Response(httpx.Response):
    """A response whose body, if it is read whole, is read in one go."""

    async def aread(self) -> bytes:
        """Read and return the body."""
        body = self.stream
        is_read = self.is_stream_consumed or self.is_closed
        if not isinstance(body, Body) or is_read or body.is_encoded:
            return await super().aread()
        # What httpx does, without its four layers of generators around the body.
        self.is_stream_consumed = True
        content = b"".join([chunk async for chunk in body])
        self._num_bytes_downloaded = len(content)
        self._content = content
        await self.aclose()
        return content


def _left_in(content: aiohttp.StreamReader) -> bytes:
    # After a failure the public methods raise it at once, whatever they still hold. Where aiohttp
    # has renamed this one, that is lost with the connection.
    read: Callable[[int], bytes] = getattr(content, "_read_nowait", lambda _: b"")
    return read(-1)
