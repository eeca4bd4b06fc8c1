"""`client.tasks.wait(...)`: until a task has ended, or waits for its client, without polling."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Literal

from agentlin_client._errors import TaskResponseError, TaskWaitTimeoutError
from agentlin_client._sentinels import omit
from agentlin_client.types.status import FINAL, RESTING

from .last_event import last_event_async

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentlin_client._config import HeaderValues
    from agentlin_client.types import TaskObject

    from .async_sources import AsyncTaskSource

__all__ = ["wait"]


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
        timeout: How long to wait, in seconds; None waits for as long as it takes. A request
            that the server does not answer is bounded by the client's own time-out.
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
    deadline = None if timeout is None else monotonic() + timeout
    ends = FINAL if until == "final" else FINAL | RESTING
    task = await _retrieved(tasks, task_id, extra_headers, extra_query)
    while task.status not in ends:
        number = task.sequence_number
        events = await tasks.events(
            task_id,
            starting_after=omit if number is None else number,
            until="final" if until == "final" else omit,
            extra_headers=extra_headers,
            extra_query=extra_query,
        )
        try:
            left = None if deadline is None else deadline - monotonic()
            last = await last_event_async(events, timeout_s=left)
        except TimeoutError:
            raise TaskWaitTimeoutError(task, timeout_s=timeout) from None
        task = await _retrieved(tasks, task_id, extra_headers, extra_query)
        if last is None and task.status not in ends:
            message = f"there are no more events of task {task_id}, though it is {task.status}"
            raise TaskResponseError(message, error=None, task=task)
    return task


async def _retrieved(
    tasks: AsyncTaskSource,
    task_id: str,
    extra_headers: HeaderValues | None,
    extra_query: Mapping[str, object] | None,
) -> TaskObject:
    envelope = await tasks.retrieve(task_id, extra_headers=extra_headers, extra_query=extra_query)
    return envelope.unwrap()
