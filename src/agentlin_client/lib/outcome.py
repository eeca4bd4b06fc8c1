"""How a task came out: an error where a result was wanted and there is none."""

from typing import TYPE_CHECKING, Final

from agentlin_client._errors import TaskFailedError

if TYPE_CHECKING:
    from agentlin_client.types import TaskObject

_FAILED: Final = frozenset({"failed", "expired", "canceled"})


def raise_for_status(task: "TaskObject") -> "TaskObject":
    """Return the task as it is, unless it ended without a result.

    Raises:
        TaskFailedError: The task failed, expired or was canceled; it is the error's `.task`.
    """
    if task.status in _FAILED:
        raise TaskFailedError(task)
    return task
