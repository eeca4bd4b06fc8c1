"""A stream of typed events: bytes -> frames -> events in `EventReader`, thin shells around it.

A stream ends well when its last event is final or resting. One that ends otherwise, politely or
not, raises: its reader has not seen all there is. The place where a stream will reconnect by
itself instead is `EventReader.interrupted`: both shells come by there, and `last_event_id` is
what the server needs to go on with exactly the event after it.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from types import TracebackType
from typing import Final, Generic, NamedTuple, Self, TypeVar

import httpx
from pydantic import ValidationError

from ._errors import APIConnectionError, APIError, APIResponseValidationError, describe_body
from ._request import TRANSPORT_ERRORS, transport_error
from ._response import first_mistake
from ._sse import FrameDecoder

EventT = TypeVar("EventT")

_NO_CONTENT: Final = 204


class NoEventError(Exception):
    """What a codec raises for a well-formed frame that holds no event."""

    def __init__(self, body: object) -> None:
        super().__init__("a frame without an event")
        self.body = body


class EventCodec(NamedTuple, Generic[EventT]):
    """How the frames of a kind of stream are read.

    Attributes:
        decode: From a frame's data to its event; raises ValidationError or NoEventError.
        settles: Whether the stream may end after the event.
    """

    decode: Callable[[bytes], EventT]
    settles: Callable[[EventT], bool]


class EventReader(Generic[EventT]):
    """The state of one stream, without I/O: bytes in, events out, and what its end means."""

    __slots__ = ("_codec", "_frames", "_settled", "closed", "last_event_id", "response")

    def __init__(self, response: httpx.Response, codec: EventCodec[EventT]) -> None:
        self.response = response
        self.last_event_id: str | None = None
        self.closed = False
        self._codec = codec
        self._frames = FrameDecoder()
        self._settled = response.status_code == _NO_CONTENT  # at rest already: nothing to come

    def feed(self, chunk: bytes) -> Iterator[EventT]:
        """Yield the events that `chunk` completes.

        Raises:
            APIError: The server reports in a frame that the stream failed.
            APIResponseValidationError: A frame is no event.
        """
        for frame in self._frames.feed(chunk):
            if self.closed:
                return
            if not frame.data:
                continue
            try:
                event = self._codec.decode(frame.data)
            except ValidationError as error:
                raise self._malformed(frame.data, error) from error
            except NoEventError as error:
                raise self._reported(error.body) from None
            self.last_event_id = frame.id or None
            self._settled = self._codec.settles(event)
            yield event

    def interrupted(self, error: Exception | None) -> APIError | None:
        """Return what to raise when the bytes have come to an end; None if the stream is whole.

        Args:
            error: What the transport raised, None if the server closed the stream in order.
        """
        if self._settled or self.closed:
            return None
        last = self.last_event_id
        place = "before its first event" if last is None else f"after event {last}"
        if error is None:
            return APIConnectionError(
                message=f"The stream ended {place}, though the task goes on.",
                request=self.response.request,
                response=self.response,
            )
        return transport_error(
            error, self.response.request, self.response, when=f"the stream broke {place}: "
        )

    def _malformed(self, data: bytes, error: ValidationError) -> APIResponseValidationError:
        return APIResponseValidationError(
            self.response,
            data.decode("utf-8", "replace"),
            message=f"The stream holds a frame that is no event: {first_mistake(error)}",
        )

    def _reported(self, body: object) -> APIError:
        message = f"The stream failed: {describe_body(body)}"
        return APIError(message, self.response.request, body=body, response=self.response)


class Stream(Generic[EventT]):
    """The events of a task as they come; iterate over it, once.

    Leave it early with `close()` or a `with` block; the task goes on (see `tasks.cancel`).
    Iterating raises APIConnectionError (APITimeoutError if the server fell silent) when the
    stream stops before the task has come to its end or to rest, and APIResponseValidationError
    when the server sends what is no event. To go on after that, ask `tasks.events` for the events
    after the last one seen.

    Attributes:
        response: The HTTP response that the events are read from.
    """

    def __init__(self, response: httpx.Response, codec: EventCodec[EventT]) -> None:
        self.response = response
        self._reader = EventReader(response, codec)
        self._events = _read(self._reader)

    @property
    def last_event_id(self) -> str | None:
        """The SSE id of the last event that was handed out, None before the first."""
        return self._reader.last_event_id

    def __iter__(self) -> Iterator[EventT]:
        return self._events

    def __next__(self) -> EventT:
        return next(self._events)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the iteration, if it is going on, ends. The task goes on."""
        self._reader.closed = True
        self.response.close()


def _read(reader: EventReader[EventT]) -> Generator[EventT]:
    # A function of the reader alone: as a method it would tie the stream into a reference cycle.
    failure: Exception | None = None
    try:
        for chunk in reader.response.iter_bytes():
            yield from reader.feed(chunk)
    except TRANSPORT_ERRORS as error:
        failure = reader.interrupted(error)
    else:
        failure = reader.interrupted(None)
    finally:
        reader.response.close()
    if failure is not None:
        try:
            raise failure
        finally:
            del failure  # else the error's traceback leads back to the error


class AsyncStream(Generic[EventT]):
    """The async twin of `Stream`; the same behaviour, the same errors."""

    def __init__(self, response: httpx.Response, codec: EventCodec[EventT]) -> None:
        self.response = response
        self._reader = EventReader(response, codec)
        self._events = _read_async(self._reader)

    @property
    def last_event_id(self) -> str | None:
        """The SSE id of the last event that was handed out, None before the first."""
        return self._reader.last_event_id

    def __aiter__(self) -> AsyncIterator[EventT]:
        return self._events

    async def __anext__(self) -> EventT:
        return await anext(self._events)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; the iteration, if it is going on, ends. The task goes on."""
        self._reader.closed = True
        await self.response.aclose()


async def _read_async(reader: EventReader[EventT]) -> AsyncGenerator[EventT]:
    failure: Exception | None = None
    try:
        async for chunk in reader.response.aiter_bytes():
            for event in reader.feed(chunk):
                yield event
    except TRANSPORT_ERRORS as error:
        failure = reader.interrupted(error)
    else:
        failure = reader.interrupted(None)
    finally:
        await reader.response.aclose()
    if failure is not None:
        try:
            raise failure
        finally:
            del failure
