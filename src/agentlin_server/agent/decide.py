"""What comes next: a pure decision over the state of the loop. The engine performs it."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model made and that has no result yet."""

    call_id: str
    name: str
    arguments: str


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


@dataclass(frozen=True, slots=True)
class CallModel:
    """Ask the model, as `agent_step` = `step`."""

    step: int


@dataclass(frozen=True, slots=True)
class RunTools:
    """Run these calls, then look again."""

    calls: tuple[ToolCall, ...]


@dataclass(frozen=True, slots=True)
class Finish:
    """The last call answered: the task is completed."""


@dataclass(frozen=True, slots=True)
class Fail:
    """The task can't go on; `error` is its JSON-RPC error."""

    error: dict[str, Any]


Command = CallModel | RunTools | Finish | Fail


def next_command(progress: Progress) -> Command:
    """Return what the engine does now."""
    if progress.pending:
        return RunTools(progress.pending)
    if progress.step > 0 and not progress.called_tools:
        return Finish()
    if progress.step >= progress.step_max:
        return Fail(step_limit_error(progress.step_max))
    return CallModel(progress.step + 1)


def step_limit_error(step_max: int) -> dict[str, Any]:
    """Return the error of a task that made as many model calls as it may."""
    return {
        "code": -32000,
        "message": f"The task made {step_max} model calls without coming to an answer.",
        "data": {"budget": {"name": "steps", "limit": step_max}},
    }
