"""A transport of httpx on aiohttp: what `DefaultAioHttpClient` sends through.

aiohttp gives the connections (pool, name resolution, happy eyeballs, TLS, tunnels through proxies)
and the parser, which is written in C. Its `ClientSession` is left out: it costs twice as much as
all of these together, adds headers nobody asked for, and quietly sends a GET a second time when
the server hangs up. The request goes to the connection as one write of exact bytes.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from weakref import WeakSet

import aiohttp
import httpx

from ._aiohttp_errors import FAILURES, raise_read_error
from ._aiohttp_pool import PORTS, Lease, Pool, Timeouts
from ._http1 import encode_head


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Sends through aiohttp, for one event loop at a time.

    The connections are made in the loop that is running then. A transport that outlives its loop
    (`asyncio.run` twice) begins anew in the next; two loops at once are refused.

    Args:
        context: For all TLS, that to a proxy included.
        limits: Of the connections; `max_keepalive_connections` counts only as 0 or not 0.
        proxy: Where all requests go through, None for nowhere.

    Raises:
        ValueError: The proxy is one that aiohttp can't use.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        limits: httpx.Limits,
        proxy: httpx.Proxy | None = None,
    ) -> None:
        if proxy is not None and proxy.url.scheme not in PORTS:
            raise ValueError(f"aiohttp knows no {proxy.url.scheme}:// proxies, only http and https")
        if proxy is not None and proxy.ssl_context is not None:
            raise ValueError("aiohttp has one context for proxy and server: give it as verify=")
        self._context = context
        self._limits = limits
        self._proxy = proxy
        self._pool: Pool | None = None
        self._bodies: WeakSet[Body] = WeakSet()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the answer's body is still to be read, or closed."""
        return (await self.send(request))[0]

    async def send(self, request: httpx.Request) -> tuple[httpx.Response, "Body"]:
        """Do the same as `handle_async_request`; the body is the response's stream, by its type.

        Raises:
            httpx.TransportError: No answer came.
            RuntimeError: No asyncio loop runs, or the connections belong to another one.
        """
        pool = self._pool
        if pool is None or pool.loop is not _running_loop():
            pool = await self._begin_anew()
        route = pool.route_to(request)
        head = encode_head(request, route.target_of(request), route.headers_of(request))
        timeouts: Timeouts = request.extensions.get("timeout") or {}
        lease = await pool.lease(route, timeouts, request)
        try:
            await lease.send(request, head, timeouts.get("write"))
            message, content = await lease.receive(request, timeouts.get("read"))
        except BaseException:
            lease.abort()
            raise
        body = Body(content, lease, request, timeouts.get("read"))
        body.is_encoded = "Content-Encoding" in message.headers
        body.sets_cookies = "Set-Cookie" in message.headers
        self._bodies.add(body)
        content.on_eof(lease.give_back)
        version = message.version
        response = Response(
            message.code,
            headers=message.raw_headers,
            stream=body,
            extensions={
                "http_version": b"HTTP/%d.%d" % (version.major, version.minor),
                "reason_phrase": message.reason.encode("utf-8", "surrogateescape"),
            },
        )
        return response, body

    async def aclose(self) -> None:
        """Close all connections, those in use too."""
        pool = self._pool
        if pool is None:
            return
        _check_loop(pool.loop)
        self._pool = None
        for body in list(self._bodies):
            body.abort()  # aiohttp would close the connection without a word to who reads it
        await pool.close()

    async def _begin_anew(self) -> Pool:
        loop = _running_loop()
        stale = self._pool
        if stale is not None:
            _check_loop(stale.loop)
        pool = self._pool = Pool(loop, self._context, self._limits, self._proxy)
        if stale is not None:
            await stale.close()
        return pool


class Response(httpx.Response):
    """A response whose body, if it is read whole, is read in one go."""

    async def aread(self) -> bytes:
        """Read and return the body."""
        body = self.stream
        is_read = self.is_stream_consumed or self.is_closed
        if not isinstance(body, Body) or is_read or body.is_encoded:
            return await super().aread()
        # What httpx does, without its four layers of generators around the body.
        self.is_stream_consumed = True
        content = b"".join([chunk async for chunk in body])
        self._num_bytes_downloaded = len(content)
        self._content = content
        await self.aclose()
        return content


class Body(httpx.AsyncByteStream):
    """The body of an answer, read once: each step gives whatever has arrived.

    Args:
        content: What the parser feeds.
        lease: The connection; given back by the parser at the body's end.
        request: For the errors.
        timeout_s: The longest wait for the next bytes, None for any.

    Attributes:
        is_encoded: Whether the head says that the body is compressed.
        sets_cookies: Whether the head has cookies. Asked for here, because it is quicker in the
            parser's headers than in those of httpx.
    """

    is_encoded = False
    sets_cookies = False

    def __init__(
        self,
        content: aiohttp.StreamReader,
        lease: Lease,
        request: httpx.Request,
        timeout_s: float | None,
    ) -> None:
        self._content = content
        self._lease = lease
        self._request = request
        self._timeout_s = timeout_s
        self._timed: tuple[httpx.Response, float] | None = None

    def time(self, response: httpx.Response, started_at: float) -> None:
        """Have `response.elapsed` set when the body is closed.

        Args:
            response: The response of this body.
            started_at: When the request was sent, by `time.perf_counter`.
        """
        self._timed = response, started_at

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        content = self._content
        try:
            # What has arrived already needs no wait, nor a watch over one.
            chunk = content.read_nowait() or await self._next_of(content)
        except FAILURES as error:
            # What came before the failure is good; the failure shows again after it.
            chunk = _left_in(content)
            if not chunk:
                self.abort()
                raise_read_error(error, self._request)
        except BaseException:
            self.abort()
            raise
        if not chunk:
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        """End the reading, from anywhere: a connection that is not read to the end is closed."""
        self.abort()
        if self._timed is not None:
            (response, started_at), self._timed = self._timed, None
            response.elapsed = timedelta(seconds=time.perf_counter() - started_at)

    def abort(self) -> None:
        """End the reading at once; a task that waits for more is woken up with an error."""
        if not self._lease.is_over:
            # Ends the parser's hold on the lease, too.
            self._content.set_exception(aiohttp.ClientConnectionError("the answer was closed"))
            self._lease.abort()

    async def _next_of(self, content: aiohttp.StreamReader) -> bytes:
        if self._timeout_s is None or content.at_eof():
            return await content.readany()
        watch = self._lease.watch
        watch.begin(content, self._timeout_s)
        try:
            return await content.readany()
        finally:
            watch.end(content)


def _left_in(content: aiohttp.StreamReader) -> bytes:
    # After a failure the public methods raise it at once, whatever they still hold.
    reader: Any = content
    return reader._read_nowait(-1)  # noqa: SLF001


def _running_loop() -> asyncio.AbstractEventLoop:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(
            "aiohttp needs asyncio: under trio use DefaultAsyncHttpxClient"
        ) from None


def _check_loop(loop: asyncio.AbstractEventLoop) -> None:
    if loop is not _running_loop() and not loop.is_closed():
        raise RuntimeError(
            "the connections of this client belong to another event loop that is still running: "
            "make one client per loop"
        )
