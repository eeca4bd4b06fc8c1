"""`client.get`, `client.post` and so on: endpoints that the SDK has no method for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

from ._verb_call import verb_call

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal, Unpack

    from ._async_stream import AsyncStream
    from ._async_transport import AsyncTransport
    from ._call import CallOptions
    from ._options import RequestOptions
    from .types import AgentTaskEvent

T = TypeVar("T")


class AsyncVerbs:
    """The methods of HTTP, for endpoints and parameters that the SDK does not know.

    All options of the client apply, retries included. `cast_to` says what becomes of the answer:
    a model or any type that pydantic can validate, `dict`, `str` (the text), `bytes`,
    `httpx.Response` (as it is, read) or `NoneType` (nothing). With `stream=True` the answer must
    be a stream of task events, and `cast_to` is not looked at.

    Each raises APIConnectionError, an APIStatusError by the answer's status, and
    APIResponseValidationError if the answer is not of type `cast_to`.
    """

    _transport: AsyncTransport

    @overload
    async def get(
        self,
        path: str,
        *,
        cast_to: type[T],
        options: RequestOptions | None = None,
        stream: Literal[False] = False,
        **extras: Unpack[CallOptions],
    ) -> T: ...

    @overload
    async def get(
        self,
        path: str,
        *,
        cast_to: object = None,
        options: RequestOptions | None = None,
        stream: Literal[True],
        **extras: Unpack[CallOptions],
    ) -> AsyncStream[AgentTaskEvent]: ...

    async def get(
        self,
        path: str,
        *,
        cast_to: Any = None,
        options: RequestOptions | None = None,
        stream: bool = False,
        **extras: Unpack[CallOptions],
    ) -> Any:
        """Send GET to a path below the base URL; see the class."""
        call = verb_call("GET", path, None, options, stream=stream, **extras)
        return await self._transport.request(call, cast_to)

    @overload
    async def post(
        self,
        path: str,
        *,
        cast_to: type[T],
        body: Mapping[str, object] | None = None,
        options: RequestOptions | None = None,
        stream: Literal[False] = False,
        **extras: Unpack[CallOptions],
    ) -> T: ...

    @overload
    async def post(
        self,
        path: str,
        *,
        cast_to: object = None,
        body: Mapping[str, object] | None = None,
        options: RequestOptions | None = None,
        stream: Literal[True],
        **extras: Unpack[CallOptions],
    ) -> AsyncStream[AgentTaskEvent]: ...

    async def post(
        self,
        path: str,
        *,
        cast_to: Any = None,
        body: Mapping[str, object] | None = None,
        options: RequestOptions | None = None,
        stream: bool = False,
        **extras: Unpack[CallOptions],
    ) -> Any:
        """Send POST, with a JSON body if there is one; see the class."""
        call = verb_call("POST", path, body, options, stream=stream, **extras)
        return await self._transport.request(call, cast_to)

    async def put(
        self,
        path: str,
        *,
        cast_to: type[T],
        body: Mapping[str, object] | None = None,
        options: RequestOptions | None = None,
        **extras: Unpack[CallOptions],
    ) -> T:
        """Send PUT, with a JSON body if there is one; see the class."""
        return await self._transport.request(
            verb_call("PUT", path, body, options, **extras), cast_to
        )

    async def patch(
        self,
        path: str,
        *,
        cast_to: type[T],
        body: Mapping[str, object] | None = None,
        options: RequestOptions | None = None,
        **extras: Unpack[CallOptions],
    ) -> T:
        """Send PATCH, with a JSON body if there is one; see the class."""
        return await self._transport.request(
            verb_call("PATCH", path, body, options, **extras), cast_to
        )

    async def delete(
        self,
        path: str,
        *,
        cast_to: type[T],
        body: Mapping[str, object] | None = None,
        options: RequestOptions | None = None,
        **extras: Unpack[CallOptions],
    ) -> T:
        """Send DELETE, with a JSON body if there is one; see the class."""
        return await self._transport.request(
            verb_call("DELETE", path, body, options, **extras), cast_to
        )
