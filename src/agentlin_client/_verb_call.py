"""The calls of `client.get`, `client.post` and so on, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Unpack

from ._call import EVENT_STREAM, Call, CallOptions, build_call

if TYPE_CHECKING:
    from ._options import RequestOptions


def verb_call(
    method: str,
    path: str,
    body: Mapping[str, object] | None,
    options: RequestOptions | None,
    *,
    stream: bool = False,
    **extras: Unpack[CallOptions],
) -> Call:
    """Return the call of a method of HTTP; what `extras` say wins over `options`.

    Raises:
        TypeError: An option is unknown.
        ValueError: The path is a whole URL: calls go to the server of the client only, since they
            carry its key.
    """
    if "://" in path.partition("?")[0] or path.startswith("//"):
        raise ValueError(f"path must be relative to the base URL, e.g. /tasks, not {path!r}")
    given: dict[str, Any] = dict(options or {})
    if unknown := given.keys() - _TAKEN.keys():
        raise TypeError(f"no such request option: {', '.join(sorted(unknown))}")
    kept: dict[str, Any] = {_TAKEN[name]: value for name, value in given.items()}
    more: dict[str, Any] = dict(extras)
    for name, value in more.items():
        both = isinstance(value, Mapping) and isinstance(kept.get(name), Mapping)
        kept[name] = {**kept[name], **value} if both else value
    return build_call(
        method,
        path if path.startswith("/") else f"/{path}",
        body=body,
        accept=EVENT_STREAM if stream else "application/json",
        **kept,
    )


_TAKEN = {
    "headers": "extra_headers",
    "params": "extra_query",
    "extra_json": "extra_body",
    "idempotency_key": "idempotency_key",
    "max_retries": "max_retries",
    "timeout": "timeout",
}
