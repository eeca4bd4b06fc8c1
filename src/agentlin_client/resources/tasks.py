# Generated from async_tasks.py by scripts/generate_sync.py: change that one.

"""`client.tasks`: the methods of the Tasks API (contract, sections 1 to 3).

The four of the interface are here; `_extensions` adds those that are ours, and
`_helpers` what takes several calls.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Literal, Unpack, overload

from agentlin_client._sentinels import not_given, omit

from ._calls import create_call, task_call
from ._extensions import TaskExtensions
from ._helpers import TaskHelpers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from os import PathLike
    from typing import Any

    from agentlin_client._call import CallOptions
    from agentlin_client._config import HeaderValues, TimeoutTypes
    from agentlin_client._sentinels import NotGiven, Omit
    from agentlin_client._stream import Stream
    from agentlin_client.types import (
        AgentConfig,
        AgentTaskEvent,
        TaskCancelResponse,
        TaskCreateResponse,
        TaskCreateTool,
        TaskDeleteResponse,
        TaskRetrieveResponse,
    )

    from ._calls import CreateOptions, Message, OnBusy, Turn
    from ._raw_tasks import TasksWithRawResponse, TasksWithStreamingResponse


class Tasks(TaskExtensions, TaskHelpers):
    """The tasks of a server, as `client.tasks.<method>(...)`.

    Besides its own parameters every method takes `extra_headers`, `extra_query`, `extra_body` and
    `timeout` (seconds, or an `httpx.Timeout`), for this call only.

    Every method raises APIConnectionError (APITimeoutError) if the server can't be reached, an
    APIStatusError by the answer's status, and APIResponseValidationError if the answer is not of
    the protocol; see `agentlin_client` for the classes. Failures worth it are retried first.
    """

    @overload
    def create(
        self,
        *,
        stream: Literal[False],
        user_message_content: Message,
        **params: Unpack[CreateOptions],
    ) -> TaskCreateResponse: ...

    @overload
    def create(
        self,
        *,
        stream: Literal[True],
        user_message_content: Message,
        **params: Unpack[CreateOptions],
    ) -> Stream[AgentTaskEvent]: ...

    @overload
    def create(
        self,
        *,
        stream: bool,
        user_message_content: Message,
        **params: Unpack[CreateOptions],
    ) -> TaskCreateResponse | Stream[AgentTaskEvent]: ...

    def create(
        self,
        *,
        stream: bool,
        user_message_content: Message,
        agent_config: AgentConfig | Omit | None = omit,
        allowed_subagents: Sequence[str] | Omit | None = omit,
        allowed_tools: Sequence[str] | Omit | None = omit,
        background: bool | Omit | None = omit,
        client_id: str | Omit | None = omit,
        client_tools: Iterable[TaskCreateTool] | Omit | None = omit,
        disallowed_tools: Sequence[str] | Omit | None = omit,
        env: Mapping[str, str] | Omit | None = omit,
        history_messages: Iterable[Turn] | Omit | None = omit,
        include_compress_model_rollout: bool | Omit | None = omit,
        include_subagent_rollout: bool | Omit | None = omit,
        inference_args: Mapping[str, Any] | Omit | None = omit,
        log_dir: str | PathLike[str] | Omit | None = omit,
        metadata: Mapping[str, Any] | Omit | None = omit,
        on_busy: OnBusy | Omit | None = omit,
        request_id: str | Omit | None = omit,
        require_approval: object = omit,
        return_rollout: bool | Omit | None = omit,
        rollout_save_dir: str | PathLike[str] | Omit | None = omit,
        session_id: str | Omit | None = omit,
        stop_tools: Sequence[str] | Omit | None = omit,
        structured_output: object = omit,
        task_id: str | Omit | None = omit,
        thought_messages: Iterable[Turn] | Omit | None = omit,
        timeout_s: float | Omit | None = omit,
        user_id: str | Omit | None = omit,
        webhook_url: str | Omit | None = omit,
        workspace_dir: str | PathLike[str] | Omit | None = omit,
        extra_headers: HeaderValues | None = None,
        extra_query: Mapping[str, object] | None = None,
        extra_body: Mapping[str, object] | None = None,
        timeout: TimeoutTypes | NotGiven = not_given,
    ) -> TaskCreateResponse | Stream[AgentTaskEvent]:
        """Create a task and follow it, or wait for it.

        `types.TaskCreateParams` says what each parameter means. The call carries an idempotency
        key: however often it has to be sent, there is one task.

        Returns:
            With `stream=True` the events as they come, from the first on. With `stream=False`
            the task, once it has ended or rests (or, with `background`, at once), in its
            envelope: see its `unwrap()`. If the server answers in the other form, you get that.

        Raises:
            UnprocessableEntityError: A parameter is invalid; `.data` says which and why.
            BadRequestError: A parameter's feature is not available on this server.
            ConflictError: The task's id, or the session, is taken.
            RateLimitError: The server's queue is full.
        """
        params = {name: value for name, value in locals().items() if name != "self"}
        from agentlin_client.types import TaskCreateResponse

        call = create_call(params)
        return self._transport.fetch_or_follow(call, TaskCreateResponse)

    def retrieve(self, task_id: str, **options: Unpack[CallOptions]) -> TaskRetrieveResponse:
        """Fetch a task: what its events so far add up to, open items included.

        Raises:
            ValueError: `task_id` is empty.
            NotFoundError: There is no such task.
        """
        from agentlin_client.types import TaskRetrieveResponse

        return self._transport.fetch(task_call("GET", task_id, **options), TaskRetrieveResponse)

    def delete(self, task_id: str, **options: Unpack[CallOptions]) -> TaskDeleteResponse:
        """Delete a task with its events and files; it is canceled first if it is going on.

        Returns:
            The task as it was last.

        Raises:
            ValueError: `task_id` is empty.
            NotFoundError: There is no such task.
        """
        from agentlin_client.types import TaskDeleteResponse

        return self._transport.fetch(task_call("DELETE", task_id, **options), TaskDeleteResponse)

    def cancel(self, task_id: str, **options: Unpack[CallOptions]) -> TaskCancelResponse:
        """Cancel a task; it stops within a second. To cancel a canceled task again is fine.

        Returns:
            The canceled task.

        Raises:
            ValueError: `task_id` is empty.
            NotFoundError: There is no such task.
            ConflictError: The task has ended in another way.
        """
        from agentlin_client.types import TaskCancelResponse

        return self._transport.fetch(
            task_call("POST", task_id, "cancel", **options), TaskCancelResponse
        )

    @cached_property
    def with_raw_response(self) -> TasksWithRawResponse:
        """The same methods, giving the answer with its headers: see `APIResponse`."""
        from agentlin_client._raw_transport import raw_transport

        from ._raw_tasks import TasksWithRawResponse

        return TasksWithRawResponse(Tasks(raw_transport(self._transport)))

    @cached_property
    def with_streaming_response(self) -> TasksWithStreamingResponse:
        """The same methods, to be entered, giving the answer before its body is read."""
        from agentlin_client._raw_transport import raw_transport

        from ._raw_tasks import TasksWithStreamingResponse

        tasks = Tasks(raw_transport(self._transport, keep_open=True))
        return TasksWithStreamingResponse(tasks)
