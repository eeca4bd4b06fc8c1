"""The fake server as an httpx transport, blocking and async; only this module knows httpx."""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Final
from urllib.parse import unquote

import httpx

from ._backend import Backend
from ._faults import TransportError
from ._requests import RecordedRequest
from ._wire import Body, StopStreamError, Wait

_BASE: Final = re.compile(r"^.*?(?=/tasks(?:/|$))")


class FakeTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Gives requests to a `FakeServer`, without a socket: `httpx.Client(transport=...)`."""

    def __init__(self, backend: Backend) -> None:
        """Give requests to `backend`."""
        self._backend = backend

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request of a blocking client."""
        request.read()
        return self._handle(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request of an async client."""
        await request.aread()
        return self._handle(request)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        try:
            answer = self._backend.handle(_recorded(request))
        except TransportError as error:
            raise _httpx_error(error, request) from None
        body = answer.body
        if isinstance(body, bytes):
            return httpx.Response(answer.status, headers=answer.headers, content=body)
        stream = _FakeStream(self._backend, body, request)
        return httpx.Response(answer.status, headers=answer.headers, stream=stream)


class _FakeStream(httpx.SyncByteStream, httpx.AsyncByteStream):
    """The body of an answer that comes piece by piece."""

    def __init__(self, backend: Backend, body: Body, request: httpx.Request) -> None:
        self._backend = backend
        self._body = body
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        has_changed: bool | None = None
        while (piece := self._step(has_changed=has_changed)) is not None:
            has_changed = None
            if isinstance(piece, Wait):
                has_changed = self._backend.wait(piece)
            else:
                yield piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        from anyio import to_thread
        from anyio.lowlevel import checkpoint

        has_changed: bool | None = None
        while (piece := self._step(has_changed=has_changed)) is not None:
            has_changed = None
            await checkpoint()  # as a socket would, let others have their turn
            if not isinstance(piece, Wait):
                yield piece
                continue
            try:
                has_changed = await to_thread.run_sync(
                    self._backend.wait, piece, abandon_on_cancel=True
                )
            except BaseException:
                self._backend.wake()  # so that the thread does not wait for nobody
                raise

    def close(self) -> None:
        """Forget the rest, also while somebody waits for it; the task goes on."""
        self._backend.close(self._body)

    async def aclose(self) -> None:
        """Forget the rest, also while somebody waits for it; the task goes on."""
        self._backend.close(self._body)

    def _step(self, *, has_changed: bool | None) -> bytes | Wait | None:
        try:
            return self._backend.step(self._body, has_changed=has_changed)
        except (StopIteration, StopStreamError):
            return None
        except TransportError as error:
            raise _httpx_error(error, self._request) from None


def _httpx_error(error: TransportError, request: httpx.Request) -> httpx.RequestError:
    kind: type[httpx.RequestError] = getattr(httpx, error.kind)
    return kind(str(error), request=request)


def _recorded(request: httpx.Request) -> RecordedRequest:
    path = request.url.raw_path.decode("ascii").partition("?")[0]
    timeout: dict[str, float | None] = request.extensions.get("timeout") or {}
    params = request.url.params
    return RecordedRequest(
        method=request.method,
        path=unquote(_BASE.sub("", path)),
        url=str(request.url),
        query={name: params.get_list(name) for name in params},
        headers=dict(request.headers),
        content=request.content,
        timeout=timeout,
    )
