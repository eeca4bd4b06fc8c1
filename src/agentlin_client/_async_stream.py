"""The shell around `EventReader`: reads the bytes, hands out the events, connects again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ._errors import APIError
from ._interrupt import connect_again_async, interrupt_async
from ._misuse import AsyncContextGuard
from ._request import TRANSPORT_ERRORS
from ._response import forget_body

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Awaitable,  # async only
        Callable,
    )
    from types import TracebackType
    from typing import Self, TypeAlias

    import httpx

    from ._commands import Steps
    from ._reader import EventReader

    Run: TypeAlias = Callable[[Steps[Any]], Awaitable[object]]  # async only
    # sync only: Run: TypeAlias = Callable[[Steps[Any]], object]
    """Performs the commands of a conversation."""

EventT = TypeVar("EventT")


class AsyncStream(AsyncContextGuard, Generic[EventT]):
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
        self._events: AsyncIterator[EventT] = _read(reader, run)

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

    def __aiter__(self) -> AsyncIterator[EventT]:
        return self._unbroken()

    async def __anext__(self) -> EventT:
        return await anext(self._unbroken())

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
        """Close the connection, from anywhere; the iteration, if it goes on, ends.

        The task goes on.
        """
        self._reader.close()
        await interrupt_async(self._events, self._reader.response)

    async def aclose(self) -> None:  # async only
        """Do the same as `close`; the name that `contextlib.aclosing` looks for."""  # async only
        await self.close()  # async only

    def _unbroken(self) -> AsyncIterator[EventT]:
        # A canceled wait for an event ends the generator, but not the stream: whoever waits
        # again, with a new time-out say, must not take the one for the other.
        if self._reader.is_cut:
            self._events = _read(self._reader, self._run)
        return self._events


async def _read(reader: EventReader, run: Run) -> AsyncGenerator[Any]:
    # A function of the reader alone: as a method it would tie the stream into a reference cycle.
    try:
        if reader.is_cut and not reader.is_over(is_cut=True):
            await _connect_again(reader, run, reader.resumed())
        while not (reader.closed or reader.is_cut):
            broken: Exception | None = None
            response = reader.response
            try:
                async for chunk in _chunks(response):
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
                await response.aclose()
                forget_body(response)
            reader.raise_failure()
            if reader.is_over(is_cut=broken is not None):
                return
            try:
                await _connect_again(reader, run, reader.reconnected(broken))
            finally:
                broken = None  # else its traceback leads back to it by this frame
    except BaseException as error:
        reader.left(error)
        raise


async def _connect_again(reader: EventReader, run: Run, steps: Steps[Any]) -> None:
    try:
        await connect_again_async(reader, run, steps)
    except APIError:
        if not reader.closed:  # else nobody wants to know
            raise
    finally:
        if reader.closed:
            await reader.response.aclose()


def _chunks(response: httpx.Response) -> AsyncIterator[bytes]:
    # As a rule there is nothing to decompress, and the bytes can come as they are.
    if "content-encoding" in response.headers or response.is_stream_consumed:
        return response.aiter_bytes()
    return response.aiter_raw()
