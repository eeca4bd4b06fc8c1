"""One call that a task asks its client to make: may it be run, what does it answer. Pure."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from json import dumps
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard, assert_never, cast

from agentlin_client._errors import ToolArgumentsError
from agentlin_client._log import logger
from agentlin_client.types.items import ToolCallItem

from .arguments import code_of, innermost
from .concurrency import Job, Outcome, Raised, Returned, TimedOut
from .contents import to_content
from .functions import FunctionTool, ToolSpec
from .tools import ToolContext

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agentlin_client.types import (
        AgentTaskEvent,
        FunctionToolParam,
        MessageContentParam,
        TaskObject,
        ToolResultItemParam,
    )


@dataclass(frozen=True, slots=True)
class Approve:
    """Run the call.

    Attributes:
        arguments: To be used instead of those that the model wrote: a mapping or JSON text. The
            model is not told. None for the model's own.
    """

    arguments: Mapping[str, Any] | str | None = None


@dataclass(frozen=True, slots=True)
class Reject:
    """Don't run the call; the model goes on without it.

    Attributes:
        message: What the model is told.
    """

    message: str = "The user rejected this call; it was not run."


@dataclass(frozen=True, slots=True)
class Answer:
    """Don't run the call, answer it.

    Attributes:
        content: The answer: anything that a tool may return.
    """

    content: object


ToolCallDecision: TypeAlias = Approve | Reject | Answer | bool | str | None
"""What becomes of a call: True and None are `Approve()`, False `Reject()`, a string an `Answer`."""

OnToolCall: TypeAlias = Callable[[ToolCallItem], ToolCallDecision]
"""Is asked about each call before it is run."""

AsyncOnToolCall: TypeAlias = Callable[
    [ToolCallItem], ToolCallDecision | Awaitable[ToolCallDecision]
]
"""The same, or a coroutine function."""


OnEvent: TypeAlias = "Callable[[AgentTaskEvent], object]"
"""Is called with each event; what it returns is ignored, but awaited by an async client."""


class Toolbox:
    """The tools of a run, by name.

    Args:
        specs: Functions and `FunctionTool`s.
        has_loop: Whether there is an event loop to run async functions in.

    Raises:
        TypeError: One can't be a tool, or is async where there is no event loop.
        ValueError: A name is not allowed, or given twice.
    """

    def __init__(self, specs: Iterable[ToolSpec], *, has_loop: bool) -> None:
        if callable(specs) or isinstance(cast("object", specs), FunctionTool):
            name = str(getattr(specs, "__name__", None) or getattr(specs, "name", ""))
            name = name if name.isidentifier() else "f"
            raise TypeError(f"tools takes a list: tools=[{name}]")
        self._tools: dict[str, FunctionTool] = {}
        for spec in specs:
            tool = FunctionTool.of(spec)
            if tool.name in self._tools:
                raise ValueError(f"two tools are named {tool.name!r}")
            if tool.is_async and not has_loop:
                raise TypeError(f"{tool.name} is an async function: use AsyncClient to run it")
            self._tools[tool.name] = tool

    @property
    def definitions(self) -> list[FunctionToolParam]:
        """The tools as `client_tools` has them."""
        return [tool.definition for tool in self._tools.values()]

    def pending(self, task: TaskObject) -> list[ToolCallItem]:
        """Return the calls that the task waits for and that are calls of these tools."""
        if task.status != "input-required":
            return []
        calls = {item.call_id: item for item in task.output if _is_answerable(item)}
        ids = task.input_required_call_ids
        asked = task.input_required
        if _is_answerable(asked):
            calls.setdefault(asked.call_id, asked)
            ids = ids or [asked.call_id]
        wanted = (calls[call_id] for call_id in ids or () if call_id in calls)
        return [call for call in wanted if call.name in self._tools]

    def job(self, task_id: str, call: ToolCallItem, *, timeout_s: float | None) -> Job:
        """Return the call as a job; `timeout_s` is for tools that have no time-out of their own."""
        tool = self._tools[call.name]
        context = ToolContext(task_id=task_id, call_id=call.call_id)
        return Job(
            run=partial(tool.invoke, _arguments(call), context),
            is_async=tool.is_async,
            timeout_s=timeout_s if tool.timeout is None else tool.timeout,
        )


def _is_answerable(item: object) -> TypeGuard[ToolCallItem]:
    # A lenient client lets through what lacks something; without these no answer finds its way.
    return isinstance(item, ToolCallItem) and all(
        isinstance(getattr(item, field, None), str) for field in ("call_id", "name")
    )


def _arguments(call: ToolCallItem) -> str:
    arguments: object = getattr(call, "arguments", "")
    return arguments if isinstance(arguments, str) else dumps(arguments)


def check_names(definitions: Iterable[object]) -> None:
    """Refuse two tools of one name: nobody could tell whose call it is.

    Raises:
        ValueError: A name is given twice.
    """
    seen: set[str] = set()
    for definition in definitions:
        function = _member(definition, "function")
        name = _member(function, "name")
        if isinstance(name, str) and name in seen:
            raise ValueError(f"two tools are named {name!r}, in tools and client_tools")
        if isinstance(name, str):
            seen.add(name)


def _member(value: object, name: str) -> object:
    if isinstance(value, Mapping):
        return cast("Mapping[str, object]", value).get(name)
    return getattr(value, name, None)


def check_hooks(*hooks: Callable[..., object] | None, has_loop: bool) -> None:
    """Refuse async functions as hooks where there is no event loop to run them in.

    Raises:
        TypeError: One is an async function, or an object whose `__call__` is one.
    """
    for hook in hooks:
        if hook is not None and not has_loop and inspect.iscoroutinefunction(code_of(hook)):
            name = getattr(innermost(hook), "__name__", type(hook).__name__)
            raise TypeError(f"{name} is an async function: use AsyncClient to run it")


def decide(call: ToolCallItem, decision: ToolCallDecision) -> ToolCallItem | ToolResultItemParam:
    """Return the call to run, or the result to give without running it.

    Raises:
        TypeError: It is no decision.
    """
    match decision:
        case True | None | Approve(None):
            return call
        case Approve(arguments):
            text = arguments if isinstance(arguments, str) else dumps(arguments)
            return call.model_copy(update={"arguments": text})
        case False:
            return result_item(call, Reject().message)
        case Reject(message):
            return result_item(call, message)
        case Answer(content):
            return result_item(call, to_content(content))
        case str():
            return result_item(call, decision)
        case _:
            kind = type(decision).__name__
            raise TypeError(f"on_tool_call must return True, False, Approve, ..., not {kind}")


def result_item(call: ToolCallItem, content: MessageContentParam) -> ToolResultItemParam:
    """Return the result of a call, as `submit_tool_results` takes it."""
    return {
        "type": "tool_result",
        "call_id": call.call_id,
        "message_content": content,
        "block_list": [],
    }


def outcome_result(call: ToolCallItem, outcome: Outcome) -> ToolResultItemParam:
    """Return the result of a call that was run; whatever went wrong is told to the model.

    An exception's traceback is for the log alone.
    """
    match outcome:
        case Returned(value):
            try:
                return result_item(call, to_content(value))
            except TypeError as error:
                return result_item(call, _failure(call, error))
        case Raised(ToolArgumentsError() as error):
            logger.info("%s was called with arguments that are not valid", call.name)
            return result_item(call, error.message)
        case Raised(error):
            return result_item(call, _failure(call, error))
        case TimedOut(timeout_s):
            logger.warning("tool %s took longer than %g s", call.name, timeout_s)
            text = f"{call.name} did not answer within {timeout_s:g} s; it may still take effect."
            return result_item(call, text)
        case _:
            assert_never(outcome)


def _failure(call: ToolCallItem, error: BaseException) -> str:
    logger.warning("tool %s failed", call.name, exc_info=error)
    try:
        said = str(error)
    except Exception:  # noqa: BLE001 - it is a tool's own class: its text may fail as it likes
        said = "(no text: its __str__ fails)"
    return f"{call.name} failed: {type(error).__name__}: {said}"
