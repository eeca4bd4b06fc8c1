"""What `client.tasks` can do beyond the interface's four methods (contract, section 3).

`Tasks` and `AsyncTasks` inherit it; the two classes here are twins, as those are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Unpack, overload

from agentlin_client._events import task_events
from agentlin_client._sentinels import omit
from agentlin_client.types import (
    TaskPauseResponse,
    TaskResumeResponse,
    TaskToolResultsResponse,
)

from ._calls import events_call, list_call, task_call, tool_results_call
from .task_list_response import TaskListResponse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agentlin_client._sentinels import Omit
    from agentlin_client._stream import AsyncStream, Stream
    from agentlin_client._transport import AsyncTransport, SyncTransport
    from agentlin_client.types import AgentTaskEvent, ToolResultItem, ToolResultItemParam
    from agentlin_client.types.status import TaskStatus

    from ._calls import CallOptions


class TaskExtensions:
    """Listing, following, pausing and answering tasks; `Tasks` says what all methods share."""

    def __init__(self, transport: SyncTransport) -> None:
        self._transport = transport

    def pause(self, task_id: str, **options: Unpack[CallOptions]) -> TaskPauseResponse:
        """Pause a task: it rests before its next model call, until `resume`.

        The call returns at once, with `pause_requested` until the task is paused. To pause a
        task again is fine.

        Raises:
            ValueError: `task_id` is empty.
            NotFoundError: There is no such task.
            ConflictError: The task waits for an answer, or has ended.
        """
        return self._transport.fetch(
            task_call("POST", task_id, "pause", **options), TaskPauseResponse
        )

    def resume(self, task_id: str, **options: Unpack[CallOptions]) -> TaskResumeResponse:
        """Let a paused task go on, or withdraw a pause that has not taken effect.

        Raises:
            ValueError: `task_id` is empty.
            NotFoundError: There is no such task.
            ConflictError: The task is not paused, and no pause is asked for.
        """
        return self._transport.fetch(
            task_call("POST", task_id, "resume", **options), TaskResumeResponse
        )

    @overload
    def tool_results(
        self,
        task_id: str,
        *,
        tool_results: Iterable[ToolResultItemParam | ToolResultItem],
        stream: Literal[False] = False,
        background: bool | Omit | None = omit,
        request_id: str | Omit | None = omit,
        **options: Unpack[CallOptions],
    ) -> TaskToolResultsResponse: ...

    @overload
    def tool_results(
        self,
        task_id: str,
        *,
        tool_results: Iterable[ToolResultItemParam | ToolResultItem],
        stream: Literal[True],
        background: bool | Omit | None = omit,
        request_id: str | Omit | None = omit,
        **options: Unpack[CallOptions],
    ) -> Stream[AgentTaskEvent]: ...

    @overload
    def tool_results(
        self,
        task_id: str,
        *,
        tool_results: Iterable[ToolResultItemParam | ToolResultItem],
        stream: bool,
        background: bool | Omit | None = omit,
        request_id: str | Omit | None = omit,
        **options: Unpack[CallOptions],
    ) -> TaskToolResultsResponse | Stream[AgentTaskEvent]: ...

    def tool_results(
        self,
        task_id: str,
        *,
        tool_results: Iterable[ToolResultItemParam | ToolResultItem],
        stream: bool = False,
        background: bool | Omit | None = omit,
        request_id: str | Omit | None = omit,
        **options: Unpack[CallOptions],
    ) -> TaskToolResultsResponse | Stream[AgentTaskEvent]:
        """Answer calls that a task waits for (status input-required); it goes on.

        The calls are `input_required_call_ids` of the task. Some of them may be answered now and
        the others later. To give the same answer again is fine.

        Args:
            task_id: The task.
            tool_results: The answers, e.g. `{"type": "tool_result", "call_id": ...,
                "message_content": "18 degrees", "block_list": []}`, one per call.
            stream: Return the new events as they come, from the answers on.
            background: Return at once; `stream` wins over it.
            request_id: Id of this request; comes back as the envelope's `id`.
            options: See the class.

        Returns:
            With `stream=True` the events; else the task, once it has ended or rests again (or,
            with `background`, at once), in its envelope.

        Raises:
            ValueError: `task_id` is empty.
            NotFoundError: There is no such task.
            UnprocessableEntityError: The task has made no such call.
            ConflictError: The call has another answer already, or the task waits for none.
        """
        body = {
            "tool_results": tool_results,
            "stream": stream,
            "background": background,
            "request_id": request_id,
        }
        call = tool_results_call(task_id, body, **options)
        return self._transport.fetch_or_follow(call, TaskToolResultsResponse, task_events())

    def list(
        self,
        *,
        session_id: str | Omit = omit,
        user_id: str | Omit = omit,
        parent_task_id: str | Omit = omit,
        status: TaskStatus | Sequence[TaskStatus] | Omit = omit,
        limit: int | Omit = omit,
        starting_after: str | Omit = omit,
        ending_before: str | Omit = omit,
        **options: Unpack[CallOptions],
    ) -> TaskListResponse:
        """Fetch one page of tasks, newest first, without their rollouts.

        Args:
            session_id: Only tasks of this session.
            user_id: Only tasks of this user.
            parent_task_id: Only children of this task.
            status: Only tasks with this status, or one of these.
            limit: Size of the page, 1 to 100; 10 by default.
            starting_after: Id of a task: the page right after it, that is of older tasks.
            ending_before: Id of a task: the page right before it, that is of newer tasks.
            options: See the class.

        Raises:
            UnprocessableEntityError: A cursor is no task's id, or the limit is out of range.
        """
        return self._transport.fetch(
            list_call(
                {
                    "session_id": session_id,
                    "user_id": user_id,
                    "parent_task_id": parent_task_id,
                    "status": status,
                    "limit": limit,
                    "starting_after": starting_after,
                    "ending_before": ending_before,
                },
                **options,
            ),
            TaskListResponse,
        )

    def events(
        self,
        task_id: str,
        *,
        starting_after: int | str | Omit = omit,
        until: Literal["final"] | Omit = omit,
        **options: Unpack[CallOptions],
    ) -> Stream[AgentTaskEvent]:
        """Follow the events of a task: first those that have been, then live.

        Args:
            task_id: The task.
            starting_after: Only events after this one: its sequence number, or the
                `last_event_id` of the stream that it came from. By default all.
            until: `final` stays while the task rests (input-required, paused), up to its end.
            options: See the class.

        Returns:
            The events; none if the task is at rest or at its end and all have been seen.

        Raises:
            ValueError: `task_id` is empty.
            NotFoundError: There is no such task.
        """
        return self._transport.follow(
            events_call(task_id, starting_after, until, **options),
            task_events(until_final=until == "final"),
        )


class AsyncTaskExtensions:
    """The async twin of `TaskExtensions`."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def pause(self, task_id: str, **options: Unpack[CallOptions]) -> TaskPauseResponse:
        """Pause a task; see `Tasks.pause`."""
        return await self._transport.fetch(
            task_call("POST", task_id, "pause", **options), TaskPauseResponse
        )

    async def resume(self, task_id: str, **options: Unpack[CallOptions]) -> TaskResumeResponse:
        """Let a paused task go on; see `Tasks.resume`."""
        return await self._transport.fetch(
            task_call("POST", task_id, "resume", **options), TaskResumeResponse
        )

    @overload
    async def tool_results(
        self,
        task_id: str,
        *,
        tool_results: Iterable[ToolResultItemParam | ToolResultItem],
        stream: Literal[False] = False,
        background: bool | Omit | None = omit,
        request_id: str | Omit | None = omit,
        **options: Unpack[CallOptions],
    ) -> TaskToolResultsResponse: ...

    @overload
    async def tool_results(
        self,
        task_id: str,
        *,
        tool_results: Iterable[ToolResultItemParam | ToolResultItem],
        stream: Literal[True],
        background: bool | Omit | None = omit,
        request_id: str | Omit | None = omit,
        **options: Unpack[CallOptions],
    ) -> AsyncStream[AgentTaskEvent]: ...

    @overload
    async def tool_results(
        self,
        task_id: str,
        *,
        tool_results: Iterable[ToolResultItemParam | ToolResultItem],
        stream: bool,
        background: bool | Omit | None = omit,
        request_id: str | Omit | None = omit,
        **options: Unpack[CallOptions],
    ) -> TaskToolResultsResponse | AsyncStream[AgentTaskEvent]: ...

    async def tool_results(
        self,
        task_id: str,
        *,
        tool_results: Iterable[ToolResultItemParam | ToolResultItem],
        stream: bool = False,
        background: bool | Omit | None = omit,
        request_id: str | Omit | None = omit,
        **options: Unpack[CallOptions],
    ) -> TaskToolResultsResponse | AsyncStream[AgentTaskEvent]:
        """Answer calls that a task waits for; see `Tasks.tool_results`."""
        body = {
            "tool_results": tool_results,
            "stream": stream,
            "background": background,
            "request_id": request_id,
        }
        call = tool_results_call(task_id, body, **options)
        return await self._transport.fetch_or_follow(call, TaskToolResultsResponse, task_events())

    async def list(
        self,
        *,
        session_id: str | Omit = omit,
        user_id: str | Omit = omit,
        parent_task_id: str | Omit = omit,
        status: TaskStatus | Sequence[TaskStatus] | Omit = omit,
        limit: int | Omit = omit,
        starting_after: str | Omit = omit,
        ending_before: str | Omit = omit,
        **options: Unpack[CallOptions],
    ) -> TaskListResponse:
        """Fetch one page of tasks, newest first, without their rollouts; see `Tasks.list`."""
        return await self._transport.fetch(
            list_call(
                {
                    "session_id": session_id,
                    "user_id": user_id,
                    "parent_task_id": parent_task_id,
                    "status": status,
                    "limit": limit,
                    "starting_after": starting_after,
                    "ending_before": ending_before,
                },
                **options,
            ),
            TaskListResponse,
        )

    async def events(
        self,
        task_id: str,
        *,
        starting_after: int | str | Omit = omit,
        until: Literal["final"] | Omit = omit,
        **options: Unpack[CallOptions],
    ) -> AsyncStream[AgentTaskEvent]:
        """Follow the events of a task; see `Tasks.events`."""
        return await self._transport.follow(
            events_call(task_id, starting_after, until, **options),
            task_events(until_final=until == "final"),
        )
