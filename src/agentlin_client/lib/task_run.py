"""What `client.tasks.run` returns. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, Generic, Self, TypeVar

from agentlin_client.types.items import ToolCallItem

from .outcome import parsed_answer, raise_for_status
from .structured import OutputType
from .text import final_refusal, shown_items, text_of

if TYPE_CHECKING:
    from agentlin_client.types import TaskObject
    from agentlin_client.types.status import TaskStatus

T = TypeVar("T")

_TEXT_CHARS_MAX: Final = 60
"""How much of its text the repr of a run shows."""


@dataclass(frozen=True, repr=False)
class TaskRun(Generic[T]):
    """A task that was run to its end, or as far as this client could take it.

    Attributes:
        task: The task as it was last.
        output_type: What the answer was to look like, None if nobody said.
    """

    task: TaskObject
    output_type: OutputType[T] | None = None

    @property
    def status(self) -> TaskStatus:
        """The task's status; input-required if it waits for somebody else, or the run was full."""
        return self.task.status

    @property
    def final_text(self) -> str:
        """The answer as text; empty if there is none.

        Of a task that waits (input-required, paused) it is the text so far. What a task said that
        failed is in `.task`.

        Raises:
            TaskFailedError: The task failed, expired or was canceled.
        """
        return self.raise_for_status().task.final_text

    @property
    def refusal(self) -> str | None:
        """Why the model refuses to answer, in its own words; None if it does not."""
        return final_refusal(self.task) or None

    @property
    def tool_calls(self) -> list[ToolCallItem]:
        """The calls that the model has made, the server's own tools included, in order."""
        return [item for item in self.task.output if isinstance(item, ToolCallItem)]

    @cached_property
    def parsed(self) -> T:
        """The answer as a value of the type that `structured_output` asked for.

        None without `structured_output`.

        Raises:
            TaskFailedError: The task failed, expired or was canceled.
            OutputValidationError: There is no answer (yet), the model refuses to give one, or it
                is not one of the type; the error has the `.task`.
        """
        return parsed_answer(self.task, self.output_type)

    def raise_for_status(self) -> Self:
        """Return the run, unless its task ended without a result.

        Raises:
            TaskFailedError: The task failed, expired or was canceled; it is the error's `.task`.
        """
        raise_for_status(self.task)
        return self

    def __repr__(self) -> str:
        text = text_of(shown_items(self.task.output))
        first = text if len(text) <= _TEXT_CHARS_MAX else f"{text[:_TEXT_CHARS_MAX]}..."
        return f"TaskRun(id={self.task.id!r}, status={self.status!r}, text={first!r})"

    def _repr_html_(self) -> str | None:
        from agentlin_client._html import html_of  # for notebooks only

        return html_of(self.task.to_dict(warnings=False))
