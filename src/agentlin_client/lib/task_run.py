"""What `client.tasks.run` returns. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Generic, Self, TypeVar, cast

from agentlin_client._errors import OutputValidationError
from agentlin_client.types.items import ToolCallItem

from .outcome import raise_for_status
from .structured import OutputType
from .text import final_text

if TYPE_CHECKING:
    from agentlin_client.types import TaskObject
    from agentlin_client.types.status import TaskStatus

T = TypeVar("T")


@dataclass(frozen=True)
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
        """The answer as text; empty if there is none."""
        return final_text(self.task)

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
            OutputValidationError: There is no answer (yet), or not one of the type.
        """
        if self.output_type is None:
            return cast("T", None)
        self.raise_for_status()
        if self.status != "completed":
            raise OutputValidationError(
                f"task {self.task.id} is {self.status}: it has no answer yet", text="", errors=[]
            )
        return self.output_type.parse(self.final_text)

    def raise_for_status(self) -> Self:
        """Return the run, unless its task ended without a result.

        Raises:
            TaskFailedError: The task failed, expired or was canceled; it is the error's `.task`.
        """
        raise_for_status(self.task)
        return self
