# Generated from _async_raw_transport.py by scripts/generate_sync.py: change that one.

"""The transport behind `with_raw_response` and `with_streaming_response`.

A resource on top of it returns answers instead of what is in them; that is all it takes. Type
checkers are told by `to_raw` and `to_streamed`.
"""

from __future__ import annotations

from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, cast

from ._misuse import ContextGuard

if TYPE_CHECKING:
    from collections.abc import (
        Callable,
    )
    from types import TracebackType
    from typing import TypeAlias

    from pydantic import BaseModel

    from ._api_response import APIResponse
    from ._call import Call
    from ._config import ClientConfig
    from ._stream import Stream
    from ._transport import Transport
    from .types import AgentTaskEvent

    ModelT = TypeVar("ModelT", bound=BaseModel)

P = ParamSpec("P")
T = TypeVar("T")

if TYPE_CHECKING:
    Method: TypeAlias = Callable[P, T]
    RawMethod: TypeAlias = Callable[P, APIResponse[T]]


class RawTransport:
    """Performs calls like `Transport`, method by method, and returns the answers whole."""

    def __init__(self, transport: Transport, *, keep_open: bool) -> None:
        """Answer with the calls of `transport`; leave bodies unread if `keep_open`."""
        self._transport = transport
        self._keep_open = keep_open

    @property
    def config(self) -> ClientConfig:
        """The options of the client."""
        return self._transport.config

    def fetch(self, call: Call, cast_to: type[ModelT]) -> APIResponse[ModelT]:
        """Perform a call whose answer is a `cast_to`."""
        return self._answered(call, cast_to)

    def fetch_page(
        self, call: Call, cast_to: type[ModelT], page: Callable[[Transport, Call, ModelT], T]
    ) -> APIResponse[T]:
        """Perform a call whose answer is a page; the next ones come as they always do."""
        return self._answered(call, cast_to, finish=partial(page, self._transport, call))

    def follow(
        self, call: Call, *, until_final: bool = False, after: int | None = None
    ) -> APIResponse[Stream[AgentTaskEvent]]:
        """Perform a call whose answer is a stream, or empty."""
        from ._stream import Stream

        return self._answered(call, Stream, may_stream=True, until_final=until_final, after=after)

    def fetch_or_follow(
        self, call: Call, cast_to: type[ModelT]
    ) -> APIResponse[ModelT | Stream[AgentTaskEvent]]:
        """Perform a call; the answer's content type decides what is in it."""
        return self._answered(call, cast_to, may_stream=True)

    def request(self, call: Call, cast_to: Any) -> APIResponse[Any]:
        """Perform a call of any kind."""
        if call.is_stream:
            return self.follow(call)
        return self._answered(call, cast_to)

    def _answered(
        self,
        call: Call,
        cast_to: Any,
        *,
        may_stream: bool = False,
        finish: Callable[[Any], Any] | None = None,
        until_final: bool = False,
        after: int | None = None,
    ) -> APIResponse[Any]:
        from ._api_response import APIResponse
        from ._bodies import ready
        from ._response import is_event_stream
        from ._stream import Stream

        call = ready(call)
        transport = self._transport
        response = transport.answer(call, may_stream=may_stream, keep_open=self._keep_open)
        return APIResponse(
            response,
            Stream if may_stream and is_event_stream(response) else cast_to,
            partial(transport.opened, call, response, until_final=until_final, after=after),
            is_strict=transport.config.is_strict,
            finish=finish,
        )


def raw_transport(transport: Transport, *, keep_open: bool = False) -> Transport:
    """Return the raw transport over another one, for a resource that takes it for a plain one."""
    return cast("Transport", RawTransport(transport, keep_open=keep_open))


class ResponseContextManager(ContextGuard, Generic[T]):
    """A request that is sent when this is entered, and whose answer is closed when it is left."""

    def __init__(self, send: RawMethod[[], T]) -> None:
        self._send = send
        self._response: APIResponse[T] | None = None

    def __enter__(self) -> APIResponse[T]:
        self._response = self._send()
        return self._response

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._response is not None:
            self._response.close()


def to_raw(method: Method[P, T]) -> RawMethod[P, T]:
    """Return a method of a resource on top of a raw transport as what it is."""
    return cast("Any", method)


def to_streamed(method: Method[P, T]) -> Callable[P, ResponseContextManager[T]]:
    """Return a method of a resource on top of a raw transport, to be entered."""

    @wraps(method)
    def prepared(*args: P.args, **params: P.kwargs) -> ResponseContextManager[T]:
        return ResponseContextManager(partial(to_raw(method), *args, **params))

    return prepared
