"""What came in: the recorded request, and its body checked against the contract's types."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

from ._refusal import RefusalError, invalid

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_ID: Final = re.compile(r"[A-Za-z0-9_:-][A-Za-z0-9._:-]{0,127}", re.ASCII)
_MISSPELT_FROM: Final = 0.8
_ID_HEADERS: Final = {
    "task_id": "x-task-id",
    "session_id": "x-session-id",
    "user_id": "x-user-id",
    "client_id": "x-client-id",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRequest:
    """A request as the server got it; each attempt of a call is one.

    Attributes:
        method: In capitals.
        path: Below the base URL, e.g. `/tasks/task_1/cancel`.
        url: The whole URL.
        query: The query's values by name, in order.
        headers: By name in lower case.
        content: The body's bytes.
        body: The body, decoded; None if it has none, or is no JSON.
        timeout: Seconds that the client waits in each phase (`connect`, `read`, `write`, `pool`).
    """

    method: str
    path: str
    url: str
    query: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    content: bytes = b""
    timeout: Mapping[str, float | None] = field(default_factory=dict[str, float | None])

    @property
    def body(self) -> Any:
        """The body, decoded; None if it has none, or is no JSON."""
        try:
            return json.loads(self.content)
        except ValueError:
            return None

    @property
    def read_timeout_s(self) -> float | None:
        """Seconds of silence that the client bears; None if it waits for ever."""
        return self.timeout.get("read")

    def value(self, name: str) -> str | None:
        """Return the first value of a query parameter, None if it is not there."""
        values = self.query.get(name)
        return values[0] if values else None

    def object_body(self, *, required: bool) -> dict[str, Any]:
        """Return the body's JSON object.

        Raises:
            RefusalError: It is missing though required, or of another type or form.
        """
        if not self.content and not required:
            return {}
        media_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            shown = media_type or "missing"
            raise RefusalError(415, f"Content-Type must be application/json; it is {shown}")
        try:
            body: object = json.loads(self.content)
        except ValueError as error:
            message = f"the body is not valid JSON: {error}"
            raise RefusalError(400, message, code=-32700) from None
        if not isinstance(body, dict):
            raise invalid("body", msg="must be a JSON object", kind="dict_type")
        return cast("dict[str, Any]", body)

    def given_ids(self, body: Mapping[str, Any]) -> dict[str, str | None]:
        """Return the ids that the client chose, by field: from the body, else from headers.

        Raises:
            RefusalError: One is no valid id.
        """
        ids = {name: body.get(name) or self.headers.get(_ID_HEADERS[name]) for name in _ID_HEADERS}
        for name, value in ids.items():
            if value is not None and not _ID.fullmatch(value):
                msg = "must be 1 to 128 of A-Z a-z 0-9 . _ : - and not start with a dot"
                raise invalid(name, msg=msg, kind="invalid_id")
        return ids


def checked_create(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the params of a create that are known and not null.

    Raises:
        RefusalError: One is misspelt, missing, or of a wrong type; or it asks for nothing.
    """
    given = _checked(body, *_create_params())
    if not any(
        given.get(name) for name in ("user_message_content", "history_messages", "thought_messages")
    ):
        raise invalid("user_message_content", msg="must not be empty")
    return given


def checked_tool_results(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the params of a `tool_results` that are known and not null.

    Raises:
        RefusalError: One is misspelt, missing, or of a wrong type; or there are no results.
    """
    given = _checked(body, *_tool_results_params())
    ids = [result["call_id"] for result in given["tool_results"]]
    if not ids or len(set(ids)) < len(ids):
        raise invalid("tool_results", msg="must hold one result or more, one per call")
    return given


def _checked(
    body: Mapping[str, Any], adapter: "TypeAdapter[Any]", known: frozenset[str]
) -> dict[str, Any]:
    from pydantic import ValidationError

    for name in body.keys() - known:
        if near := get_close_matches(name, known - body.keys(), n=1, cutoff=_MISSPELT_FROM):
            msg = f"unknown param; did you mean {near[0]!r}?"
            raise invalid(name, msg=msg, kind="misspelt_param")
    given = {name: v for name, v in body.items() if name in known and v is not None}
    try:
        adapter.validate_python(given, strict=True)
    except ValidationError as error:
        # Never the input itself, which may hold secrets.
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        data = [{"loc": list(f["loc"]), "msg": f["msg"], "type": f["type"]} for f in faults]
        where = "; ".join(f"{'.'.join(map(str, f['loc']))}: {f['msg']}" for f in data)
        raise RefusalError(422, where, data=data) from None
    return given


@cache
def _create_params() -> "tuple[TypeAdapter[Any], frozenset[str]]":
    from typing import get_type_hints

    from pydantic import TypeAdapter

    from agentlin_client.types.task_create_params import TaskCreateBody

    return TypeAdapter(TaskCreateBody), frozenset(get_type_hints(TaskCreateBody))


@cache
def _tool_results_params() -> "tuple[TypeAdapter[Any], frozenset[str]]":
    from typing import get_type_hints

    from pydantic import TypeAdapter

    from agentlin_client.types.task_create_params import ToolResultsParams

    return TypeAdapter(ToolResultsParams), frozenset(get_type_hints(ToolResultsParams))
