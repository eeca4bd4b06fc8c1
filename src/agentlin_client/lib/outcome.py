"""How a task came out: an error where a result was wanted and there is none."""

from typing import TYPE_CHECKING, Final, TypeVar, cast

from agentlin_client._errors import (
    APIError,
    APIStatusError,
    InternalServerError,
    OutputValidationError,
    TaskFailedError,
)

from .text import final_refusal

if TYPE_CHECKING:
    from agentlin_client.types import TaskObject

    from .structured import OutputType

T = TypeVar("T")

_FAILED: Final = frozenset({"failed", "expired", "canceled"})


def raise_for_status(task: "TaskObject") -> "TaskObject":
    """Return the task as it is, unless it ended without a result.

    Raises:
        TaskFailedError: The task failed, expired or was canceled; it is the error's `.task`.
    """
    if task.status in _FAILED:
        raise TaskFailedError(task)
    return task


def may_exist(error: BaseException) -> bool:
    """Return whether there may be a task of ours though `create` ended with an error.

    Not if the server said no: a task with the same id is somebody else's then. Nor if nothing was
    sent. But if the connection broke, or the waiting for the answer ended.
    """
    if isinstance(error, APIStatusError):
        return isinstance(error, InternalServerError)
    if isinstance(error, APIError):
        import httpx

        return not isinstance(error.__cause__, (httpx.ConnectError, httpx.ConnectTimeout))
    return not isinstance(error, Exception)


def parsed_answer(task: "TaskObject", output_type: "OutputType[T] | None") -> T:
    """Return the answer of a task as a value of a type; None without a type.

    Raises:
        TaskFailedError: The task failed, expired or was canceled.
        OutputValidationError: There is no answer (yet), the model refuses to give one, or it is
            not one of the type; the error has the `.task`.
    """
    if output_type is None:
        return cast("T", None)
    raise_for_status(task)
    if task.status != "completed":
        message = f"task {task.id} is {task.status}: it has no answer yet"
        raise OutputValidationError(message, text="", errors=[], task=task)
    if refusal := final_refusal(task):
        message = f"the model refused: {refusal}"
        text = task.final_text
        raise OutputValidationError(message, text=text, errors=[], task=task, refusal=refusal)
    try:
        return output_type.parse(task.final_text)
    except OutputValidationError as error:
        error.task = task
        raise
