"""What the blocking and the async view of an answer have in common: no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import httpx

from ._errors import ClientError
from ._request import RETRIES_TAKEN, transport_error
from ._response import is_event_stream

if TYPE_CHECKING:
    from datetime import timedelta

_NEED_NO_END: Final[tuple[object, ...]] = (str, bytes, httpx.Response, type(None))
"""What the text of a stream may be parsed to."""


class BaseAPIResponse:
    """An HTTP answer, its body perhaps unread.

    Attributes:
        http_response: The answer, as httpx has it.
    """

    def __init__(self, http_response: httpx.Response, cast_to: Any) -> None:
        self.http_response = http_response
        self._cast_to = cast_to

    @property
    def http_request(self) -> httpx.Request:
        """The request that was answered: the last one, after retries and redirects."""
        return self.http_response.request

    @property
    def headers(self) -> httpx.Headers:
        """The headers of the answer."""
        return self.http_response.headers

    @property
    def status_code(self) -> int:
        """The HTTP status, 2xx: any other is raised as an error."""
        return self.http_response.status_code

    @property
    def url(self) -> httpx.URL:
        """The URL that answered."""
        return self.http_response.url

    @property
    def method(self) -> str:
        """The HTTP method of the request."""
        return self.http_request.method

    @property
    def http_version(self) -> str:
        """The version of HTTP that was spoken, e.g. `HTTP/1.1`."""
        return self.http_response.http_version

    @property
    def elapsed(self) -> timedelta:
        """The time from sending the request to the end of the answer.

        Raises:
            RuntimeError: The answer has been neither read nor closed.
        """
        return self.http_response.elapsed

    @property
    def is_closed(self) -> bool:
        """Whether the connection is given back: the body is read to its end, or given up."""
        return self.http_response.is_closed

    @property
    def request_id(self) -> str | None:
        """The `X-Request-ID` of the answer, None if it has none."""
        return self.headers.get("x-request-id")

    @property
    def retries_taken(self) -> int:
        """How many times the request was sent again before this answer came."""
        return self.http_response.extensions[RETRIES_TAKEN]

    def __repr__(self) -> str:
        http = self.http_response
        wanted = getattr(self._cast_to, "__name__", self._cast_to)
        return f"{type(self).__name__}({http.status_code} {http.reason_phrase}, {wanted})"

    def _check_unread(self) -> None:
        """Make sure that a stream can be read from its beginning.

        Raises:
            ClientError: It is read in part, or closed.
        """
        http = self.http_response
        if (http.is_stream_consumed or http.is_closed) and not _is_whole(http):
            raise ClientError(_gone(http))

    def _check_parsable(self, to: object) -> None:
        """Make sure that an answer is not read to the end for nothing.

        Raises:
            TypeError: It is a stream of events, which no single value is.
        """
        if is_event_stream(self.http_response) and to not in _NEED_NO_END:
            raise TypeError(
                "the answer is a stream of events: call parse() without `to`, or read it as it is"
            )


def reading_error(error: Exception, response: httpx.Response) -> ClientError:
    """Return our error for one of `TRANSPORT_ERRORS` that reading a body met.

    Args:
        error: What httpx raised.
        response: What was read.
    """
    if isinstance(error, httpx.StreamConsumed | httpx.StreamClosed):
        return ClientError(_gone(response))
    return transport_error(error, response.request, response, when="reading the answer: ")


def _is_whole(response: httpx.Response) -> bool:
    try:
        _ = response.content
    except httpx.ResponseNotRead:
        return False
    return True


def _gone(response: httpx.Response) -> str:
    if response.is_stream_consumed:
        return (
            "the body has been iterated over, which can be done once: "
            "call read() first to have it more often"
        )
    return "the answer is closed and its body was not read: read it before"
