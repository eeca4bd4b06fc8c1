"""The request's body: bounded, JSON, an object."""

from collections.abc import Iterable
from typing import Any, Final, cast

import msgspec
from starlette.requests import Request

from agentlin_server.api.faults import BodyTooLargeError, ContentTypeError, MalformedJsonError
from agentlin_server.domain.errors import InvalidRequestError

_decode: Final = msgspec.json.Decoder().decode
_NESTING_MAX: Final = 200
"""Far below what decoders and encoders take: what is stored must be read in every later context."""


async def read_object(request: Request, *, size_max: int, required: bool) -> dict[str, Any]:
    """Return the body's JSON object; {} for an empty body that need not be there.

    Args:
        request: The request, whose body nobody has read yet.
        size_max: Bytes that it may have.
        required: Refuse an empty body.

    Raises:
        BodyTooLargeError: it is larger.
        ContentTypeError: it is not declared as application/json.
        MalformedJsonError: it is not JSON.
        InvalidRequestError: it is JSON, but not an object.
    """
    raw = await _read(request, size_max)
    if not raw and not required:
        return {}
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        shown = media_type[:100] or "missing"
        raise ContentTypeError(f"Content-Type must be application/json; it is {shown}")
    try:
        value = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise MalformedJsonError(f"the body is not valid JSON: {exc}") from exc
    except RecursionError as exc:
        raise MalformedJsonError("the body's JSON is nested too deeply") from exc
    if raw.count(b"{") + raw.count(b"[") > _NESTING_MAX and _is_too_deep(value):
        raise MalformedJsonError(f"the body's JSON is nested more than {_NESTING_MAX} levels deep")
    if not isinstance(value, dict):
        raise InvalidRequestError.at("body", msg="must be a JSON object", kind="dict_type")
    return value  # pyright: ignore[reportUnknownVariableType] # keys of JSON objects are strings


def _is_too_deep(value: Any) -> bool:
    level: list[Any] = [value]
    for _ in range(_NESTING_MAX):
        level = [child for node in level for child in _children(node)]
    return any(isinstance(node, (dict, list)) for node in level)


def _children(node: Any) -> Iterable[Any]:
    if isinstance(node, dict):
        return cast("dict[str, Any]", node).values()
    return cast("list[Any]", node) if isinstance(node, list) else ()


async def _read(request: Request, size_max: int) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > size_max:
        raise _too_large(size_max)
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > size_max:
            raise _too_large(size_max)
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large(size_max: int) -> BodyTooLargeError:
    return BodyTooLargeError(f"the body is larger than {size_max} bytes")
