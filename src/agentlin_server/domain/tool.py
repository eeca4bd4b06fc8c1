"""The port to a tool: what a call needs, what it gives, and what may happen if it runs twice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol


class Effect(StrEnum):
    """What a tool does to the world; decides whether recovery may run a call again."""

    READ = "read"
    """Nothing: it only looks."""
    IDEMPOTENT = "idempotent"
    """The same once or twice, given the same idempotency key."""
    UNSAFE = "unsafe"
    """Something that must not happen twice: it runs at most once."""

    @property
    def is_repeatable(self) -> bool:
        """True if a call that was cut off may be run again."""
        return self is not Effect.UNSAFE


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolInvocation:
    """One call, as a tool gets it.

    Attributes:
        task_id: The task that calls.
        call_id: The call; unique within the task.
        arguments: Decoded, not checked against the tool's schema.
    """

    task_id: str
    call_id: str
    arguments: Mapping[str, Any]

    @property
    def idempotency_key(self) -> str:
        """The same for every execution of this call (contract, section 4, Crash)."""
        return idempotency_key(self.task_id, self.call_id)


def idempotency_key(task_id: str, call_id: str) -> str:
    """Return `task_id:call_id`."""
    return f"{task_id}:{call_id}"


class Tool(Protocol):
    """Something that runs on the server when the model calls it."""

    @property
    def name(self) -> str:
        """What the model calls it by."""
        ...

    @property
    def description(self) -> str:
        """What it does and when to call it, for the model."""
        ...

    @property
    def parameters(self) -> Mapping[str, Any]:
        """JSON Schema of its arguments."""
        ...

    @property
    def effect(self) -> Effect:
        """What it does to the world."""
        ...

    async def run(self, call: ToolInvocation) -> Sequence[Mapping[str, Any]]:
        """Do it, and return the result as content blocks, e.g. `[{"type": "text", "text": "3"}]`.

        It may be canceled at any await. Whatever it raises becomes the result that the model
        reads; the task goes on.
        """
        ...
