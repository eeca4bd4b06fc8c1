"""`client.tasks.run(...)`: a task from its creation to its end, with the caller's own tools.

Whenever the task waits for calls of these tools, they are run, side by side, and their results
sent; then it is followed further. A pause by somebody else is waited out. The run returns when the
task has ended, or is input-required for what is not one of the tools (another client's tool, a
person's approval): those calls are still open then.

Whatever goes wrong in a tool becomes its call's result, for the model to read: arguments that do
not fit, an exception (its type and message; the traceback is logged), a time-out. A tool that has
run out of time is left behind: a coroutine is canceled, but a thread can't be stopped and may
still take effect.

A run makes each call once. If the program dies, the same run with the same `task_id` takes the
task up again (see `create`); a tool that had run, but whose result was not sent, is then run
again: see `ToolContext.idempotency_key`.
"""

from __future__ import annotations

import inspect  # async only
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Protocol, TypedDict, cast

from agentlin_client._errors import ConflictError, NotFoundError
from agentlin_client._sentinels import omit
from agentlin_client.types import TaskObject
from agentlin_client.types._envelope import TaskEnvelope
from agentlin_client.types.status import FINAL

from .calls import Toolbox, check_hooks, check_names, decide, outcome_result
from .concurrency import last_word_async, run_all_async
from .outcome import may_exist
from .structured import OutputType
from .task_run import TaskRun

if TYPE_CHECKING:
    from collections.abc import (
        Awaitable,  # async only
        Callable,
        Iterable,
        Mapping,
        Sequence,
    )
    from typing import TypeAlias

    from agentlin_client._async_stream import AsyncStream
    from agentlin_client.types import (
        AgentTaskEvent,
        FunctionToolParam,
        ToolCallItem,
        ToolResultItemParam,
    )

    from .calls import AsyncOnToolCall, OnEvent
    from .functions import ToolSpec

    Events: TypeAlias = AsyncStream[AgentTaskEvent]
    # A task's events, the task in its envelope (where the server answers so), or the task.
    Opened: TypeAlias = Events | TaskEnvelope | TaskObject
    Create: TypeAlias = Callable[..., Awaitable[Events | TaskEnvelope]]  # async only
    Follow: TypeAlias = Callable[..., Awaitable[Events]]  # async only
    Fetch: TypeAlias = Callable[..., Awaitable[TaskEnvelope]]  # async only
    # sync only: Create: TypeAlias = Callable[..., Events | TaskEnvelope]
    # sync only: Follow: TypeAlias = Callable[..., Events]
    # sync only: Fetch: TypeAlias = Callable[..., TaskEnvelope]

__all__ = ["AsyncToolRun", "AsyncToolRunOptions", "AsyncToolTasks", "run"]

_SHARED: Final = ("extra_headers", "extra_query", "timeout")
"""What all requests of a run share."""


class AsyncToolTasks(Protocol):
    """What a run needs of `client.tasks`, as a shape: so this module needs no client."""

    @property
    def create(self) -> Create:
        """Create a task."""
        ...

    @property
    def submit_tool_results(self) -> Create:
        """Answer a task's calls."""
        ...

    @property
    def events(self) -> Follow:
        """Follow a task."""
        ...

    @property
    def retrieve(self) -> Fetch:
        """Fetch a task."""
        ...

    @property
    def cancel(self) -> Fetch:
        """Cancel a task."""
        ...


class AsyncToolRunOptions(TypedDict, total=False):
    """How the calls of a run are answered."""

    tools: Iterable[ToolSpec]
    """Functions, bound methods, partials, `FunctionTool`s, or (function, options); offered to the
    model besides `client_tools`. Blocking functions are run in threads."""

    on_tool_call: AsyncOnToolCall | None
    """Asked about each call before it is run, one after the other, in their order. Returns a
    `ToolCallDecision`: True or None to run it, False to reject it, or an `Approve`, `Reject` or
    `Answer`. If it raises, the run ends with its error."""

    tool_timeout: float | None
    """How long a call may take, in seconds, unless its tool says so itself; by default for ever."""

    max_parallel: int
    """How many calls may run at once, 8 by default. Without an event loop, 1 and no time-outs mean
    that the tools are run by the calling thread."""

    max_rounds: int | None
    """How often calls may be run and answered; asked for more, the run returns, input-required. By
    default as often as the server's own limits allow."""

    on_event: OnEvent | None
    """Called with each event as it comes."""


