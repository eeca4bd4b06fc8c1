"""Answers that refuse a request, as the contract has them (section 3, Errors). Pure."""

from collections.abc import Mapping
from typing import Any, Final

_RETRYABLE: Final = frozenset({408, 429})
_SERVER_ERRORS_FROM: Final = 500
_CODES: Final = {
    400: -32004,
    401: -32010,
    403: -32011,
    404: -32001,
    405: -32601,
    409: -32009,
    413: -32013,
    415: -32600,
    422: -32602,
    429: -32014,
}


class RefusalError(Exception):
    """A request is answered with an error.

    Attributes:
        status: HTTP status.
        error: The JSON-RPC error.
        headers: Of the answer.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: int | None = None,
        data: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        if code is None:
            code = _CODES.get(status, -32603 if status >= _SERVER_ERRORS_FROM else -32000)
        self.error: dict[str, Any] = {"code": code, "message": message}
        if data is not None:
            self.error["data"] = data
        self.headers = dict(headers or {})
        if status < _SERVER_ERRORS_FROM and status not in _RETRYABLE:
            self.headers.setdefault("x-should-retry", "false")


def invalid(*loc: str | int, msg: str, kind: str = "value_error") -> RefusalError:
    """Return the refusal of a request that has one fault, at the path `loc`."""
    where = ".".join(map(str, loc))
    return RefusalError(422, f"{where}: {msg}", data=[{"loc": list(loc), "msg": msg, "type": kind}])


def not_found(task_id: str) -> RefusalError:
    """Return the refusal of a request about a task that is not there."""
    return RefusalError(404, f"no task {task_id!r}")


def taken(message: str) -> RefusalError:
    """Return the refusal of an id, key or call that was used before, otherwise."""
    return RefusalError(409, message, code=-32012)
