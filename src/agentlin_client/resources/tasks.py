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

        The call carries an idempotency key: however often it has to be sent, there is one task.
        What is left out, or `omit`, is not sent. `types.TaskCreateParams` says more of each.

        Args:
            stream: True returns the events as they come; False waits, then returns the task.
            user_message_content: What the user says: text, a file, or a list of such.
            agent_config: The agent; else the one of `client_id`, else the server's own.
            allowed_subagents: Sub-agents that may be run; [] means none, ["*"] all.
            allowed_tools: Tools that may be used; [] means none, ["*"] all.
            background: Answer at once, while the task runs on; `stream` wins over it.
            client_id: The client program, and the agent that serves it.
            client_tools: Tools that you run yourself: the task asks for their results.
            disallowed_tools: Tools that must not be used; wins over everything.
            env: Values for {{NAME}} in prompts and code, and for the code interpreter.
            history_messages: Turns before the user message: items, or OpenAI chat messages.
            include_compress_model_rollout: Rollouts of compression calls, too.
            include_subagent_rollout: Rollouts of sub-agents, too.
            inference_args: Arguments of the model (temperature...), merged over the agent's.
            log_dir: Folder of the server that gets `<task_id>.events.jsonl` at the end.
            metadata: Shown on the task as it is.
            on_busy: If the session is busy: wait ("enqueue"), refuse (409), or cancel it.
            request_id: Id of this request; comes back as the envelope's `id`.
            require_approval: Calls that a person must approve.
            return_rollout: Put every model call on the stream and in `rollouts`.
            rollout_save_dir: Folder of the server in which rollouts are appended to a file.
            session_id: Session that the task belongs to; a new one by default.
            stop_tools: Tools whose call ends the task as completed.
            structured_output: What the answer must be: a type, or a JSON Schema.
            task_id: Id for the task; made here by default. The same again is the same task.
            thought_messages: Turns after the user message, with which the agent goes on.
            timeout_s: Seconds, but those spent at rest, after which the task expires.
            user_id: User that the task works for; the session's by default.
            webhook_url: Where to report what becomes of the task.
            workspace_dir: Folder of the server that the agent's file tools see.
            extra_headers: Headers to add; `omit` as a value leaves one out.
            extra_query: Query parameters to add.
            extra_body: Fields to add to the body; they win over the others.
            timeout: Of the HTTP request, in seconds, or an `httpx.Timeout`.

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

        call = create_call(params, self._transport.config.default_headers)
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
