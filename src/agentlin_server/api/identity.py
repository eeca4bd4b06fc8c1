"""Whose request it is, and which ids it brings: from the body, else from headers."""

from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request

from agentlin_server.domain.ids import checked_id

_HEADERS: Final = {
    "task_id": "X-Task-ID",
    "session_id": "X-Session-ID",
    "user_id": "X-User-ID",
    "client_id": "X-Client-ID",
}
_BARE_TASK_FROM: Final = (1, 11)
_VERSION_PARTS: Final = 2
_COUNT_DIGITS_MAX: Final = 5


def given_ids(request: Request, body: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the ids that the client chose, by field; None where it left that to the server.

    Raises:
        InvalidIdError: one is not a valid id.
    """
    given = {name: body.get(name) or request.headers.get(_HEADERS[name]) for name in _HEADERS}
    return {name: checked_id(value, field=name) if value else None for name, value in given.items()}


def caller_of(request: Request) -> str:
    """Return what tells callers apart: the key they present, else their address."""
    authorization = request.headers.get("authorization")
    if authorization:
        return authorization
    return actor_of(request)


def actor_of(request: Request) -> str:
    """Return who is recorded as having asked for something: an address, never a key."""
    return "" if request.client is None else request.client.host


def retry_count_of(request: Request) -> int:
    """Return how often the client says that it has tried before; 0 if it does not say."""
    count = request.headers.get("x-stainless-retry-count", "")
    return int(count) if count.isdecimal() and len(count) <= _COUNT_DIGITS_MAX else 0


def wants_bare_task(request: Request) -> bool:
    """True for the published clients that parse cancel, pause and resume without the envelope.

    The only place that knows of them (contract, section 3).
    """
    parts = request.headers.get("X-Stainless-Package-Version", "").split(".")[:_VERSION_PARTS]
    if len(parts) < _VERSION_PARTS or not all(part.isdecimal() for part in parts):
        return False
    return tuple(map(int, parts)) >= _BARE_TASK_FROM
