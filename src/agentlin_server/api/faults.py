"""One table from errors to the wire: HTTP status, JSON-RPC code, and what a client may know."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from uuid import uuid4

from agentlin_server.domain import errors as e
from agentlin_server.domain.errors import AgentlinError

log = logging.getLogger(__name__)

_RETRYABLE: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})


class MalformedJsonError(AgentlinError):
    """The body is not JSON."""


class ContentTypeError(AgentlinError):
    """The body is of a type other than application/json."""


class UnknownPathError(AgentlinError):
    """No route has this path."""


class WrongMethodError(AgentlinError):
    """The path has no such method.

    Attributes:
        allow: The methods it has, as the Allow header wants them.
    """

    def __init__(self, message: str, *, allow: str) -> None:
        super().__init__(message)
        self.allow = allow


class ForbiddenCallerError(AgentlinError):
    """The Host or the Origin is not one that this server answers."""


class BodyTooLargeError(AgentlinError):
    """The body is over the limit."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    code: int
    status: int


FAULTS: Final[Mapping[type[AgentlinError], Row]] = {
    MalformedJsonError: Row(-32700, 400),
    e.InvalidRequestError: Row(-32602, 422),
    e.TemplateError: Row(-32602, 422),
    ContentTypeError: Row(-32600, 415),
    UnknownPathError: Row(-32601, 404),
    WrongMethodError: Row(-32601, 405),
    ForbiddenCallerError: Row(-32011, 403),
    e.TaskNotFoundError: Row(-32001, 404),
    e.TaskNotCancelableError: Row(-32002, 409),
    e.TaskNotPausableError: Row(-32009, 409),
    e.TaskNotResumableError: Row(-32009, 409),
    e.TaskNotWaitingError: Row(-32009, 409),
    e.SessionBusyError: Row(-32009, 409),
    e.UnsupportedParamError: Row(-32004, 400),
    e.UnsupportedContentError: Row(-32005, 400),
    e.IdempotencyConflictError: Row(-32012, 409),
    e.AnswerConflictError: Row(-32012, 409),
    BodyTooLargeError: Row(-32013, 413),
    e.QueueFullError: Row(-32014, 429),
    e.ShuttingDownError: Row(-32603, 503),
    e.StorageError: Row(-32603, 503),
}
"""Errors of a model call are not here: they fail the task, not the request."""

_INTERNAL: Final = Row(-32603, 500)
_HIDDEN: Final = (e.StorageError,)
"""Errors of ours whose text may name files: it goes to the log only."""


@dataclass(frozen=True, slots=True)
class Fault:
    """An error as it is answered."""

    status: int
    error: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict[str, str])


def to_fault(exc: Exception) -> Fault:
    """Map any exception to its wire form; unknown ones are logged and hidden behind an id."""
    row = next((FAULTS[cls] for cls in type(exc).__mro__ if cls in FAULTS), None)
    if row is None or isinstance(exc, _HIDDEN):
        return _hidden(exc, row or _INTERNAL)
    error: dict[str, Any] = {"code": row.code, "message": str(exc)}
    headers: dict[str, str] = {}
    if isinstance(exc, e.InvalidRequestError):
        error["data"] = exc.problems
    if isinstance(exc, e.UnsupportedParamError):
        error["data"] = {"param": exc.param}
    if isinstance(exc, (e.QueueFullError, e.ShuttingDownError)):
        headers["Retry-After"] = str(exc.retry_after_s)
    if isinstance(exc, WrongMethodError):
        headers["Allow"] = exc.allow
    if row.status < HTTPStatus.INTERNAL_SERVER_ERROR and row.status not in _RETRYABLE:
        headers["x-should-retry"] = "false"
    return Fault(row.status, error, headers)


def _hidden(exc: Exception, row: Row) -> Fault:
    reference = uuid4().hex
    log.error("request failed unexpectedly, error id %s", reference, exc_info=exc)
    message = f"internal error; the server's log has more under error id {reference}"
    error = {"code": row.code, "message": message, "data": {"error_id": reference}}
    headers = {"Retry-After": "1"} if row.status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    return Fault(row.status, error, headers)
