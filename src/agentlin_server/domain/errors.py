"""Every condition that agentlin reports, one class each; `api/faults.py` maps them to the wire."""

from typing import Any


class AgentlinError(Exception):
    """Base of all errors that a user may see; the message says what to do."""


class ModelError(AgentlinError):
    """A model call failed.

    Attributes:
        provider: Name of the provider, e.g. `openai`.
        status: HTTP status that the provider answered with, None if it did not.
        retryable: True if the same call may succeed later.
        retry_after_s: Seconds the provider asked to wait, None if it did not say.
    """

    retryable_by_default = False

    def __init__(
        self,
        message: str,
        *,
        provider: str,
        status: int | None = None,
        retryable: bool | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.provider = provider
        self.status = status
        self.retryable = self.retryable_by_default if retryable is None else retryable
        self.retry_after_s = retry_after_s

    @property
    def data(self) -> dict[str, Any]:
        """The `data` of the task's error, as the contract has it (section 3)."""
        return {"provider": self.provider, "status": self.status, "retryable": self.retryable}


class ModelAuthenticationError(ModelError):
    """The provider refused the key (401, 403)."""


class ModelNotFoundError(ModelError):
    """The provider does not know the model, or no provider of that name is configured."""


class ModelRequestError(ModelError):
    """The provider refused the request as invalid (other 4xx)."""


class ContextLengthError(ModelError):
    """The context is longer than the model takes."""


class ContentFilterError(ModelError):
    """The provider's content filter refused the input or cut the answer."""


class ModelRateLimitError(ModelError):
    """The provider is limiting us (429)."""

    retryable_by_default = True


class ModelUnavailableError(ModelError):
    """The provider can't be reached or answers 5xx."""

    retryable_by_default = True


class ModelStreamError(ModelError):
    """The stream broke in the middle: cut, or not of the protocol."""

    retryable_by_default = True


class ModelTimeoutError(ModelError):
    """Connecting, the first token or the next token took too long."""

    retryable_by_default = True


class InvalidRequestError(AgentlinError):
    """The request's body or parameters are not as the contract has them.

    Attributes:
        problems: One entry per fault: `loc` (path of keys), `msg`, `type`. Never the input itself.
    """

    def __init__(self, problems: list[dict[str, Any]]) -> None:
        where = "; ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in problems)
        super().__init__(where)
        self.problems = problems

    @classmethod
    def at(cls, *loc: str | int, msg: str, kind: str = "value_error") -> "InvalidRequestError":
        """Make the error of one fault at the path `loc`."""
        return cls([{"loc": list(loc), "msg": msg, "type": kind}])


class InvalidIdError(InvalidRequestError):
    """An id has characters that ids may not have, or is too long."""

    def __init__(self, field: str) -> None:
        super().__init__(
            [
                {
                    "loc": [field],
                    "msg": "must be 1 to 128 of A-Z a-z 0-9 . _ : - and not start with a dot",
                    "type": "invalid_id",
                }
            ]
        )


class UnsupportedParamError(AgentlinError):
    """A param is valid, but what it asks for is not built or not configured."""

    def __init__(self, param: str, hint: str = "leave it out") -> None:
        super().__init__(f"{param}: not supported by this server yet; {hint}")
        self.param = param


class UnsupportedContentError(AgentlinError):
    """The message holds a content type that the model can't take."""


class TaskNotFoundError(AgentlinError):
    """No task has this id, or it was deleted."""


class TaskNotCancelableError(AgentlinError):
    """The task has ended, otherwise than by a cancel."""


class TaskNotPausableError(AgentlinError):
    """The task waits for an answer, or has ended."""


class TaskNotResumableError(AgentlinError):
    """The task is not paused, and nobody asked for a pause."""


class SessionBusyError(AgentlinError):
    """The session has unfinished tasks, and the request asked to be rejected then."""


class TaskNotWaitingError(AgentlinError):
    """Answers came for a task that does not wait for any."""


class AnswerConflictError(AgentlinError):
    """The call was answered before, with another answer."""


class PauseWithdrawnError(AgentlinError):
    """A pause was withdrawn just before it took effect; the task goes on."""


class IdempotencyConflictError(AgentlinError):
    """The task id or idempotency key was used before, with another body."""


class QueueFullError(AgentlinError):
    """As many tasks are waiting as the server takes."""

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ShuttingDownError(AgentlinError):
    """The server is stopping and takes no new task."""

    retry_after_s = 2


class IllegalTransitionError(AgentlinError):
    """The transition table has no such move: a bug, or a race that was lost."""


class StaleWriterError(AgentlinError):
    """Someone else owns the task by now: this writer's generation or revision is past."""


class StorageError(AgentlinError):
    """The database could not be read or written (disk full, locked, damaged)."""


class DamagedLogError(StorageError):
    """A task's log can't be read any more. The task can only be deleted."""


class TemplateError(AgentlinError):
    """A prompt names a variable that was not given."""
