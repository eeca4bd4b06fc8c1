"""What `client.tasks` can do beyond the interface's four methods (contract, section 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Unpack, overload

from agentlin_client._sentinels import omit

from ._calls import events_call, list_call, number_of, task_call, tool_results_call

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agentlin_client._async_stream import AsyncStream
    from agentlin_client._async_transport import AsyncTransport
    from agentlin_client._call import CallOptions
    from agentlin_client._sentinels import Omit
    from agentlin_client.types import (
        AgentTaskEvent,
        TaskPauseResponse,
        TaskResumeResponse,
        TaskRetrieveResponse,
        TaskToolResultsResponse,
    )
    from agentlin_client.types.status import TaskStatus

    from ._calls import ToolAnswer
    from ._pager import AsyncTaskPager  # async only
    # sync only: from .task_pages import TaskPage


class AsyncTaskExtensions:
    """Listing, following, pausing and answering tasks; `Tasks` says what all methods share."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def info(self, task_id: str, **options: Unpack[CallOptions]) -> TaskRetrieveResponse:
        """Fetch a task: another name of `retrieve`.

        Raises:
            ValueError: `task_id` is empty.
            NotFoundError: There is no such task.
        """
        from agentlin_client.types import TaskRetrieveResponse

        return await self._transport.fetch(
            task_call("GET", task_id, **options), TaskRetrieveResponse
        )

    async def pause(self, task_id: str, **options: Unpack[CallOptions]) -> TaskPauseResponse:
        """Pause a task: it rests before its next model call, until `resume`.

        The call returns at once, with `pause_requested` until the task is paused. To pause a
        task again is fine.

        Raises:
            ValueError: `task_id` is empty.
            NotFoundError: There is no such task.
            ConflictError: The task waits for an answer, or has ended.
        """
        from agentlin_client.types import TaskPauseResponse

        return await self._transport.fetch(
            task_call("POST", task_id, "pause", **options), TaskPauseResponse
        )

    async def resume(self, task_id: str, **options: Unpack[CallOptions]) -> TaskResumeResponse:
        """Let a paused task go on, or withdraw a pause that has not taken effect.

        Raises:
            ValueError: `task_id` is empty.
            NotFoundError: There is no such task.
            ConflictError: The task is not paused, and no pause is asked for.
        """
        from agentlin_client.types import TaskResumeResponse

        return await self._transport.fetch(
            task_call("POST", task_id, "resume", **options), TaskResumeResponse
        )

    @overload
    async def submit_tool_results(
        self,
        task_id: str,
        *,
        tool_results: Iterable[ToolAnswer],
        stream: Literal[False] = False,
        background: bool | Omit | None = omit,
        request_id: str | Omit | None = omit,
        **options: Unpack[CallOptions],
    ) -> TaskToolResultsResponse: ...

    @overload
    async def submit_tool_results(
        self,
        task_id: str,
        *,
        tool_results: Iterable[ToolAnswer],
        stream: Literal[True],
        background: bool | Omit | None = omit,
        request_id: str | Omit | None = omit,
        **options: Unpack[CallOptions],
    ) -> AsyncStream[AgentTaskEvent]: ...

    @overload
    async def submit_tool_results(
        self,
        task_id: str,
        *,
        tool_results: Iterable[ToolAnswer],
        stream: bool,
        background: bool | Omit | None = omit,
        request_id: str | Omit | None = omit,
        **options: Unpack[CallOptions],
    ) -> TaskToolResultsResponse | AsyncStream[AgentTaskEvent]: ...

    async def submit_tool_results(
        self,
        task_id: str,
        *,
        tool_results: Iterable[ToolAnswer],
        stream: bool = False,
        background: bool | Omit | None = omit,
        request_id: str | Omit | None = omit,
        **options: Unpack[CallOptions],
    ) -> TaskToolResultsResponse | AsyncStream[AgentTaskEvent]:
        """Answer calls that a task waits for (status input-required); it goes on.

        The calls are `input_required_call_ids` of the task. Some of them may be answered now and
        the others later. To give the same answer again is fine.

        Args:
            task_id: The task.
            tool_results: The answers, one per call, e.g. `{"call_id": call.call_id,
                "message_content": "18 degrees"}`; with `block_list`, what a screen shows.
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
        from agentlin_client.types import TaskToolResultsResponse

        body = {
            "tool_results": [*tool_results],
            "stream": stream,
            "background": background,
            "request_id": request_id,
        }
        call = tool_results_call(task_id, body, **options)
        return await self._transport.fetch_or_follow(call, TaskToolResultsResponse)

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
    ) -> AsyncTaskPager:  # async only
        # sync only: ) -> TaskPage:
        """List tasks, newest first, without their rollouts.

        Iterating gives all tasks, page after page as they are needed;
        `(await client.tasks.list()).result` are those of the first page.

        Args:
            session_id: Only tasks of this session.
            user_id: Only tasks of this user.
            parent_task_id: Only children of this task.
            status: Only tasks with this status, or one of these.
            limit: Size of the pages, 1 to 100; 10 by default.
            starting_after: Id of a task: begin right after it, that is with older tasks.
            ending_before: Id of a task: the page right before it, that is of newer tasks, and
                from there on to ever newer ones.
            options: See the class.

        Raises:
            UnprocessableEntityError: A cursor is no task's id, or the limit is out of range.
        """
        filters = {
            "session_id": session_id,
            "user_id": user_id,
            "parent_task_id": parent_task_id,
            "status": status,
            "limit": limit,
            "starting_after": starting_after,
            "ending_before": ending_before,
        }
        call = list_call(filters, **options)
        from ._pager import AsyncTaskPager  # async only

        return AsyncTaskPager(self._transport, call)  # async only
        # sync only: from .task_pages import TaskPage
        # sync only:
        # sync only: return TaskPage.fetch(self._transport, call)

    async def events(
        self,
        task_id: str,
        *,
        starting_after: int | str | Omit | None = omit,
        until: Literal["final"] | Omit = omit,
        **options: Unpack[CallOptions],
    ) -> AsyncStream[AgentTaskEvent]:
        """Follow the events of a task: first those that have been, then live.

        Args:
            task_id: The task.
            starting_after: Only events after this one: its sequence number, or the
                `last_event_id` of the stream that it came from. By default, and with None, all.
            until: `final` stays while the task rests (input-required, paused), up to its end.
            options: See the class.

        Returns:
            The events; none if the task is at rest or at its end and all have been seen.

        Raises:
            ValueError: `task_id` is empty.
            NotFoundError: There is no such task.
        """
        return await self._transport.follow(
            events_call(task_id, starting_after, until, **options),
            until_final=until == "final",
            after=number_of(starting_after),
        )