async def run(
    tasks: AsyncToolTasks,
    *,
    structured_output: object = None,
    cancel_on_close: bool = False,
    **params: Any,
) -> TaskRun[Any]:
    """Create a task, run the calls that it asks its client to make, and follow it to its end.

    Args:
        tasks: `client.tasks`.
        structured_output: What the answer is to look like, see `OutputType.of`.
        cancel_on_close: Cancel the task if the run is left by an error, Ctrl-C or cancellation;
            by default it goes on without this client.
        params: `AsyncToolRunOptions`, and those of `create` but for `stream`.

    Returns:
        The run: `.task`, `.final_text`, `.parsed`, `.raise_for_status()`. A task that failed is
        returned like any other; one that waits for somebody else's answer is input-required.

    Raises:
        TypeError: A tool or a hook can't be one, or `structured_output` has no JSON Schema.
        ValueError: A tool's name is not allowed, or given twice; a limit is out of range.
        APIError: As `create` and `submit_tool_results` raise it. The task is as it is.
    """
    names = AsyncToolRunOptions.__annotations__.keys() & params.keys()
    options = cast("AsyncToolRunOptions", {name: params.pop(name) for name in names})
    shared = {name: params[name] for name in _SHARED if name in params}
    runner = AsyncToolRun(tasks, shared=shared, **options)
    output_type = OutputType[Any].of(structured_output) if structured_output else None
    definitions = [*runner.definitions, *(params.pop("client_tools", None) or ())]
    check_names(definitions)
    task_id = params.get("task_id")
    runner.task_id = task_id if isinstance(task_id, str) else None
    is_created = False
    try:
        opened = await tasks.create(
            stream=True,
            client_tools=definitions or omit,
            structured_output=output_type.schema if output_type else omit,
            **params,
        )
        is_created = True
        task = await runner.follow(opened)
        if params.get("return_rollout"):  # no event shows a task with its rollouts
            task = await runner.retrieved()
    except BaseException as error:
        if cancel_on_close and (is_created or may_exist(error)):
            await last_word_async(runner.cancel)
        raise
    return TaskRun(task, output_type)


