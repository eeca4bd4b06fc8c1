"""The transport behind `with_raw_response` and `with_streaming_response`.

A resource on top of it returns answers instead of what is in them; that is all it takes. Type
checkers are told by `to_raw` and `to_streamed`.
"""

from __future__ import annotations

from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, cast

from ._misuse import AsyncContextGuard

if TYPE_CHECKING:
    from collections.abc import (
        Awaitable,  # async only
        Callable,
    )
    from types import TracebackType
    from typing import TypeAlias

    from pydantic import BaseModel

    from ._async_api_response import AsyncAPIResponse
    from ._async_stream import AsyncStream
    from ._async_transport import AsyncTransport
    from ._call import Call
    from ._config import ClientConfig
    from .types import AgentTaskEvent

    ModelT = TypeVar("ModelT", bound=BaseModel)

P = ParamSpec("P")
T = TypeVar("T")

if TYPE_CHECKING:
    Method: TypeAlias = Callable[P, Awaitable[T]]  # async only
    RawMethod: TypeAlias = Callable[P, Awaitable[AsyncAPIResponse[T]]]  # async only
    # sync only: Method: TypeAlias = Callable[P, T]
    # sync only: RawMethod: TypeAlias = Callable[P, APIResponse[T]]


class AsyncRawTransport:
    """Performs calls like `AsyncTransport`, method by method, and returns the answers whole."""

    def __init__(self, transport: AsyncTransport, *, keep_open: bool) -> None:
        """Answer with the calls of `transport`; leave bodies unread if `keep_open`."""
        self._transport = transport
        self._keep_open = keep_open

    @property
    def config(self) -> ClientConfig:
        """The options of the client."""
        return self._transport.config

    async def fetch(self, call: Call, cast_to: type[ModelT]) -> AsyncAPIResponse[ModelT]:
        """Perform a call whose answer is a `cast_to`."""
        return await self._answered(call, cast_to)

    async def fetch_page(
        self, call: Call, cast_to: type[ModelT], page: Callable[[AsyncTransport, Call, ModelT], T]
    ) -> AsyncAPIResponse[T]:
        """Perform a call whose answer is a page; the next ones come as they always do."""
        return await self._answered(call, cast_to, finish=partial(page, self._transport, call))

    async def follow(
        self, call: Call, *, until_final: bool = False, after: int | None = None
    ) -> AsyncAPIResponse[AsyncStream[AgentTaskEvent]]:
        """Perform a call whose answer is a stream, or empty."""
        from ._async_stream import AsyncStream

        return await self._answered(
            call, AsyncStream, may_stream=True, until_final=until_final, after=after
        )

    async def fetch_or_follow(
        self, call: Call, cast_to: type[ModelT]
    ) -> AsyncAPIResponse[ModelT | AsyncStream[AgentTaskEvent]]:
        """Perform a call; the answer's content type decides what is in it."""
        return await self._answered(call, cast_to, may_stream=True)

    async def request(self, call: Call, cast_to: Any) -> AsyncAPIResponse[Any]:
        """Perform a call of any kind."""
        if call.is_stream:
            return await self.follow(call)
        return await self._answered(call, cast_to)

    async def _answered(
        self,
        call: Call,
        cast_to: Any,
        *,
        may_stream: bool = False,
        finish: Callable[[Any], Any] | None = None,
        until_final: bool = False,
        after: int | None = None,
    ) -> AsyncAPIResponse[Any]:
        from ._async_api_response import AsyncAPIResponse
        from ._async_stream import AsyncStream
        from ._bodies import ready_async
        from ._response import is_event_stream

        call = await ready_async(call)
        transport = self._transport
        response = await transport.answer(call, may_stream=may_stream, keep_open=self._keep_open)
        return AsyncAPIResponse(
            response,
            AsyncStream if may_stream and is_event_stream(response) else cast_to,
            partial(transport.opened, call, response, until_final=until_final, after=after),
            is_strict=transport.config.is_strict,
            finish=finish,
        )


def raw_transport(transport: AsyncTransport, *, keep_open: bool = False) -> AsyncTransport:
    """Return the raw transport over another one, for a resource that takes it for a plain one."""
    return cast("AsyncTransport", AsyncRawTransport(transport, keep_open=keep_open))


class AsyncResponseContextManager(AsyncContextGuard, Generic[T]):
    """A request that is sent when this is entered, and whose answer is closed when it is left."""

    def __init__(self, send: RawMethod[[], T]) -> None:
        self._send = send
        self._response: AsyncAPIResponse[T] | None = None

    async def __aenter__(self) -> AsyncAPIResponse[T]:
        self._response = await self._send()
        return self._response

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._response is not None:
            await self._response.close()


def to_raw(method: Method[P, T]) -> RawMethod[P, T]:
    """Return a method of a resource on top of a raw transport as what it is."""
    return cast("Any", method)


def to_streamed(method: Method[P, T]) -> Callable[P, AsyncResponseContextManager[T]]:
    """Return a method of a resource on top of a raw transport, to be entered."""

    @wraps(method)
    def prepared(*args: P.args, **params: P.kwargs) -> AsyncResponseContextManager[T]:
        return AsyncResponseContextManager(partial(to_raw(method), *args, **params))

    return prepared
