"""From a call to the requests of its attempts: URL, headers, body, time-outs."""

import json
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final, cast

import httpx
from pydantic import BaseModel

from ._call import Call
from ._config import ClientConfig, merge_headers
from ._defaults import Timeout, stream_timeout, timeout_of
from ._files import holds_files, with_files
from ._log import logger, redact_body
from ._sentinels import NotGiven, Omit

RETRY_COUNT_HEADER: Final = "x-stainless-retry-count"

Attempt = Callable[[int], httpx.Request]
"""From the number of retries so far to the request that is sent next."""

_SHOWN_CHARS_MAX: Final = 80
_UNSET: Final = frozenset({Omit, NotGiven})  # classes without subclasses

_OF_THE_CALL: Final = frozenset({"accept", "content-type", "idempotency-key", RETRY_COUNT_HEADER})
"""Headers that each call has of its own."""
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})  # they say so if they have none
_PLAIN_BUILDERS: Final = (httpx.Client.build_request, httpx.AsyncClient.build_request)


class RequestFactory:
    """Builds the requests of one client; what all of them share is made once."""

    __slots__ = ("_common", "_common_of", "_config", "_http", "_is_plain", "_timeout")

    def __init__(self, config: ClientConfig, http: httpx.Client | httpx.AsyncClient) -> None:
        self._config = config
        self._http = http
        self._timeout = timeout_of(config.timeout, http)
        self._common_of: list[tuple[bytes, bytes]] | None = None
        self._common: dict[str, str] = {}
        # Another class may build its requests in its own way.
        self._is_plain = type(http).build_request in _PLAIN_BUILDERS

    def attempts(self, call: Call) -> Attempt:
        """Return what builds the call's requests: all but the attempt's number is fixed now.

        Raises:
            TypeError, ValueError: The call can't be put on the wire; see `encode_body` and
                `merge_headers`.
        """
        content = cast("bytes | None", encoded(call).body)
        headers = self._headers(call, has_body=content is not None)
        timeout = self._timeout_of(call)
        url = _url(self._config.base_url, call.path)
        if params := _drop_unset({**self._config.default_query, **(call.query or {})}):
            url = url.copy_merge_params(params)  # a path may bring a query of its own
        http = self._http
        if not self._is_plain or http.cookies or http.params:

            def build_as_client_does(retries_taken: int) -> httpx.Request:
                return http.build_request(
                    call.method,
                    url.copy_with(query=None),
                    params=url.params,
                    headers=_counted(headers, retries_taken),
                    content=content,
                    timeout=timeout,
                )

            return build_as_client_does

        # What `build_request` comes to, without the merging that is done already: it would take
        # a third of the time of a whole create. Given a stream, httpx adds no headers itself.
        extensions = {"timeout": timeout.as_dict()}
        body = httpx.ByteStream(content or b"")
        if content is not None or call.method in _WITH_BODY:
            headers["Content-Length"] = str(len(content or b""))

        def build(retries_taken: int) -> httpx.Request:
            request = httpx.Request(
                call.method,
                url,
                headers=_counted(headers, retries_taken),
                stream=body,
                extensions=extensions,
            )
            request.read()  # as httpx does: hooks and mocks look at the content
            return request

        return build

    def _headers(self, call: Call, *, has_body: bool) -> dict[str, str]:
        own: dict[str, str] = {"Accept": call.accept, RETRY_COUNT_HEADER: "0"}
        if has_body:
            own["Content-Type"] = "application/json"
        if call.idempotency_key is not None:
            own["Idempotency-Key"] = call.idempotency_key
        if call.headers or self._config.default_headers:
            layers = (self._below(), own, self._config.base_headers, call.headers or {})
            return merge_headers(*layers)
        return {**self._shared_headers(), **own}

    def _shared_headers(self) -> dict[str, str]:
        """Return what every request sends besides its own; the http client's may change."""
        raw = self._http.headers.raw
        if raw != self._common_of:
            common = merge_headers(self._below(), self._config.base_headers)
            self._common = {k: v for k, v in common.items() if k.lower() not in _OF_THE_CALL}
            self._common_of = raw
        return self._common

    def _below(self) -> dict[str, str]:
        """Return what the http client sends by itself, where it is we who must see to that."""
        if not self._is_plain:
            return {}
        host = _url(self._config.base_url).netloc.decode("ascii")
        return {"Host": host, **self._http.headers}

    def _timeout_of(self, call: Call) -> Timeout:
        if not isinstance(call.timeout, NotGiven):
            return Timeout(call.timeout)
        if call.is_stream:
            return stream_timeout(self._timeout, self._config.stream_idle_timeout)
        return self._timeout


def encoded(call: Call) -> Call:
    """Return the call with its body as JSON text, so that it can be sent again as it is.

    What a body holds may be there only once: an iterator, an open file.
    """
    if call.body is None or isinstance(call.body, bytes):
        return call
    return call._replace(body=encode_body(call.body))


def encode_body(body: Mapping[str, object]) -> bytes:
    """Return the JSON text of a request body, without the values that are `omit`.

    Models (items of an earlier answer, say), mappings, iterables and paths are taken as they are;
    files in messages are read and become content items.

    Raises:
        OSError: A file can't be read.
        TypeError: A value has no JSON form; the message names parameter and type.
        ValueError: A number is not finite, or a text is not Unicode.
    """
    if holds_files(body):
        body = with_files(body)
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug("body of the request: %s", redact_body(body))
    kept = _drop_omitted(body)
    try:
        return _ENCODER.encode(kept).encode()
    except (TypeError, ValueError) as error:
        raise _named(error, kept) from error


def _named(error: TypeError | ValueError, body: Mapping[str, object]) -> TypeError | ValueError:
    """Return the error with the parameter that it is about."""
    kind = TypeError if isinstance(error, TypeError) else ValueError
    for name, value in body.items():
        try:
            _ENCODER.encode(value).encode()
        except (TypeError, ValueError) as again:
            return kind(f"{name}: {again}")
    return kind(str(error))


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
            raise TypeError(f"{type(value).__name__} has no JSON form")


_ENCODER: Final = json.JSONEncoder(
    default=_encode_value, ensure_ascii=False, allow_nan=False, separators=(",", ":")
)


@lru_cache(maxsize=64)
def _url(base: str, path: str = "") -> httpx.URL:
    try:
        return httpx.URL(base + path)
    except httpx.InvalidURL as error:
        # It is the path's fault: `resolve_config` has looked at the base URL.
        shown = path if len(path) <= _SHOWN_CHARS_MAX else f"{path[:_SHOWN_CHARS_MAX]}..."
        raise ValueError(f"{shown!r} can't be a path: {error}") from None


def _counted(headers: dict[str, str], retries_taken: int) -> dict[str, str]:
    if retries_taken and RETRY_COUNT_HEADER in headers:
        return {**headers, RETRY_COUNT_HEADER: str(retries_taken)}
    return headers


def _drop_omitted(values: Mapping[str, object]) -> dict[str, object]:
    return {name: v for name, v in values.items() if type(v) not in _UNSET}


def _drop_unset(values: Mapping[str, object]) -> dict[str, Any]:
    return {name: v for name, v in _drop_omitted(values).items() if v is not None}
