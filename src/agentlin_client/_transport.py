# Generated from _async_transport.py by scripts/generate_sync.py: change that one.

"""The shell that performs what the core asks for, with an `httpx.Client`.

The HTTP client is made with the first request: until then neither httpx nor pydantic is loaded.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from ._commands import Read, Send
from ._errors import ClientError
from ._sleep import sleep

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx
    from pydantic import BaseModel

    from ._call import Call
    from ._commands import Command, Steps
    from ._config import ClientConfig
    from ._request import Caller
    from ._stream import Stream
    from .types import AgentTaskEvent

    T = TypeVar("T")
    ModelT = TypeVar("ModelT", bound=BaseModel)


class Transport:
    """Performs the calls of one client, or of several that share their connections."""

    def __init__(self, config: ClientConfig, pool: Pool) -> None:
        self.config = config
        self.pool = pool
        self._sleep = sleep
        self._caller: Caller | None = None

    def fetch(self, call: Call, cast_to: type[ModelT]) -> ModelT:
        """Perform a call and return its whole answer as `cast_to`."""
        from ._response import parse_model

        return parse_model(self.answer(call), cast_to, is_strict=self.config.is_strict)

    def fetch_page(
        self, call: Call, cast_to: type[ModelT], page: Callable[[Transport, Call, ModelT], T]
    ) -> T:
        """Perform a call and return the `page` of its answer, which can fetch the next one."""
        return page(self, call, self.fetch(call, cast_to))

    def follow(
        self, call: Call, *, until_final: bool = False, after: int | None = None
    ) -> Stream[AgentTaskEvent]:
        """Perform a call and return its answer, which must be a stream or empty.

        Args:
            call: The call.
            until_final: The stream goes on while the task rests.
            after: Number of the event that the stream begins after, None if it is not known.
        """
        from ._bodies import ready
        from ._response import check_stream

        call = ready(call)
        response = self.answer(call, may_stream=True)
        check_stream(response)
        return self.opened(call, response, until_final=until_final, after=after)

    def fetch_or_follow(self, call: Call, cast_to: type[ModelT]) -> ModelT | Stream[AgentTaskEvent]:
        """Perform a call; the answer's content type decides what is returned."""
        from ._bodies import ready
        from ._request import IS_STREAM
        from ._response import parse_model

        call = ready(call)
        response = self.answer(call, may_stream=True)
        if response.extensions[IS_STREAM]:
            return self.opened(call, response)
        return parse_model(response, cast_to, is_strict=self.config.is_strict)

    def request(self, call: Call, cast_to: Any) -> Any:
        """Perform a call of any kind; see `Verbs` for `cast_to`."""
        if call.is_stream:
            return self.follow(call)
        from ._response import parse_as

        return parse_as(self.answer(call), cast_to, is_strict=self.config.is_strict)

    def opened(
        self,
        call: Call,
        response: httpx.Response,
        *,
        until_final: bool = False,
        after: int | None = None,
    ) -> Stream[AgentTaskEvent]:
        """Return the stream of an answer that is one, or that is empty."""
        from ._reader import EventReader
        from ._stream import Stream

        reader = EventReader(self.caller, call, until_final=until_final, after=after)
        reader.begin(response)
        return Stream(reader, self.run)

    def answer(
        self, call: Call, *, may_stream: bool = False, keep_open: bool = False
    ) -> httpx.Response:
        """Perform a call, retried where that is worth it; see `Caller.exchange`."""
        from ._bodies import ready

        call = ready(call)
        return self.run(self.caller.exchange(call, may_stream=may_stream, keep_open=keep_open))

    @property
    def caller(self) -> Caller:
        """The core, bound to the HTTP client."""
        if self._caller is None:
            from ._request import Caller

            self._caller = Caller(self.config, self.pool.http)
        return self._caller

    def run(self, steps: Steps[T]) -> T:
        """Perform the commands of a conversation until it is over; return what it comes to."""
        from ._request import TRANSPORT_ERRORS

        advance: Callable[[Any], Command] = steps.send
        outcome: Any = None
        while True:
            try:
                command = advance(outcome)
            except StopIteration as stop:  # of the steps alone: a mock may raise its own
                return stop.value
            finally:
                outcome = None  # an error would lead back to itself by this frame
            try:
                outcome = self._perform(command)
                advance = steps.send
            except TRANSPORT_ERRORS as error:
                outcome = error
                advance = steps.throw

    def _perform(self, command: Command) -> object:
        if isinstance(command, Send):
            return self._send(command.request)
        if isinstance(command, Read):
            try:
                return command.response.read()
            except BaseException:
                command.response.close()
                raise
        return self._sleep(command.seconds)

    def _send(self, request: httpx.Request) -> httpx.Response:
        response = self.pool.http.send(request, stream=True)
        if self.pool.is_closed:  # meanwhile: a connection that was being made was not among those
            response.close()
            raise ClientError("this client was closed before the answer came")
        return response


class Pool:
    """The HTTP client, and with it the connections; made when it is first used.

    Attributes:
        given: The HTTP client that the user brought, None if it is ours.
    """

    def __init__(self, config: ClientConfig, http: httpx.Client | None) -> None:
        self.given = http
        self._config = config
        self._http = http
        self._is_closed = False
        self._lock = Lock()

    @property
    def http(self) -> httpx.Client:
        """The HTTP client.

        Raises:
            ClientError: It is closed, or in use in another event loop.
        """
        http = self._http or self._make()
        if self._is_closed or http.is_closed:
            raise ClientError("this client is closed: make a new one")
        return http

    @property
    def is_closed(self) -> bool:
        """Whether the HTTP client is closed."""
        return self._is_closed or (self._http is not None and self._http.is_closed)

    def close(self) -> None:
        """Close all connections; nothing can be sent afterwards."""
        self._is_closed = True
        if self._http is not None:
            self._http.close()

    def _make(self) -> httpx.Client:
        from ._http import default_client

        with self._lock:  # two threads may send their first requests at once
            if self._http is None:
                self._http = default_client(self._config)
            return self._http
