# Generated from _async_api_response.py by scripts/generate_sync.py: change that one.

"""`APIResponse`: an answer with its headers, and with a body for who wants to read it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_origin, overload

from ._base_response import BaseAPIResponse, reading_error
from ._errors import APIResponseValidationError
from ._request import TRANSPORT_ERRORS
from ._response import check_stream, decode_body, is_event_stream, parse_as
from ._stream import Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    import httpx

    from .types import AgentTaskEvent

    PieceT = TypeVar("PieceT", bytes, str)

T = TypeVar("T")
OtherT = TypeVar("OtherT")


class APIResponse(BaseAPIResponse, Generic[T]):
    """The answer to a call that was made by `with_raw_response` or `with_streaming_response`.

        response = client.tasks.with_raw_response.retrieve("task_1")
        print(response.headers["X-Request-ID"], response.retries_taken)
        retrieved = response.parse()
        print(retrieved.unwrap().status)

    After `with_raw_response` the body has been read, unless it is a stream of events; after
    `with_streaming_response` it has not. A body that has been read can be read again, iterated
    over and parsed as often as you like. One that has not can be iterated over once, which does
    not keep it. A stream that you leave before its end is to be closed.

    Reading raises APIConnectionError (APITimeoutError) if the connection breaks,
    APIResponseValidationError if the body can't be decoded, and ClientError if it is gone.
    """

    def __init__(
        self,
        http_response: httpx.Response,
        cast_to: Any,
        opened: Callable[[], Stream[AgentTaskEvent]],
        *,
        is_strict: bool,
        finish: Callable[[Any], Any] | None = None,
    ) -> None:
        """Wrap an answer; the client does this.

        Args:
            http_response: The answer, 2xx.
            cast_to: What `parse` returns: `Stream`, or what `Verbs` takes.
            opened: Returns the stream of events that the answer is.
            is_strict: Refuse a body that does not fit.
            finish: Called with the parsed body; what it returns is what `parse` returns.
        """
        super().__init__(http_response, cast_to)
        self._opened = opened
        self._is_strict = is_strict
        self._finish = finish
        self._stream: Stream[AgentTaskEvent] | None = None
        self._parsed: Any = None

    @overload
    def parse(self) -> T: ...

    @overload
    def parse(self, *, to: type[OtherT]) -> OtherT: ...

    def parse(self, *, to: Any = None) -> Any:
        """Return what the method would have returned, or the body as something else.

        Args:
            to: A model, or any other type that `client.get` takes as `cast_to`; or `Stream`
                for a stream of events.

        Returns:
            Without `to` the same object each time. A stream connects again by itself, like any
            other.

        Raises:
            APIResponseValidationError: The body does not fit.
            TypeError: `to` is no type for a stream of events, which the answer is.
        """
        wanted = self._cast_to if to is None else to
        if (get_origin(wanted) or wanted) is Stream:
            return self._followed()
        if to is not None:
            self._check_parsable(to)
            self.read()
            return parse_as(self.http_response, to, is_strict=self._is_strict)
        if self._parsed is None:
            self.read()
            parsed = parse_as(self.http_response, wanted, is_strict=self._is_strict)
            self._parsed = parsed if self._finish is None else self._finish(parsed)
        return self._parsed

    def _followed(self) -> Stream[AgentTaskEvent]:
        if self._stream is None:
            if is_event_stream(self.http_response):
                self._check_unread()
            else:
                self.read()
                check_stream(self.http_response)
            self._stream = self._opened()
        return self._stream

    def read(self) -> bytes:
        """Return the whole body."""
        try:
            return self.http_response.read()
        except TRANSPORT_ERRORS as error:
            self.http_response.close()
            raise reading_error(error, self.http_response) from error

    def text(self) -> str:
        """Return the whole body, decoded as its headers say, else as UTF-8."""
        self.read()
        return self.http_response.text

    def json(self) -> Any:
        """Return the whole body, decoded from JSON.

        Raises:
            APIResponseValidationError: It is no JSON.
        """
        body = self.read()
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as error:
            raise APIResponseValidationError(
                self.http_response,
                decode_body(self.http_response),
                message=f"The server's answer is no JSON: {error}",
            ) from error

    def iter_bytes(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """Yield the body, decompressed, as it comes or in pieces of `chunk_size` bytes."""
        return _pieces(self.http_response, self.http_response.iter_bytes(chunk_size))

    def iter_text(self, chunk_size: int | None = None) -> Iterator[str]:
        """Yield the body, decoded, as it comes or in pieces of `chunk_size` characters."""
        return _pieces(self.http_response, self.http_response.iter_text(chunk_size))

    def iter_lines(self) -> Iterator[str]:
        """Yield the body line by line, decoded, without the line ends."""
        return _pieces(self.http_response, self.http_response.iter_lines())

    def close(self) -> None:
        """Give the body up, and the stream that it was parsed to; the task goes on."""
        if self._stream is not None:
            self._stream.close()
        self.http_response.close()


def _pieces(response: httpx.Response, pieces: Iterator[PieceT]) -> Generator[PieceT]:
    try:
        yield from pieces
    except TRANSPORT_ERRORS as error:
        raise reading_error(error, response) from error
    finally:
        response.close()  # what was left unread can't be read any more
