"""`client.tasks.wait(...)`: until a task has ended, or waits for its client, without polling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from agentlin_client._errors import TaskResponseError, TaskWaitTimeoutError
from agentlin_client._sentinels import omit
from agentlin_client.types import TaskObject
from agentlin_client.types.status import FINAL, RESTING

from .deadline import within_async

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentlin_client._config import HeaderValues
    from agentlin_client._sentinels import Omit
    from agentlin_client.types import AgentTaskEvent

    from .async_sources import AsyncEventStream, AsyncTaskSource

__all__ = ["wait"]

_LOOK_MAX_S: Final = 5.0
"""How long a look may take that is not to wait for the task."""


async def wait(
    tasks: AsyncTaskSource,
    task_id: str,
    *,
    timeout: float | None = None,
    until: Literal["rest", "final"] = "rest",
    extra_headers: HeaderValues | None = None,
    extra_query: Mapping[str, object] | None = None,
) -> TaskObject:
    """Wait until a task has ended, or waits for its client, and return it as it is then.

    It follows the task's events, so it returns as soon as the server knows; a lost connection
    is made anew. A task that has come so far already costs one request.

    Args:
        tasks: Where the task is, e.g. `client.tasks`.
        task_id: The task.
        timeout: How long to wait, in seconds, whatever the server does; None for as long as it
            takes. 0 only looks whether the task has come so far.
        until: `rest` waits for the end or for a rest (input-required, paused); `final` stays
            through rests, up to the end.
        extra_headers: More headers, for each request.
        extra_query: More query parameters, for each request.

    Returns:
        The task, however it ended: see its `status`.

    Raises:
        ValueError: `task_id` is empty.
        NotFoundError: There is no such task, or it was deleted meanwhile.
        TaskWaitTimeoutError: The time is up. The task goes on.
        TaskResponseError: The server contradicts itself, or answers without a task.
    """
    waiting = _AsyncWaiting(
        tasks, task_id, until=until, extra_headers=extra_headers, extra_query=extra_query
    )
    is_look = timeout is not None and timeout <= 0
    try:
        return await within_async(
            waiting.look if is_look else waiting.follow,
            timeout_s=_LOOK_MAX_S if is_look else timeout,
            stop=waiting.stop,
        )
    except TimeoutError:
        raise TaskWaitTimeoutError(waiting.task, timeout_s=timeout, task_id=task_id) from None


class _AsyncWaiting:
    """One waiting: how far it has come, and the stream that it reads."""

    def __init__(
        self,
        tasks: AsyncTaskSource,
        task_id: str,
        *,
        until: Literal["rest", "final"],
        extra_headers: HeaderValues | None,
        extra_query: Mapping[str, object] | None,
    ) -> None:
        self.task: TaskObject | None = None  # as it was seen last
        self._tasks = tasks
        self._task_id = task_id
        self._ends = FINAL if until == "final" else FINAL | RESTING
        self._until: Literal["final"] | Omit = "final" if until == "final" else omit
        self._extra_headers = extra_headers
        self._extra_query = extra_query
        self._stream: AsyncEventStream | None = None
        self._is_stopped = False

    async def look(self) -> TaskObject:
        """Return the task if it has come so far.

        Raises:
            TimeoutError: It has not.
        """
        task = await self._retrieved()
        if task.status not in self._ends:
            raise TimeoutError
        return task

    async def follow(self) -> TaskObject:
        """Return the task once it has come so far."""
        task = await self._retrieved()
        place = task.sequence_number
        while task.status not in self._ends:
            last = await self._last_event(after=place)
            number: int | None = getattr(last, "sequence_number", None)
            task = await self._retrieved()
            if task.status not in self._ends and _furthest(number, task.sequence_number) == number:
                task = self._shown_by(last) or task  # what is fetched is behind the events
            furthest = _furthest(place, number, task.sequence_number)
            if task.status not in self._ends and furthest == place:
                message = f"there are no more events of task {task.id}, though it is {task.status}"
                raise TaskResponseError(message, error=None, task=task)
            place = furthest
        return task

    async def stop(self) -> None:
        """End the waiting from outside."""
        self._is_stopped = True
        if self._stream is not None:
            await self._stream.close()

    async def _retrieved(self) -> TaskObject:
        envelope = await self._tasks.retrieve(
            self._task_id, extra_headers=self._extra_headers, extra_query=self._extra_query
        )
        task = self.task = envelope.unwrap()
        return task

    def _shown_by(self, event: AgentTaskEvent | None) -> TaskObject | None:
        """Return the task that an event shows, if it has come so far."""
        task = getattr(event, "task", None)
        return task if isinstance(task, TaskObject) and task.status in self._ends else None

    async def _last_event(self, *, after: int | None) -> AgentTaskEvent | None:
        """Read the events to their end; return the last one, None if there was none."""
        stream = self._stream = await self._tasks.events(
            self._task_id,
            starting_after=omit if after is None else after,
            until=self._until,
            extra_headers=self._extra_headers,
            extra_query=self._extra_query,
        )
        last: AgentTaskEvent | None = None
        try:
            if not self._is_stopped:  # else it was too early to be closed by `stop`
                async for event in stream:
                    last = event
        finally:
            await stream.close()
        return last


def _furthest(*places: int | None) -> int | None:
    return max((place for place in places if place is not None), default=None)
