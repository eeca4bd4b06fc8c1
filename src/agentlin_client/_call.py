"""A call of the API as data: what the resources make, and the transports perform."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypedDict
from urllib.parse import quote

from ._sentinels import NotGiven, not_given

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._config import HeaderValues, TimeoutTypes

EVENT_STREAM = "text/event-stream"


class CallOptions(TypedDict, total=False):
    """What every method takes besides its own parameters; it wins over what the client sends."""

    extra_headers: HeaderValues | None
    """More headers; `omit` as a value leaves one out."""

    extra_query: Mapping[str, object] | None
    """More query parameters."""

    extra_body: Mapping[str, object] | None
    """More fields of the JSON body."""

    timeout: TimeoutTypes | NotGiven
    """Seconds, for each phase of the call, or an `httpx.Timeout`; None waits for ever."""


class Call(NamedTuple):
    """One call, before it is bound to a client.

    Attributes:
        method: HTTP method.
        path: Relative to the base URL, beginning with a slash, percent-encoded.
        query: Query parameters; a list repeats its name, `omit` and None are left out.
        body: The JSON object to send, None for none; values that are `omit` are left out. Bytes
            are its JSON text already.
        headers: Over those of the client; `omit` takes one out.
        timeout: Instead of the client's.
        accept: Media type to ask for.
        idempotency_key: Sent with each attempt, so that the server does it once.
        max_retries: Instead of the client's.
        note: Added to the error if there is no answer: what may have come of the call.
    """

    method: str
    path: str
    query: Mapping[str, object] | None = None
    body: Mapping[str, object] | bytes | None = None
    headers: HeaderValues | None = None
    timeout: TimeoutTypes | NotGiven = not_given
    accept: str = "application/json"
    idempotency_key: str | None = None
    max_retries: int | None = None
    note: str | None = None

    def __repr__(self) -> str:
        return f"Call({self.method} {self.path})"  # headers and body may hold secrets

    @property
    def is_stream(self) -> bool:
        """Whether a stream of events is asked for."""
        return self.accept == EVENT_STREAM


def build_call(
    method: str,
    path: str,
    *,
    query: Mapping[str, object] | None = None,
    body: Mapping[str, object] | None = None,
    headers: HeaderValues | None = None,
    accept: str = "application/json",
    idempotency_key: str | None = None,
    max_retries: int | None = None,
    note: str | None = None,
    extra_headers: HeaderValues | None = None,
    extra_query: Mapping[str, object] | None = None,
    extra_body: Mapping[str, object] | None = None,
    timeout: TimeoutTypes | NotGiven = not_given,
) -> Call:
    """Return a call with the caller's extras merged in; they win."""
    if extra_body:
        body = {**(body or {}), **extra_body}
    if extra_query:
        query = {**(query or {}), **extra_query}
    if extra_headers:
        headers = {**(headers or {}), **extra_headers}
    return Call(
        method,
        path,
        query,
        body,
        headers,
        timeout,
        accept,
        idempotency_key,
        max_retries,
        note,
    )


def task_path(task_id: str, *rest: str) -> str:
    """Return the path of a task, or of what is below it.

    Raises:
        ValueError: The id is empty, or would be read as a step up in the path.

    >>> task_path("a/b", "cancel")
    '/tasks/a%2Fb/cancel'
    """
    if not isinstance(task_id, str) or task_id in {"", ".", ".."}:  # pyright: ignore[reportUnnecessaryIsInstance] # None is passed often enough
        raise ValueError(f"task_id must be the id of a task, not {task_id!r}")
    return "/".join(("/tasks", quote(task_id, safe=""), *rest))
