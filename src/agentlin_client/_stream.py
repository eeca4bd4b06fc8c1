# Generated from _async_stream.py by scripts/generate_sync.py: change that one.

"""The shell around `EventReader`: reads the bytes, hands out the events, connects again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ._errors import APIError
from ._interrupt import connect_again, interrupt
from ._misuse import ContextGuard
from ._request import TRANSPORT_ERRORS
from ._response import forget_body

if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Generator,
        Iterator,
    )
    from types import TracebackType
    from typing import Self, TypeAlias

    import httpx

    from ._commands import Steps
    from ._reader import EventReader

    Run: TypeAlias = Callable[[Steps[Any]], object]
    """Performs the commands of a conversation."""

EventT = TypeVar("EventT")


class Stream(ContextGuard, Generic[EventT]):
    """The events of a task as they come; iterate over it, once.

    A connection that breaks, ends early or falls silent is replaced by a new one, up to
    `max_retries` times in a row, which goes on with the event after the last one: no event comes
    twice and none is missing. Where the server can't replay what was missed, a `task.snapshot`
    stands for it. Leaving the stream early, by `close()` or at the end of its `async with`,
    does not stop the task (see `tasks.cancel`).

    Iterating raises APIConnectionError (APITimeoutError if the server fell silent) when
    connecting again does not help, another APIStatusError if the server refuses it, and
    APIResponseValidationError if an event is missing or, with strict validation, invalid.
    """

    def __init__(self, reader: EventReader, run: Run) -> None:
        self._reader = reader
        self._run = run
        self._events: Iterator[EventT] = _read(reader, run)

    @property
    def response(self) -> httpx.Response:
        """The HTTP response that is read at present."""
        return self._reader.response

    @property
    def last_event_id(self) -> str | None:
        """The SSE id of the last event that was handed out, None before the first.

        `tasks.events(task_id, starting_after=...)` goes on after it, also in another process.
        """
        return self._reader.last_event_id

    @property
    def task_id(self) -> str | None:
        """Id of the task, None before its first event has arrived."""
        return self._reader.task_id

    def __iter__(self) -> Iterator[EventT]:
        return self._unbroken()

    def __next__(self) -> EventT:
        return next(self._unbroken())

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
        """Close the connection, from anywhere; the iteration, if it goes on, ends.

        The task goes on.
        """
        self._reader.close()
        interrupt(self._events, self._reader.response)

    def _unbroken(self) -> Iterator[EventT]:
        # A canceled wait for an event ends the generator, but not the stream: whoever waits
        # again, with a new time-out say, must not take the one for the other.
        if self._reader.is_cut:
            self._events = _read(self._reader, self._run)
        return self._events


def _read(reader: EventReader, run: Run) -> Generator[Any]:
    # A function of the reader alone: as a method it would tie the stream into a reference cycle.
    try:
        if reader.is_cut and not reader.is_over(is_cut=True):
            _connect_again(reader, run, reader.resumed())
        while not (reader.closed or reader.is_cut):
            broken: Exception | None = None
            response = reader.response
            try:
                for chunk in _chunks(response):
                    for event in reader.feed(chunk):
                        if reader.closed:
                            return
                        reader.current = event
                        yield event
                    if reader.failure is not None or reader.closed:
                        break
            except TRANSPORT_ERRORS as error:
                broken = error
            finally:
                response.close()
                forget_body(response)
            reader.raise_failure()
            if reader.is_over(is_cut=broken is not None):
                return
            try:
                _connect_again(reader, run, reader.reconnected(broken))
            finally:
                broken = None  # else its traceback leads back to it by this frame
    except BaseException as error:
        reader.left(error)
        raise


def _connect_again(reader: EventReader, run: Run, steps: Steps[Any]) -> None:
    try:
        connect_again(reader, run, steps)
    except APIError:
        if not reader.closed:  # else nobody wants to know
            raise
    finally:
        if reader.closed:
            reader.response.close()


def _chunks(response: httpx.Response) -> Iterator[bytes]:
    # As a rule there is nothing to decompress, and the bytes can come as they are.
    if "content-encoding" in response.headers or response.is_stream_consumed:
        return response.iter_bytes()
    return response.iter_raw()
