"""One call as a conversation of plain commands: the core that sync and async clients share.

`exchange` is a generator that does no I/O: it yields what is to be done (`Send`, `Read`, `Sleep`)
and is sent the outcome, or has the exception thrown in. A client is a loop around it that knows
how to perform three commands; everything that can be got wrong (what is retried, after how long,
with which headers, as which error) is here, once.
"""

import json
import logging
import os
import random
import time
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar, cast
from urllib.parse import quote

import httpx
from pydantic import BaseModel

from ._config import ClientConfig, HeaderValues, TimeoutTypes, merge_headers
from ._errors import (
    APIConnectionError,
    APIError,
    APIResponseValidationError,
    APITimeoutError,
)
from ._log import logger, redact_headers, redact_url
from ._response import is_event_stream, status_error
from ._retry import is_retryable, retry_delay_s
from ._sentinels import NotGiven, Omit, not_given

T = TypeVar("T")

RETRY_COUNT_HEADER: Final = "x-stainless-retry-count"

TRANSPORT_ERRORS: Final = (
    httpx.HTTPError,
    httpx.StreamError,
    OSError,
    UnicodeError,  # a host name that can't be looked up
)
"""What performing a command may raise; all of it becomes an error of ours."""

_WORTH_ANOTHER_TRY: Final = (
    httpx.TimeoutException,
    httpx.NetworkError,
    httpx.ProxyError,
    httpx.RemoteProtocolError,
    OSError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of the API, before it is bound to a client.

    Attributes:
        method: HTTP method.
        path: Relative to the base URL, beginning with a slash, percent-encoded.
        query: Query parameters; a list repeats its name, `omit` and None are left out.
        body: The JSON object to send, None for none; values that are `omit` are left out.
        headers: Over those of the client; `omit` takes one out.
        timeout: Instead of the client's.
        accept: Media type to ask for.
        idempotency_key: Sent with each attempt, so that the server does it once.
    """

    method: str
    path: str
    query: Mapping[str, object] = field(default_factory=dict[str, object])
    body: Mapping[str, object] | None = None
    headers: HeaderValues = field(default_factory=dict[str, "str | Omit"])
    timeout: TimeoutTypes | NotGiven = not_given
    accept: str = "application/json"
    idempotency_key: str | None = None


class Send(NamedTuple):
    """Send the request; answer the response, its body unread."""

    request: httpx.Request


class Read(NamedTuple):
    """Read the rest of the response's body into it."""

    response: httpx.Response


class Sleep(NamedTuple):
    """Wait."""

    seconds: float


Command: TypeAlias = Send | Read | Sleep
Steps: TypeAlias = Generator[Command, Any, T]


class _Failed(NamedTuple):
    error: APIError
    retryable: bool
    headers: Mapping[str, str]


class Requests:
    """Builds the requests of one call: everything but the attempt's number is fixed at first."""

    __slots__ = ("_content", "_headers", "_http", "_method", "_params", "_timeout", "_url")

    def __init__(
        self, call: Call, config: ClientConfig, http: httpx.Client | httpx.AsyncClient
    ) -> None:
        own: dict[str, str | Omit] = {"Accept": call.accept, RETRY_COUNT_HEADER: "0"}
        self._content = None if call.body is None else encode_body(call.body)
        if self._content is not None:
            own["Content-Type"] = "application/json"
        if call.idempotency_key is not None:
            own["Idempotency-Key"] = call.idempotency_key
        self._headers = merge_headers(own, config.base_headers, call.headers)
        self._http = http
        self._method = call.method
        self._url = str(config.base_url).rstrip("/") + call.path
        self._params = _drop_unset({**config.default_query, **call.query})
        self._timeout = config.timeout if isinstance(call.timeout, NotGiven) else call.timeout

    def build(self, retries_taken: int) -> httpx.Request:
        """Return the request of the attempt that follows `retries_taken` retries."""
        if retries_taken and RETRY_COUNT_HEADER in self._headers:
            self._headers[RETRY_COUNT_HEADER] = str(retries_taken)
        return self._http.build_request(
            self._method,
            self._url,
            params=self._params or None,
            headers=self._headers,
            content=self._content,
            timeout=self._timeout,
        )


def exchange(
    requests: Requests, *, max_retries: int, may_stream: bool = False
) -> Steps[httpx.Response]:
    """Send a call until it succeeds, is refused, or has had all its retries.

    Args:
        requests: Where the attempts come from.
        max_retries: How often to send it again, at most.
        may_stream: Whether an answer that is a stream of events is left unread.

    Returns:
        The 2xx answer, read to the end unless it is such a stream.

    Raises:
        APIError: The last attempt's failure.
    """
    retries_taken = 0
    while True:
        outcome = yield from _attempt(requests.build(retries_taken), may_stream=may_stream)
        if isinstance(outcome, httpx.Response):
            return outcome
        if retries_taken >= max_retries or not outcome.retryable:
            try:
                raise outcome.error
            finally:
                del outcome  # else the error's traceback leads back to the error
        delay_s = retry_delay_s(
            retries_taken,
            outcome.headers,
            now_s=time.time(),
            jitter=random.random(),  # noqa: S311 - spreads load, hides nothing
        )
        retries_taken += 1
        logger.info(
            "retry %d of %d in %.2f s: %s", retries_taken, max_retries, delay_s, outcome.error
        )
        yield Sleep(delay_s)


def _attempt(request: httpx.Request, *, may_stream: bool) -> Steps[httpx.Response | _Failed]:
    response: httpx.Response | None = None
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug("headers of the request: %s", redact_headers(request.headers.multi_items()))
    try:
        answer: httpx.Response = yield Send(request)
        response = answer
        if not (may_stream and answer.is_success and is_event_stream(answer)):
            yield Read(answer)
    except TRANSPORT_ERRORS as error:
        return _Failed(
            transport_error(error, request, response), isinstance(error, _WORTH_ANOTHER_TRY), {}
        )
    logger.info("%s %s -> %d", request.method, redact_url(request.url), answer.status_code)
    if answer.is_success:
        return answer
    retryable = is_retryable(answer.status_code, answer.headers)
    return _Failed(status_error(answer), retryable, answer.headers)


def transport_error(
    error: Exception, request: httpx.Request, response: httpx.Response | None, when: str = ""
) -> APIError:
    """Return our error for one of `TRANSPORT_ERRORS`, with that as its cause.

    Args:
        error: What the transport raised.
        request: The request that it was about.
        response: The response, if it had begun.
        when: What was going on, for the message.
    """
    detail = f"{when}{str(error) or type(error).__name__} ({redact_url(request.url)})"
    ours: APIError
    if isinstance(error, httpx.TimeoutException):
        ours = APITimeoutError(request, message=f"Request timed out: {detail}", response=response)
    elif isinstance(error, httpx.DecodingError) and response is not None:
        ours = APIResponseValidationError(response, None, message=f"Garbled answer: {detail}")
    else:
        ours = APIConnectionError(
            message=f"Connection error: {detail}", request=request, response=response
        )
    ours.__cause__ = error
    return ours


def encode_body(body: Mapping[str, object]) -> bytes:
    """Return the JSON text of a request body, without the values that are `omit`.

    Models (items of an earlier answer, say), mappings, iterables and paths are taken as they are.

    Raises:
        TypeError: A value has no JSON form; the message names its type.
        ValueError: A number is not finite, or a text is not Unicode.
    """
    return _ENCODER.encode(_drop_omitted(body)).encode()


def _encode_value(value: object) -> object:
    match value:
        case BaseModel():
            return value.model_dump(mode="json", exclude_unset=True)
        case os.PathLike():
            return os.fspath(cast("os.PathLike[str]", value))
        case Mapping():
            return dict(cast("Mapping[object, object]", value))
        case bytes() | bytearray():
            raise TypeError("bytes have no JSON form; decode or base64-encode them")
        case Iterable():
            return list(cast("Iterable[object]", value))
        case _:
            raise TypeError(f"a {type(value).__name__} has no JSON form")


_ENCODER: Final = json.JSONEncoder(
    default=_encode_value, ensure_ascii=False, allow_nan=False, separators=(",", ":")
)


def task_path(task_id: str, *rest: str) -> str:
    """Return the path of a task, or of what is below it.

    Raises:
        ValueError: The id is empty, or would be read as a step up in the path.

    >>> task_path("a/b", "cancel")
    '/tasks/a%2Fb/cancel'
    """
    if task_id in {"", ".", ".."}:
        raise ValueError(f"task_id must be the id of a task, not {task_id!r}")
    return "/".join(("/tasks", quote(task_id, safe=""), *rest))


def _drop_omitted(values: Mapping[str, object]) -> dict[str, object]:
    return {name: v for name, v in values.items() if not isinstance(v, Omit | NotGiven)}


def _drop_unset(values: Mapping[str, object]) -> dict[str, Any]:
    return {name: v for name, v in _drop_omitted(values).items() if v is not None}
