"""The parameters of the document: path, query and headers."""

from typing import Any, Final, Literal

from agentlin_server.api.interface.examples import TASK_ID
from agentlin_server.api.interface.schemas import ref

_ID: Final[dict[str, Any]] = {
    "type": "string",
    "minLength": 1,
    "maxLength": 128,
    "pattern": "^[A-Za-z0-9_:-][A-Za-z0-9._:-]*$",
}
_ANY: Final[dict[str, Any]] = {"type": "string"}
_SEQUENCE_NUMBER: Final[dict[str, Any]] = {"type": "integer", "minimum": 0}


def components() -> dict[str, Any]:
    """Return all parameters by the name that `refs` takes."""
    return _PATH | _QUERY | _HEADERS


def refs(*names: str) -> list[dict[str, Any]]:
    """Return references to parameters."""
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]


def _parameter(
    name: str,
    where: Literal["query", "header"],
    description: str,
    schema: dict[str, Any],
) -> dict[str, Any]:
    return {"name": name, "in": where, "description": description, "schema": schema}


_PATH: Final[dict[str, Any]] = {
    "TaskID": {
        "name": "task_id",
        "in": "path",
        "required": True,
        "description": "The task's id.",
        "schema": _ANY,
        "example": TASK_ID,
    }
}

_QUERY: Final[dict[str, Any]] = {
    "SessionFilter": _parameter("session_id", "query", "Only tasks of this session.", _ANY),
    "UserFilter": _parameter("user_id", "query", "Only tasks of this user.", _ANY),
    "ParentFilter": _parameter("parent_task_id", "query", "Only children of this task.", _ANY),
    "StatusFilter": _parameter(
        "status",
        "query",
        "Only tasks with this status; repeat it for several.",
        {"type": "array", "items": ref("TaskStatus")},
    ),
    "StatusListFilter": _parameter(
        "status[]",
        "query",
        "The same as `status`, as some clients spell lists.",
        {"type": "array", "items": ref("TaskStatus")},
    ),
    "Limit": _parameter(
        "limit",
        "query",
        "Size of the page.",
        {"type": "integer", "minimum": 1, "maximum": 100, "default": 10},
    ),
    "PageAfter": _parameter(
        "starting_after",
        "query",
        "Id of a task: the page right after it, that is of older tasks.",
        _ANY,
    ),
    "PageBefore": _parameter(
        "ending_before",
        "query",
        "Id of a task: the page right before it, that is of newer tasks.",
        _ANY,
    ),
    "EventsAfter": _parameter(
        "starting_after",
        "query",
        "Only the events after the one of this sequence number; wins over `Last-Event-ID`.",
        _SEQUENCE_NUMBER,
    ),
    "Until": _parameter(
        "until",
        "query",
        "`final`: stay while the task rests (`input-required`, `paused`), until it has ended.",
        {"type": "string", "const": "final"},
    ),
}

_HEADERS: Final[dict[str, Any]] = {
    "RequestID": _parameter(
        "X-Request-ID",
        "header",
        "Id of this request, if the body has no `request_id`; comes back as the envelope's `id`. "
        "Made by the server by default.",
        _ANY,
    ),
    "HeaderTaskID": _parameter(
        "X-Task-ID", "header", "The same as `task_id` of the body, which wins.", _ID
    ),
    "HeaderSessionID": _parameter(
        "X-Session-ID", "header", "The same as `session_id` of the body, which wins.", _ID
    ),
    "HeaderUserID": _parameter(
        "X-User-ID", "header", "The same as `user_id` of the body, which wins.", _ID
    ),
    "HeaderClientID": _parameter(
        "X-Client-ID", "header", "The same as `client_id` of the body, which wins.", _ID
    ),
    "IdempotencyKey": _parameter(
        "Idempotency-Key",
        "header",
        "A request with the same key and body is answered with the same task, and starts nothing "
        "twice; the same key with another body is 409, -32012. A repeated `task_id` does the same.",
        {"type": "string", "maxLength": 256},
    ),
    "LastEventID": _parameter(
        "Last-Event-ID",
        "header",
        "`id` of the last event that was received; the stream goes on right after it. The number "
        "alone will do.",
        {"type": "string", "pattern": "^[0-9]+(-[0-9]+)?$"},
    ),
}
