"""The JSON-RPC envelope around every answer, at every status."""

from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from agentlin_server.api.faults import Fault
from agentlin_server.domain.events import encode_json
from agentlin_server.domain.ids import new_id

REQUEST_ID_HEADER: Final = "X-Request-ID"
_JSON: Final = "application/json"
REQUEST_ID_CHARS_MAX: Final = 512
"""It is repeated in every frame of a stream; a longer one is refused, or cut in a header."""


def request_id_of(request: Request, body: Mapping[str, Any] | None = None) -> str:
    """Return the request's id: the body's, else the header's, else one made now.

    It is kept with the request, so that an error that comes later says the same.
    """
    known: str | None = getattr(request.state, "request_id", None)
    given = body.get("request_id") if body else None
    if isinstance(given, str) and 0 < len(given) <= REQUEST_ID_CHARS_MAX:
        known = given
    if known is None:
        known = request.headers.get(REQUEST_ID_HEADER, "")[:REQUEST_ID_CHARS_MAX] or new_id("req_")
    request.state.request_id = known
    return known


def envelope_prefix(request_id: str) -> bytes:
    """Return the envelope's bytes up to the result."""
    return b'{"jsonrpc":"2.0","id":' + encode_json(request_id) + b',"result":'


def result_response(request_id: str, result: bytes) -> Response:
    """Answer 200 with a result that is JSON already."""
    body = envelope_prefix(request_id) + result + b"}"
    return Response(body, media_type=_JSON, headers=id_header(request_id))


def bare_response(request_id: str, result: bytes) -> Response:
    """Answer 200 with the result alone; see `wants_bare_task`."""
    return Response(result, media_type=_JSON, headers=id_header(request_id))


def fault_response(request_id: str, fault: Fault) -> Response:
    """Answer with an error."""
    headers = id_header(request_id) | fault.headers
    return Response(
        fault_body(request_id, fault), status_code=fault.status, media_type=_JSON, headers=headers
    )


def fault_body(request_id: str, fault: Fault) -> bytes:
    """Return the envelope of an error."""
    return encode_json({"jsonrpc": "2.0", "id": request_id, "error": fault.error})


def id_header(request_id: str) -> dict[str, str]:
    """Return the header that echoes the request id; left out where it can't stand in one."""
    is_plain = request_id.isascii() and request_id.isprintable()
    return {REQUEST_ID_HEADER: request_id} if is_plain else {}
