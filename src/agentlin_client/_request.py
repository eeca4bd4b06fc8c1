"""One call as a conversation of plain commands: the core that sync and async clients share.

`Caller.exchange` is a generator that does no I/O: it yields what is to be done (`Send`, `Read`,
`Sleep`) and is sent the outcome, or has the exception thrown in. A client is a loop around it that
knows how to perform three commands; everything that can be got wrong (what is retried, after how
long, with which headers, as which error) is here, once.
"""

from __future__ import annotations

import logging
import random
import socket
import ssl
import time
from typing import TYPE_CHECKING, Final, NamedTuple

import httpx

from ._build import RequestFactory
from ._commands import Read, Send, Sleep
from ._config import is_loopback
from ._errors import (
    APIConnectionError,
    APIError,
    APIResponseValidationError,
    APITimeoutError,
)
from ._log import logger, redact_headers, redact_url
from ._response import forget_body, is_event_stream, status_error
from ._retry import Retry, is_retryable, retry_delay_s

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._call import Call
    from ._commands import Steps
    from ._config import ClientConfig

TRANSPORT_ERRORS: Final = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.StreamError,
    ConnectionError,
    socket.gaierror,
    ssl.SSLError,
    UnicodeError,  # a host name that can't be looked up
)
"""What performing a command may raise; all of it becomes an error of ours."""

RETRIES_TAKEN: Final = "agentlin.retries_taken"
"""The extension of an answer that says how many times its request was sent again."""
IS_STREAM: Final = "agentlin.is_stream"
"""The extension of an answer that says whether it is a stream of events, left unread."""

_WORTH_ANOTHER_TRY: Final = (
    httpx.TimeoutException,
    httpx.NetworkError,
    httpx.ProxyError,
    httpx.RemoteProtocolError,
    ConnectionError,
    socket.gaierror,
    ssl.SSLError,
)


class _Failed(NamedTuple):
    error: APIError
    retryable: bool
    headers: Mapping[str, str]


class Caller:
    """Makes the calls of one client, without doing them: see the module."""

    __slots__ = ("_factory", "config")

    def __init__(self, config: ClientConfig, http: httpx.Client | httpx.AsyncClient) -> None:
        self.config: ClientConfig = config
        self._factory = RequestFactory(config, http)

    def exchange(
        self, call: Call, *, may_stream: bool = False, keep_open: bool = False
    ) -> Steps[httpx.Response]:
        """Send a call until it succeeds, is refused, or has had all its retries.

        Args:
            call: The call.
            may_stream: Leave the answer's body unread if it is a stream of events.
            keep_open: Leave it unread whatever it is.

        Returns:
            The 2xx answer, else read to the end.

        Raises:
            APIError: The last attempt's failure.
        """
        attempt = self._factory.attempts(call)
        retries_max = self.retries_max(call)
        retries_taken = 0
        while True:
            outcome = yield from _attempted(
                attempt(retries_taken), may_stream=may_stream, keep_open=keep_open
            )
            if isinstance(outcome, httpx.Response):
                outcome.extensions[RETRIES_TAKEN] = retries_taken
                return outcome
            if retries_taken >= retries_max or not outcome.retryable:
                if call.note is not None and isinstance(outcome.error, APIConnectionError):
                    outcome.error.add_note(call.note)
                try:
                    raise outcome.error
                finally:
                    del outcome  # else the error's traceback leads back to the error
            delay_s = back_off_s(retries_taken, outcome.headers)
            retries_taken += 1
            yield self.pause(Retry(retries_taken, retries_max, delay_s, outcome.error))

    def retries_max(self, call: Call) -> int:
        """Return how often a call may be sent again."""
        return self.config.max_retries if call.max_retries is None else call.max_retries

    def pause(self, retry: Retry) -> Sleep:
        """Return the wait before a retry, after telling the log and the `on_retry` hook."""
        logger.info(
            "retry %d of %d in %.2f s: %s",
            retry.number,
            retry.retries_max,
            retry.delay_s,
            retry.error,
        )
        if self.config.on_retry is not None:
            self.config.on_retry(retry)
        return Sleep(retry.delay_s)


def back_off_s(retries_taken: int, headers: Mapping[str, str]) -> float:
    """Return how long to wait after that many retries, in seconds; see `retry_delay_s`."""
    return retry_delay_s(
        retries_taken,
        headers,
        now_s=time.time(),
        jitter=random.random(),  # noqa: S311 - spreads load, hides nothing
    )


def _attempted(
    request: httpx.Request, *, may_stream: bool, keep_open: bool
) -> Steps[httpx.Response | _Failed]:
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug("headers of the request: %s", redact_headers(request.headers.multi_items()))
    try:
        answer: httpx.Response = yield Send(request)
    except httpx.HTTPStatusError as error:  # a hook has called raise_for_status
        answer = error.response
    except TRANSPORT_ERRORS as error:
        return _broken(error, request, None)
    try:
        is_stream = answer.extensions[IS_STREAM] = may_stream and is_event_stream(answer)
        if not (answer.is_success and (keep_open or is_stream)):
            if not answer.is_closed:
                yield Read(answer)
            forget_body(answer)
    except TRANSPORT_ERRORS as error:
        return _broken(error, request, answer)
    if logger.isEnabledFor(logging.INFO):
        logger.info("%s %s -> %d", request.method, redact_url(request.url), answer.status_code)
    if answer.is_success:
        return answer
    retryable = is_retryable(answer.status_code, answer.headers)
    return _Failed(status_error(answer), retryable, answer.headers)


def _broken(error: Exception, request: httpx.Request, response: httpx.Response | None) -> _Failed:
    ours = transport_error(error, request, response)
    return _Failed(ours, isinstance(error, _WORTH_ANOTHER_TRY), {})


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
        if isinstance(error, httpx.ConnectError) and is_loopback(request.url.host):
            detail += "; is a server running there? `agentlin serve` starts one"
        ours = APIConnectionError(
            message=f"Connection error: {detail}", request=request, response=response
        )
    ours.__cause__ = error
    return ours
