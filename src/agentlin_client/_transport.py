"""The two shells that perform what the core asks for: one blocks, one awaits."""

import ssl
import time
from collections.abc import Awaitable, Callable
from functools import cache
from typing import TypeVar

import httpx
from pydantic import BaseModel

from ._config import DEFAULT_CONNECTION_LIMITS, ClientConfig
from ._errors import APIResponseValidationError
from ._request import TRANSPORT_ERRORS, Call, Command, Read, Requests, Send, Sleep, Steps, exchange
from ._response import is_event_stream, parse_response
from ._stream import AsyncStream, EventCodec, Stream

T = TypeVar("T")
ModelT = TypeVar("ModelT", bound=BaseModel)
EventT = TypeVar("EventT")

_NO_CONTENT = 204


@cache
def _ssl_context() -> ssl.SSLContext:
    """Return one context for all clients: loading the certificates costs more than all the rest."""
    return httpx.create_ssl_context()


class SyncTransport:
    """Performs calls with an `httpx.Client`, made to measure if none is given."""

    def __init__(
        self,
        config: ClientConfig,
        http: httpx.Client | None,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._config = config
        self._sleep = sleep
        self.http = http or httpx.Client(
            verify=_ssl_context(),
            timeout=config.timeout,
            limits=DEFAULT_CONNECTION_LIMITS,
            trust_env=config.trusts_environment,
            follow_redirects=True,
        )

    def fetch(self, call: Call, cast_to: type[ModelT]) -> ModelT:
        """Perform a call and return its whole answer as `cast_to`."""
        return parse_response(self._answer(call, may_stream=False), cast_to)

    def follow(self, call: Call, codec: EventCodec[EventT]) -> Stream[EventT]:
        """Perform a call and return its answer, which must be a stream or empty."""
        response = self._answer(call, may_stream=True)
        check_stream(response)
        return Stream(response, codec)

    def fetch_or_follow(
        self, call: Call, cast_to: type[ModelT], codec: EventCodec[EventT]
    ) -> ModelT | Stream[EventT]:
        """Perform a call; the answer's content type decides what is returned."""
        response = self._answer(call, may_stream=True)
        if is_event_stream(response):
            return Stream(response, codec)
        return parse_response(response, cast_to)

    def _answer(self, call: Call, *, may_stream: bool) -> httpx.Response:
        requests = Requests(call, self._config, self.http)
        return self._run(
            exchange(requests, max_retries=self._config.max_retries, may_stream=may_stream)
        )

    def _run(self, steps: Steps[T]) -> T:
        try:
            command = next(steps)
            while True:
                try:
                    outcome = self._perform(command)
                except TRANSPORT_ERRORS as error:
                    command = steps.throw(error)
                else:
                    command = steps.send(outcome)
        except StopIteration as stop:
            return stop.value

    def _perform(self, command: Command) -> object:
        match command:
            case Send(request):
                return self.http.send(request, stream=True)
            case Read(response):
                try:
                    return response.read()
                except BaseException:
                    response.close()
                    raise
            case Sleep(seconds):
                return self._sleep(seconds)


class AsyncTransport:
    """Performs calls with an `httpx.AsyncClient`, made to measure if none is given."""

    def __init__(
        self,
        config: ClientConfig,
        http: httpx.AsyncClient | None,
        *,
        sleep: Callable[[float], Awaitable[None]] | None = None,
    ) -> None:
        self._config = config
        self._sleep = sleep or _sleep
        self.http = http or httpx.AsyncClient(
            verify=_ssl_context(),
            timeout=config.timeout,
            limits=DEFAULT_CONNECTION_LIMITS,
            trust_env=config.trusts_environment,
            follow_redirects=True,
        )

    async def fetch(self, call: Call, cast_to: type[ModelT]) -> ModelT:
        """Perform a call and return its whole answer as `cast_to`."""
        return parse_response(await self._answer(call, may_stream=False), cast_to)

    async def follow(self, call: Call, codec: EventCodec[EventT]) -> AsyncStream[EventT]:
        """Perform a call and return its answer, which must be a stream or empty."""
        response = await self._answer(call, may_stream=True)
        check_stream(response)
        return AsyncStream(response, codec)

    async def fetch_or_follow(
        self, call: Call, cast_to: type[ModelT], codec: EventCodec[EventT]
    ) -> ModelT | AsyncStream[EventT]:
        """Perform a call; the answer's content type decides what is returned."""
        response = await self._answer(call, may_stream=True)
        if is_event_stream(response):
            return AsyncStream(response, codec)
        return parse_response(response, cast_to)

    async def _answer(self, call: Call, *, may_stream: bool) -> httpx.Response:
        requests = Requests(call, self._config, self.http)
        return await self._run(
            exchange(requests, max_retries=self._config.max_retries, may_stream=may_stream)
        )

    async def _run(self, steps: Steps[T]) -> T:
        try:
            command = next(steps)
            while True:
                try:
                    outcome = await self._perform(command)
                except TRANSPORT_ERRORS as error:
                    command = steps.throw(error)
                else:
                    command = steps.send(outcome)
        except StopIteration as stop:
            return stop.value

    async def _perform(self, command: Command) -> object:
        match command:
            case Send(request):
                return await self.http.send(request, stream=True)
            case Read(response):
                try:
                    return await response.aread()
                except BaseException:
                    await response.aclose()
                    raise
            case Sleep(seconds):
                return await self._sleep(seconds)


async def _sleep(seconds: float) -> None:
    # httpx brings anyio along for its async half; it serves asyncio and trio alike.
    import anyio

    await anyio.sleep(seconds)


def check_stream(response: httpx.Response) -> None:
    """Make sure that an answer can be followed.

    Raises:
        APIResponseValidationError: It is neither a stream of events nor empty (204).
    """
    if not is_event_stream(response) and response.status_code != _NO_CONTENT:
        raise APIResponseValidationError(
            response,
            response.text,
            message=(
                "The server's answer is no stream of events but "
                f"{response.headers.get('content-type', 'of no content type')}"
            ),
        )