class AsyncToolRun:
    """The state of one run: which calls were answered, and how far the events were read.

    Args:
        tasks: `client.tasks`.
        tools: See `AsyncToolRunOptions`, as for all that follow but the last.
        on_tool_call: The hook, None to run every call.
        tool_timeout: In seconds.
        max_parallel: At least 1.
        max_rounds: None for no limit.
        on_event: The hook.
        shared: For each request: `extra_headers`, `extra_query`, `timeout`.

    Raises:
        TypeError: A tool or a hook can't be one.
        ValueError: A tool's name is not allowed, or given twice; a limit is out of range.
    """

    def __init__(
        self,
        tasks: AsyncToolTasks,
        *,
        tools: Iterable[ToolSpec] = (),
        on_tool_call: AsyncOnToolCall | None = None,
        tool_timeout: float | None = None,
        max_parallel: int = 8,
        max_rounds: int | None = None,
        on_event: OnEvent | None = None,
        shared: Mapping[str, Any] | None = None,
    ) -> None:
        if max_parallel < 1:
            raise ValueError(f"max_parallel must be at least 1, not {max_parallel}")
        if max_rounds is not None and max_rounds < 0:
            raise ValueError(f"max_rounds must be at least 0, not {max_rounds}")
        has_loop = True  # async only
        # sync only: has_loop = False
        check_hooks(on_tool_call, on_event, has_loop=has_loop)
        self.task_id: str | None = None  # the caller may know it before the first event does
        self._tasks = tasks
        self._toolbox = Toolbox(tools, has_loop=has_loop)
        self._on_tool_call = on_tool_call
        self._tool_timeout = tool_timeout
        self._max_parallel = max_parallel
        self._rounds_left = max_rounds
        self._on_event = on_event
        self._shared: dict[str, Any] = dict(shared or {})
        self._results: dict[str, ToolResultItemParam] = {}
        self._sent: set[str] = set()
        self._seen: int | None = None  # number of the last event

    @property
    def definitions(self) -> list[FunctionToolParam]:
        """The tools as `client_tools` has them."""
        return self._toolbox.definitions

    async def follow(self, opened: Opened) -> TaskObject:
        """Follow a task, answering its calls, and return it when this client can do no more.

        Args:
            opened: Its events from where the run begins, or the task as it is.
        """
        task = await self._settled(opened)
        while (calls := self._unanswered(task)) and self._rounds_left != 0:
            if self._rounds_left is not None:
                self._rounds_left -= 1
            await self._run(task, [call for call in calls if call.call_id not in self._results])
            task = await self._settled(await self._send(task, calls))
        return task

    async def retrieved(self) -> TaskObject:
        """Fetch the task, with whatever events do not show of it."""
        assert self.task_id is not None
        task = (await self._tasks.retrieve(self.task_id, **self._shared)).unwrap()
        self._seen = task.sequence_number
        return task

    async def cancel(self) -> None:
        """Cancel the task, if its id is known, and it is there and has not ended."""
        if self.task_id is not None:
            with suppress(ConflictError, NotFoundError):
                await self._tasks.cancel(self.task_id)

    def _unanswered(self, task: TaskObject) -> list[ToolCallItem]:
        return [call for call in self._toolbox.pending(task) if call.call_id not in self._sent]

    async def _run(self, task: TaskObject, calls: Sequence[ToolCallItem]) -> None:
        """Run the calls, as far as that is wanted; the results are kept until they are sent."""
        approved: list[ToolCallItem] = []
        for call in calls:
            decided = await self._decided(call)
            if isinstance(decided, dict):
                self._results[call.call_id] = decided
            else:
                approved.append(decided)
        timeout_s = self._tool_timeout
        jobs = [self._toolbox.job(task.id, call, timeout_s=timeout_s) for call in approved]
        outcomes = await run_all_async(jobs, max_parallel=self._max_parallel)
        for call, outcome in zip(approved, outcomes, strict=True):
            self._results[call.call_id] = outcome_result(call, outcome)

    async def _decided(self, call: ToolCallItem) -> ToolCallItem | ToolResultItemParam:
        if self._on_tool_call is None:
            return call
        decision = self._on_tool_call(call)
        if inspect.isawaitable(decision):  # async only
            decision = await decision  # async only
        return decide(call, decision)

    async def _send(self, task: TaskObject, calls: Sequence[ToolCallItem]) -> Opened:
        """Send the results of calls; return what follows, or the task if it can't take them."""
        results = [self._results[call.call_id] for call in calls]
        try:
            opened = await self._tasks.submit_tool_results(
                task.id, tool_results=results, stream=True, **self._shared
            )
        except ConflictError:
            # While the tools ran, the task was canceled, or somebody else answered a call. If so,
            # go on with what the task is now; the results that it still waits for are sent again.
            now = await self.retrieved()
            if [call.call_id for call in self._unanswered(now)] == [c.call_id for c in calls]:
                raise
            return now
        self._sent.update(call.call_id for call in calls)
        return opened

    async def _settled(self, opened: Opened) -> TaskObject:
        """Follow the task until it has ended or waits for an answer."""
        task = await self._read(opened)
        while task.status not in FINAL and task.status != "input-required":
            seen = self._seen
            after = omit if seen is None else seen
            events = await self._tasks.events(
                task.id, starting_after=after, until="final", **self._shared
            )
            task = await self._read(events, until="task.input_required")
            if self._seen == seen:  # a server that has no more to say
                return task
        return task

    async def _read(
        self,
        opened: Opened,
        *,
        until: str | None = None,
    ) -> TaskObject:
        """Read the events to their end, or up to one of type `until`."""
        if isinstance(opened, TaskEnvelope):
            opened = opened.unwrap()
        if isinstance(opened, TaskObject):
            self.task_id = opened.id
            self._seen = opened.sequence_number
            return opened
        last: AgentTaskEvent | None = None
        async with opened as events:
            async for event in events:
                await self._take(event)
                last = event
                if event.type == until:
                    break
        # Every event that ends or rests a task shows the whole of it.
        task = getattr(last, "task", None)
        return task if isinstance(task, TaskObject) else await self.retrieved()

    async def _take(self, event: AgentTaskEvent) -> None:
        self.task_id = getattr(event, "task_id", self.task_id)
        self._seen = getattr(event, "sequence_number", self._seen)  # a lenient client's may lack it
        if self._on_event is not None:
            returned = self._on_event(event)  # async only
            if inspect.isawaitable(returned):  # async only
                await returned  # async only
            # sync only: self._on_event(event)
