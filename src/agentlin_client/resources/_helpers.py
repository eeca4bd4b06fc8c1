# Generated from _async_helpers.py by scripts/generate_sync.py: change that one.

"""What `client.tasks` does with several calls: stream, run, wait. The work is done in `lib`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar, Unpack, cast, overload

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agentlin_client._config import HeaderValues
    from agentlin_client._transport import Transport
    from agentlin_client.lib.calls import OnEvent, OnToolCall
    from agentlin_client.lib.functions import ToolSpec
    from agentlin_client.lib.structured import OutputSpec
    from agentlin_client.lib.task_run import TaskRun
    from agentlin_client.lib.task_stream import TaskStream
    from agentlin_client.types import TaskObject

    from ._calls import HelperOptions, Message
    from .tasks import Tasks

T = TypeVar("T")


class TaskHelpers:
    """Tasks from their creation to their end; `Tasks` says what all methods share."""

    _transport: Transport  # that of the other methods

    @overload
    def stream(
        self,
        *,
        user_message_content: Message,
        structured_output: OutputSpec[T],
        cancel_on_close: bool = False,
        **params: Unpack[HelperOptions],
    ) -> TaskStream[T]: ...

    @overload
    def stream(
        self,
        *,
        user_message_content: Message,
        structured_output: object = None,
        cancel_on_close: bool = False,
        **params: Unpack[HelperOptions],
    ) -> TaskStream[Any]: ...

    def stream(
        self,
        *,
        user_message_content: Message,
        structured_output: object = None,
        cancel_on_close: bool = False,
        **params: Unpack[HelperOptions],
    ) -> TaskStream[Any]:
        """Create a task and follow it, as events, as text and as the task itself.

            with client.tasks.stream(user_message_content="Hello") as stream:
                for delta in stream.text_deltas:
                    print(delta, end="")
            task = stream.final_task()

        Args:
            user_message_content: What the user says.
            structured_output: What the answer is to look like: a pydantic model, a dataclass, a
                TypedDict or another type (`.parsed` is then a value of it), or a JSON Schema.
            cancel_on_close: Cancel the task if the stream is left before its end; by default it
                goes on.
            params: The other parameters of `create`.

        Returns:
            A context manager; the request is sent when it is entered.

        Raises:
            TypeError: There is no such parameter, or `structured_output` has no JSON Schema.
        """
        from agentlin_client.lib.structured import OutputType
        from agentlin_client.lib.task_stream import TaskStream

        from ._checks import checked_params

        tasks = cast("Tasks", self)
        output_type = OutputType[Any].of(structured_output) if structured_output else None
        params = checked_params(self.stream, params, self._transport.config.default_headers)
        task_id = params.get("task_id")

        def opened() -> Any:
            return tasks.create(
                stream=True,
                user_message_content=user_message_content,
                structured_output=output_type.schema if output_type else None,
                **params,
            )

        return TaskStream(
            opened,
            cancel=tasks.cancel if cancel_on_close else None,
            task_id=task_id if isinstance(task_id, str) else None,
            output_type=output_type,
        )

    @overload
    def run(
        self,
        *,
        user_message_content: Message,
        structured_output: OutputSpec[T],
        tools: Iterable[ToolSpec] = (),
        on_tool_call: OnToolCall | None = None,
        tool_timeout: float | None = None,
        max_parallel: int = 8,
        max_rounds: int | None = None,
        on_event: OnEvent | None = None,
        cancel_on_close: bool = False,
        **params: Unpack[HelperOptions],
    ) -> TaskRun[T]: ...

    @overload
    def run(
        self,
        *,
        user_message_content: Message,
        structured_output: object = None,
        tools: Iterable[ToolSpec] = (),
        on_tool_call: OnToolCall | None = None,
        tool_timeout: float | None = None,
        max_parallel: int = 8,
        max_rounds: int | None = None,
        on_event: OnEvent | None = None,
        cancel_on_close: bool = False,
        **params: Unpack[HelperOptions],
    ) -> TaskRun[Any]: ...

    def run(
        self,
        *,
        user_message_content: Message,
        structured_output: object = None,
        tools: Iterable[ToolSpec] = (),
        on_tool_call: OnToolCall | None = None,
        tool_timeout: float | None = None,
        max_parallel: int = 8,
        max_rounds: int | None = None,
        on_event: OnEvent | None = None,
        cancel_on_close: bool = False,
        **params: Unpack[HelperOptions],
    ) -> TaskRun[Any]:
        """Create a task, run the calls that it asks its client to make, and return its end.

            def weather(city: str) -> str:
                "Tell the weather of a city."
                return "18 degrees"

            run = client.tasks.run(user_message_content="Warm in Rome?", tools=[weather])
            print(run.final_text)

        Whenever the task waits for calls of `tools`, they are run, side by side, and their
        results sent. Whatever goes wrong in a tool becomes its call's result, for the model to
        read. `lib.tool_run` has all the details.

        Args:
            user_message_content: What the user says.
            structured_output: What the answer is to look like: a pydantic model, a dataclass, a
                TypedDict or another type (`.parsed` is then a value of it), or a JSON Schema.
            tools: Python functions; schemas come from their signatures and docstrings.
            on_tool_call: Asked about each call before it is run; see `lib.ToolCallDecision`.
            tool_timeout: How long a call may take, in seconds.
            max_parallel: How many calls may run at once.
            max_rounds: How often calls may be run and answered; no limit by default.
            on_event: Called with each event.
            cancel_on_close: Cancel the task if the run is left by an error.
            params: The other parameters of `create`.

        Returns:
            The run, however the task ended; input-required if it waits for somebody else.
        """
        from agentlin_client.lib.tool_run import run

        from ._checks import checked_params

        return run(
            cast("Tasks", self),
            tools=tools,
            on_tool_call=on_tool_call,
            tool_timeout=tool_timeout,
            max_parallel=max_parallel,
            max_rounds=max_rounds,
            on_event=on_event,
            structured_output=structured_output,
            cancel_on_close=cancel_on_close,
            user_message_content=user_message_content,
            **checked_params(self.run, params, self._transport.config.default_headers),
        )

    def wait(
        self,
        task_id: str,
        *,
        timeout: float | None = None,
        until: Literal["rest", "final"] = "rest",
        extra_headers: HeaderValues | None = None,
        extra_query: Mapping[str, object] | None = None,
    ) -> TaskObject:
        """Wait until a task has ended, or waits for its client, and return it.

        It follows the events, so it returns as soon as the server knows. A task that has come so
        far already costs one request.

        Args:
            task_id: The task.
            timeout: How long to wait, in seconds; None for as long as it takes.
            until: `final` stays while the task rests (input-required, paused), up to its end.
            extra_headers: More headers, for each request.
            extra_query: More query parameters, for each request.

        Returns:
            The task, however it ended: see its `status`.

        Raises:
            ValueError: `task_id` is empty.
            NotFoundError: There is no such task, or it was deleted meanwhile.
            TaskWaitTimeoutError: The time is up. The task goes on.
        """
        from agentlin_client.lib.wait import wait

        return wait(
            cast("Tasks", self),
            task_id,
            timeout=timeout,
            until=until,
            extra_headers=extra_headers,
            extra_query=extra_query,
        )
