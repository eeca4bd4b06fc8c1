"""`client.tasks.stream(...)`: a task while it works, as events, as text, and as the task itself."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar

from agentlin_client._errors import (
    ClientError,
    ConflictError,
    NotFoundError,
    TaskResponseError,
)
from agentlin_client._misuse import (
    AsyncContextGuard,
    AsyncIterationGuard,  # async only
)
from agentlin_client.types._envelope import TaskEnvelope

from ._told import ToldText
from .accumulator import TaskAccumulator
from .outcome import may_exist, parsed_answer, raise_for_status

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterator,
        Awaitable,  # async only
        Callable,
    )
    from types import TracebackType
    from typing import Self, TypeAlias

    from agentlin_client.types import AgentTaskEvent, TaskObject

    from .async_sources import AsyncEventStream
    from .structured import OutputType

    Opened: TypeAlias = AsyncEventStream | TaskEnvelope
    Opener: TypeAlias = Callable[[], Awaitable[Opened]]  # async only
    Cancel: TypeAlias = Callable[[str], Awaitable[object]]  # async only
    # sync only: Opener: TypeAlias = Callable[[], Opened]
    # sync only: Cancel: TypeAlias = Callable[[str], object]

__all__ = ["AsyncTaskStream"]

T = TypeVar("T")

_CANCEL_MAX_S = 10.0  # async only
"""How long a canceled scope is held up to cancel a task; servers need a second."""  # async only


# sync only: class TaskStream(ContextGuard, Generic[T]):
class AsyncTaskStream(AsyncContextGuard, AsyncIterationGuard, Generic[T]):  # async only
    """A task that is followed up to its end, or until it waits for its client.

        async with client.tasks.stream(user_message_content="Hello") as stream:
            async for delta in stream.text_deltas:
                print(delta, end="")
            task = await stream.final_task()

    The request is sent when the block is entered, or at the first use without a block.
    There is one stream below: `events`, `text_deltas`, `reasoning_deltas` and the stream itself
    are views of what is left of it, so each goes on where the one before stopped. One reader at
    a time.

    Leaving early, by an error too, closes the connection. The task goes on, unless `cancel` was
    given. To follow it further ask `tasks.events` for what comes after `last_event_id`.
    """

    def __init__(
        self,
        source: AsyncEventStream | Opener,
        *,
        cancel: Cancel | None = None,
        task_id: str | None = None,
        base: TaskObject | None = None,
        output_type: OutputType[T] | None = None,
    ) -> None:
        """Wrap a stream of events, or what opens one.

        Args:
            source: A stream that no one else reads, e.g. an `AsyncStream` of `tasks.events`; or
                a function that makes the request and returns one. Where it returns a task in
                its envelope instead, because the server answered so, there are no events.
            cancel: Called with the task's id if the stream is left before the task has ended
                or rests, e.g. `client.tasks.cancel`; by default the task goes on.
            task_id: Id of the task, if it is known: it is needed to cancel a task that has not
                shown its first event.
            base: The task as it was before the stream's first event, where that is not
                task.created; without it `task` is None until an event shows the whole task.
            output_type: What the answer is to look like, for `parsed`; None if nobody said.
        """
        self._opener = source if callable(source) else None
        self._stream: AsyncEventStream | None = None if callable(source) else source
        self._events: AsyncIterator[AgentTaskEvent] | None = None
        self._is_sent = not callable(source)
        self._is_closed = False
        self._cancel = cancel
        self._given_id = task_id
        self._folded = TaskAccumulator(base)
        self._told = ToldText()
        self._new_text: str | None = None  # what the last event adds to the text
        self._output_type = output_type

    @property
    def events(self) -> AsyncIterator[AgentTaskEvent]:
        """The events that are left, as they come; the same as iterating over the stream itself."""
        return self

    @property
    def text_deltas(self) -> AsyncIterator[str]:
        """The text of the assistant's messages as it grows, piece by piece; no refusals.

        All that it says, also on the way to its answer; `final_text` has the answer alone.

        If a model call breaks off and is made anew (a crash of the server), its text is not told
        twice: what the new attempt repeats is left out. Where it says something else, what was
        shown can't be unsaid: the new text comes from its start, after an empty line, and
        `was_restarted` is True from then on. Who can repaint shows `text` instead.
        """
        return _AsyncDeltas(self, self._text_of)

    @property
    def was_restarted(self) -> bool:
        """Whether some text was shown that does not count: a new attempt said something else."""
        return self._told.was_restarted

    @property
    def reasoning_deltas(self) -> AsyncIterator[str]:
        """The reasoning, or its summary, as it grows, where the model shows it."""
        return _AsyncDeltas(self, self._folded.reasoning_delta)

    @property
    def task(self) -> TaskObject | None:
        """The task as the events read so far show it; None before the first."""
        return self._folded.task

    @property
    def text(self) -> str:
        """The answer so far: as `final_text`, with messages that still grow or that broke off.

        So what was shown stays when the task is canceled or fails, until a later attempt at the
        same model call says it anew.
        """
        return self._folded.text

    @property
    def refusal(self) -> str | None:
        """Why the model refuses to answer, as far as it has said so; None if it does not."""
        return self._folded.refusal

    @property
    def task_id(self) -> str | None:
        """Id of the task; None if it was not given and no event has shown it yet."""
        return self._folded.task_id or self._given_id

    @property
    def last_event_id(self) -> str | None:
        """The SSE id of the last event read, for `tasks.events(starting_after=...)`."""
        return None if self._stream is None else self._stream.last_event_id

    async def until_done(self) -> None:
        """Read on until the task has ended, or waits for its client."""
        async for _ in self:
            pass

    async def final_task(self) -> TaskObject:
        """Read on until the task has ended, or waits for its client, and return it.

        It is returned however it ended: see its `status`, or `lib.raise_for_status`.

        Raises:
            TaskResponseError: The stream was closed before that; `.task` is how far it came.
        """
        await self.until_done()
        task = self.task
        if task is None:
            raise TaskResponseError("the stream has shown no task", error=None)
        if not self._folded.is_at_rest:
            message = f"the stream was closed while task {task.id} was {task.status}"
            raise TaskResponseError(message, error=None, task=task)
        return task

    @property
    async def final_text(self) -> str:
        """Read on until the task has ended, or waits for its client, and return its answer.

        It is a property: `text = await stream.final_text`. What counts as the answer, and what
        does not, is as in `lib.final_text`.

        Raises:
            TaskFailedError: The task failed, expired or was canceled; it is the error's `.task`.
            TaskResponseError: The stream was closed before that.
        """
        return raise_for_status(await self.final_task()).final_text

    @property
    async def parsed(self) -> T:
        """Read on until the task has ended, and return its answer as `structured_output` asked.

        It is a property: `value = await stream.parsed`. None without `structured_output`.

        Raises:
            TaskFailedError: The task failed, expired or was canceled.
            OutputValidationError: There is no answer (yet), the model refuses to give one, or it
                is not one of the type; the error has the `.task`.
            TaskResponseError: The stream was closed before that.
        """
        return parsed_answer(await self.final_task(), self._output_type)

    async def close(self) -> None:
        """Close the connection, from anywhere; the iteration, if it is going on, ends.

        Raises:
            ClientError: The task was to be canceled, and could not be.
        """
        self._is_closed = True
        try:
            if self._stream is not None:
                await self._stream.close()
        finally:
            await self._cancel_unless_at_rest()

    async def aclose(self) -> None:  # async only
        """Close the connection; another name of `close`."""  # async only
        await self.close()  # async only

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AgentTaskEvent:
        events = self._events
        if events is None:
            events = await self._open()
        try:
            event = await anext(events)
        except Exception:
            raise
        except BaseException:
            self._events = None  # a canceled wait ends an iterator, but not the stream
            raise
        self._folded.add(event)
        self._new_text = self._told.take(event, self._folded.text_delta(event))
        return event

    async def __aenter__(self) -> Self:
        if self._events is None:
            await self._open()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self.close()
        except ClientError as error:
            if exc is None:
                raise
            exc.add_note(f"The task {self.task_id} may go on: {error}")

    def __repr__(self) -> str:
        name, status = type(self).__name__, self._folded.status
        return f"{name}(task_id={self.task_id!r}, status={status!r})"

    def _text_of(self, _event: AgentTaskEvent) -> str | None:
        return self._new_text

    async def _open(self) -> AsyncIterator[AgentTaskEvent]:
        stream = self._stream
        if stream is None:
            stream = self._stream = await self._request()
        if self._is_closed:  # before it was opened, or while it was
            await stream.close()
            await self._cancel_unless_at_rest()  # now there is a task, if there was none before
        events = self._events = aiter(stream)
        return events

    async def _request(self) -> AsyncEventStream:
        if self._opener is None or self._is_closed:
            return _AsyncNoEvents()
        self._is_sent = True
        try:
            opened = await self._opener()
        except BaseException as error:
            self._is_sent = may_exist(error)
            try:
                await self._cancel_unless_at_rest()
            except ClientError as failure:
                error.add_note(f"The task {self.task_id} may go on: {failure}")
            raise
        if isinstance(opened, TaskEnvelope):
            self._folded = TaskAccumulator(opened.unwrap())
            return _AsyncNoEvents()
        return opened

    async def _cancel_unless_at_rest(self) -> None:
        cancel, task_id = self._cancel, self.task_id
        if cancel is None or task_id is None or not self._is_sent or self._folded.is_at_rest:
            return
        from anyio import move_on_after  # async only

        # A task that has ended meanwhile needs no cancelling. Nor does one that is gone; but one
        # whose request is on its way may still come.
        with suppress(NotFoundError):
            with suppress(ConflictError):
                # sync only: cancel(task_id)
                with move_on_after(_CANCEL_MAX_S, shield=True) as waiting:  # async only
                    await cancel(task_id)  # async only
                if waiting.cancelled_caught:  # async only
                    message = f"task {task_id} was not canceled in {_CANCEL_MAX_S} s"  # async only
                    raise ClientError(message)  # async only
            self._cancel = None


# sync only: class _Deltas:
class _AsyncDeltas(AsyncIterationGuard):  # async only
    """The deltas of one kind, of the events that are left in a stream."""

    __slots__ = ("_delta_of", "_events")

    def __init__(
        self,
        events: AsyncIterator[AgentTaskEvent],
        delta_of: Callable[[AgentTaskEvent], str | None],
    ) -> None:
        self._events = events
        self._delta_of = delta_of

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        # A class, not a generator: nothing is left to be closed when a reader stops early.
        while True:
            delta = self._delta_of(await anext(self._events))
            if delta is not None:
                return delta


class _AsyncNoEvents:
    """A stream that has nothing to tell."""

    last_event_id: str | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AgentTaskEvent:
        raise StopAsyncIteration

    async def close(self) -> None:
        """Nothing to close."""
