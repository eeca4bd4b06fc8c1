"""What comes next: a pure decision over the state of the loop. The engine performs it."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any

from agentlin_server.domain.events import Json


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model made: its tool_call item, done."""

    item: Json

    @property
    def call_id(self) -> str:
        """The call's id, unique in the task."""
        return self.item["call_id"]

    @property
    def name(self) -> str:
        """The tool that is called."""
        return self.item["name"]

    @property
    def arguments(self) -> str:
        """JSON text."""
        return self.item["arguments"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a task is.

    Attributes:
        step: Model calls made so far that finished, 0 at the start; the current `agent_step`.
        step_max: Most model calls that the task may make.
        called_tools: True if the last call made tool calls.
        pending: Those of its tool calls that have no result yet.
    """

    step: int
    step_max: int
    called_tools: bool = False
    pending: tuple[ToolCall, ...] = ()

    def without(self, answered: Collection[str]) -> "Progress":
        """Return the progress once these calls have their results."""
        left = tuple(call for call in self.pending if call.call_id not in answered)
        return replace(self, pending=left)


@dataclass(frozen=True, slots=True)
class CallModel:
    """Ask the model, as `agent_step` = `step`."""

    step: int


@dataclass(frozen=True, slots=True)
class RunTools:
    """Run these calls, then look again."""

    calls: tuple[ToolCall, ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """Rest until the client has answered these calls."""

    calls: tuple[ToolCall, ...]


@dataclass(frozen=True, slots=True)
class Pause:
    """Rest until the client resumes the task."""


@dataclass(frozen=True, slots=True)
class Yield:
    """Give the task back to the queue."""


@dataclass(frozen=True, slots=True)
class Finish:
    """The last call answered: the task is completed."""


@dataclass(frozen=True, slots=True)
class Fail:
    """The task can't go on; `error` is its JSON-RPC error."""

    error: dict[str, Any]


Command = CallModel | RunTools | Ask | Pause | Yield | Finish | Fail


def next_command(
    progress: Progress,
    *,
    is_client_tool: Callable[[str], bool],
    is_pause_wanted: bool = False,
    is_yield_wanted: bool = False,
) -> Command:
    """Return what the engine does now.

    A pause and a yield take effect before the next model call, after all results of the step
    (contract, section 4); an end, or a question to the client, that is reached first wins.
    """
    if progress.pending:
        own = tuple(call for call in progress.pending if not is_client_tool(call.name))
        return RunTools(own) if own else Ask(progress.pending)
    if progress.step > 0 and not progress.called_tools:
        return Finish()
    if progress.step >= progress.step_max:
        return Fail(step_limit_error(progress.step_max))
    if is_pause_wanted:
        return Pause()
    return Yield() if is_yield_wanted else CallModel(progress.step + 1)


def step_limit_error(step_max: int) -> dict[str, Any]:
    """Return the error of a task that made as many model calls as it may."""
    return {
        "code": -32000,
        "message": f"The task made {step_max} model calls without coming to an answer.",
        "data": {"budget": {"name": "steps", "limit": step_max}},
    }
