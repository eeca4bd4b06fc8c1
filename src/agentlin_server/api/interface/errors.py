"""The errors of the document: statuses, codes, headers and examples, taken from `api.faults`."""

import inspect
from collections import defaultdict
from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import Any, Final

from agentlin_server.api import faults
from agentlin_server.api.faults import FAULTS, Fault, Row, to_fault
from agentlin_server.api.interface.examples import REQUEST_ID
from agentlin_server.api.interface.schemas import ref
from agentlin_server.domain import errors as e
from agentlin_server.domain.errors import AgentlinError

INTERNAL: Final = Row(-32603, 500)
"""What any error that is not in the table becomes; a test holds it to `to_fault`."""

_INTERNAL_NAME: Final = "InternalError"
_INTERNAL_DOC: Final = "A fault of the server's; its log has more under the error id."

_SAMPLES: Final[tuple[AgentlinError, ...]] = (
    faults.MalformedJsonError("the body is not valid JSON: Input data was truncated"),
    e.InvalidRequestError.at("user_message_content", msg="Field required", kind="missing"),
    e.TemplateError("developer_prompt: {{CITY}} is not in env"),
    faults.ContentTypeError("Content-Type must be application/json; it is text/plain"),
    faults.UnknownPathError("there is nothing at /v1/task; see /docs"),
    faults.WrongMethodError(
        "PUT is not possible here; /v1/tasks takes GET, POST", allow="GET, POST"
    ),
    faults.ForbiddenCallerError(
        "requests from the origin 'https://elsewhere.example' are not answered: "
        "add it to AGENTLIN_ALLOWED_ORIGINS"
    ),
    e.TaskNotFoundError("no task 'task_unknown'"),
    e.TaskNotCancelableError("the task has ended: it is completed"),
    e.TaskNotPausableError("the task waits for an answer"),
    e.TaskNotResumableError("the task is not paused: it is working"),
    e.TaskNotWaitingError("the task waits for no answer: it is completed"),
    e.SessionBusyError("the session has an unfinished task"),
    e.UnsupportedParamError("workspace_dir"),
    e.UnsupportedContentError("user_message_content: input_audio is not supported by this server"),
    e.IdempotencyConflictError("the Idempotency-Key was used with another body"),
    e.AnswerConflictError("the call 'call_01' has another answer already"),
    faults.BodyTooLargeError("the body is larger than 33554432 bytes"),
    e.QueueFullError("too many tasks are waiting", retry_after_s=5),
    e.ShuttingDownError("the server is shutting down"),
)
"""One of each, as it is raised. Those without a sample are answered without their own words."""

_HEADERS: Final[Mapping[str, tuple[str, dict[str, Any]]]] = {
    "X-Request-ID": ("Id of the request: `id` of the envelope.", {"type": "string"}),
    "Retry-After": ("Seconds to wait before trying again.", {"type": "integer", "minimum": 0}),
    "x-should-retry": ("`false`: the same request would fail again.", {"const": "false"}),
    "Allow": ("The methods that the path has.", {"type": "string"}),
}

EVERYWHERE: Final = (faults.ForbiddenCallerError,)
"""What any request may meet; besides, any may end in an internal error."""

ErrorClass = type[AgentlinError]


def header_components() -> dict[str, Any]:
    """Return the headers of answers by name."""
    return {name: {"description": d, "schema": s} for name, (d, s) in _HEADERS.items()}


def header_refs(*names: str) -> dict[str, Any]:
    """Return references to headers of answers, X-Request-ID always among them."""
    return {n: {"$ref": f"#/components/headers/{n}"} for n in ("X-Request-ID", *names)}


def table() -> list[dict[str, Any]]:
    """Return every row: status, code, name, what it means, and whether to try again."""
    rows = [_row(cls) for cls in FAULTS]
    rows.append(_entry(INTERNAL, _INTERNAL_NAME, _INTERNAL_DOC))
    return sorted(rows, key=lambda row: (row["status"], -row["code"]))


def responses(*errors: ErrorClass) -> dict[str, Any]:
    """Return the responses of these errors, and of those that any request may meet, by status."""
    by_status: defaultdict[int, list[ErrorClass]] = defaultdict(list)
    for cls in (*errors, *EVERYWHERE):
        by_status[FAULTS[cls].status].append(cls)
    made = {str(status): _response(by_status[status]) for status in sorted(by_status)}
    made[str(INTERNAL.status)] = _answer(
        [_entry(INTERNAL, _INTERNAL_NAME, _INTERNAL_DOC)],
        examples={_INTERNAL_NAME: _example(_INTERNAL_DOC, _hidden(INTERNAL))},
        headers=(),
    )
    return made


def _response(errors: Collection[ErrorClass]) -> dict[str, Any]:
    answered = {cls: _fault(cls) for cls in errors}
    headers = {name for fault in answered.values() for name in fault.headers}
    return _answer(
        [_row(cls) for cls in errors],
        examples={
            _name(cls): _example(_meaning(cls), fault.error) for cls, fault in answered.items()
        },
        headers=sorted(headers),
    )


def _answer(
    rows: list[dict[str, Any]], *, examples: dict[str, Any], headers: Collection[str]
) -> dict[str, Any]:
    codes = "\n".join(f"- `{row['code']}` {row['description']}" for row in rows)
    return {
        "description": codes,
        "headers": header_refs(*headers),
        "content": {"application/json": {"schema": ref("ErrorResponse"), "examples": examples}},
        "x-errors": rows,
    }


def _example(summary: str, error: dict[str, Any]) -> dict[str, Any]:
    return {"summary": summary, "value": {"jsonrpc": "2.0", "id": REQUEST_ID, "error": error}}


def _fault(cls: ErrorClass) -> Fault:
    sample = next((sample for sample in _SAMPLES if type(sample) is cls), None)
    if sample is not None:
        return to_fault(sample)
    row = FAULTS[cls]
    headers = {"Retry-After": "1"} if row.status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    return Fault(row.status, _hidden(row), headers)


def _hidden(row: Row) -> dict[str, Any]:
    """Return an error as `to_fault` answers it where its own words may go to the log only."""
    reference = "0123456789abcdef0123456789abcdef"
    message = f"internal error; the server's log has more under error id {reference}"
    return {"code": row.code, "message": message, "data": {"error_id": reference}}


def _row(cls: ErrorClass) -> dict[str, Any]:
    entry = _entry(FAULTS[cls], _name(cls), _meaning(cls))
    return entry | {"retry": _fault(cls).headers.get("x-should-retry") != "false"}


def _entry(row: Row, name: str, meaning: str) -> dict[str, Any]:
    return {
        "status": row.status,
        "code": row.code,
        "name": name,
        "description": meaning,
        "retry": True,
    }


def _name(cls: ErrorClass) -> str:
    return cls.__name__


def _meaning(cls: ErrorClass) -> str:
    """Return the first line of the class's docstring."""
    return (inspect.getdoc(cls) or cls.__name__).partition("\n")[0]
