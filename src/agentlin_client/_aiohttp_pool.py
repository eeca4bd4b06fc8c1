"""Connections of aiohttp, and how one request and its answer use one."""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final, NamedTuple

import aiohttp
import httpx
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http import RawResponseMessage, StreamWriter
from multidict import CIMultiDict
from yarl import URL

from ._aiohttp_errors import FAILURES, raise_connect_error, raise_read_error
from ._http1 import BodyFrames, Head
from ._tls import loaded

PORTS: Final = {"http": 80, "https": 443}

_ROUTES_MAX: Final = 64
_WRITE_BYTES: Final = 64 * 1024
"""A body up to this size goes out with the head; a larger one in pieces of this size."""
_HEAD_LINE_BYTES_MAX: Final = 64 * 1024
"""Longest line in the head of an answer; aiohttp's own 8 KiB is less than httpx takes."""
_FOR_EVER_S: Final = 86_400.0
"""How long an idle connection is kept where the limits name no time; aiohttp wants one."""
_SWITCHING_PROTOCOLS: Final = 101
_FINAL_FROM: Final = 200

Waited = aiohttp.StreamReader | ResponseHandler
"""What a task can wait for, and be woken up from with an exception."""
Timeouts = dict[str, float | None]
"""Seconds for `connect`, `read`, `write` and `pool`; None or nothing: for ever."""


class Watch:
    """Ends the waits of one event loop that take too long, with one alarm for all of them.

    A wait for each piece of each stream, but hardly ever one that takes too long: an alarm of its
    own would cost each of them more than the piece.

    Args:
        loop: The loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._deadlines: dict[Waited, float] = {}
        self._alarm: asyncio.TimerHandle | None = None

    def begin(self, waited: "Waited", timeout_s: float) -> None:
        """Begin a wait: unless `end` comes before the time is over, it ends with a TimeoutError."""
        deadline = self._deadlines[waited] = self._loop.time() + timeout_s
        if self._alarm is None:
            self._alarm = self._loop.call_at(deadline, self._check)
        elif deadline < self._alarm.when():
            self._alarm.cancel()
            self._alarm = self._loop.call_at(deadline, self._check)

    def end(self, waited: "Waited") -> None:
        """End a wait, if it goes on."""
        self._deadlines.pop(waited, None)

    def close(self) -> None:
        """Forget all waits."""
        self._deadlines.clear()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _check(self) -> None:
        assert self._alarm is not None
        due, self._alarm = self._alarm.when(), None
        for waited in [each for each, deadline in self._deadlines.items() if deadline <= due]:
            del self._deadlines[waited]
            waited.set_exception(TimeoutError())
        if self._deadlines:
            self._alarm = self._loop.call_at(min(self._deadlines.values()), self._check)


class Route(NamedTuple):
    """The way to one origin.

    Attributes:
        key: What aiohttp tells connections apart by, and learns from where to connect.
        prefix: What a proxy wants before the path, as in `GET http://host/path`; else nothing.
        headers: For a proxy that reads the request itself.
    """

    key: aiohttp.ClientRequest
    prefix: bytes
    headers: list[tuple[bytes, bytes]]

    def target_of(self, request: httpx.Request) -> bytes:
        """Return what the request line asks for."""
        return self.prefix + request.url.raw_path

    def headers_of(self, request: httpx.Request) -> list[tuple[bytes, bytes]]:
        """Return the headers that are sent."""
        return [*self.headers, *request.headers.raw] if self.headers else request.headers.raw


class Pool:
    """The connections of one event loop, which must be running.

    Args:
        loop: The loop.
        context: For all TLS.
        limits: How many connections there may be, and how long an idle one is kept.
        proxy: Where all requests go through, None for nowhere.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        context: ssl.SSLContext,
        limits: httpx.Limits,
        proxy: httpx.Proxy | None,
    ) -> None:
        self.loop = loop
        self.watch = Watch(loop)
        self._context = context
        self._proxy = proxy
        self._routes: dict[tuple[str, bytes, int | None, str | None], Route] = {}
        # aiohttp's own limit would not tell the time in its queue from the time to connect.
        most = limits.max_connections
        self._slots = None if most is None else asyncio.Semaphore(most)
        expiry_s = limits.keepalive_expiry
        keeping: dict[str, Any] = {"force_close": True}
        if limits.max_keepalive_connections != 0:
            keeping = {"keepalive_timeout": _FOR_EVER_S if expiry_s is None else expiry_s}
        self._connector = aiohttp.TCPConnector(limit=0, **keeping)

    async def close(self) -> None:
        """Close all connections; those of a loop that is closed are only forgotten."""
        self.watch.close()
        await self._connector.close()

    def route_to(self, request: httpx.Request) -> Route:
        """Return the way to where the request's URL says.

        Raises:
            httpx.UnsupportedProtocol: The URL is neither http:// nor https://.
        """
        url = request.url
        sni: str | None = request.extensions.get("sni_hostname")
        origin = (url.scheme, url.raw_host, url.port, sni)
        if (route := self._routes.get(origin)) is None:
            if url.scheme not in PORTS or not url.host:
                raise httpx.UnsupportedProtocol(
                    "the URL must begin with http:// or https:// and name a host", request=request
                )
            if len(self._routes) >= _ROUTES_MAX:
                self._routes.clear()
            route = self._routes[origin] = self._make_route(url, sni)
        return route

    def _make_route(self, url: httpx.URL, sni: str | None) -> Route:
        origin = URL.build(scheme=url.scheme, host=url.raw_host.decode("ascii"), port=url.port)
        proxy = self._proxy
        options: dict[str, Any] = {"loop": self.loop, "server_hostname": sni}
        if url.scheme == "https" or (proxy is not None and proxy.url.scheme == "https"):
            options["ssl"] = loaded(self._context)  # failing later, it would leave a socket behind
        if proxy is None:
            return Route(aiohttp.ClientRequest("GET", origin, **options), b"", [])
        headers = list(proxy.headers.raw)
        if proxy.raw_auth is not None:
            credentials = b"Basic " + b64encode(b":".join(proxy.raw_auth))
            headers.append((b"Proxy-Authorization", credentials))
        # With Host already: aiohttp adds it later, and would take that for another proxy.
        proxy_headers = {"Host": origin.authority}
        for name, value in headers:
            proxy_headers[name.decode("latin-1")] = value.decode("latin-1")
        key = aiohttp.ClientRequest(
            "GET",
            origin,
            proxy=URL(str(proxy.url)),
            proxy_headers=CIMultiDict(proxy_headers),
            **options,
        )
        if url.scheme == "https":
            return Route(key, b"", [])  # the headers go with CONNECT
        return Route(key, b"http://" + url.netloc, headers)

    async def lease(self, route: Route, timeouts: Timeouts, request: httpx.Request) -> "Lease":
        """Return a connection for one request and its answer.

        Raises:
            httpx.TransportError: There is none to be had.
        """
        slots = self._slots
        if slots is not None:
            await _take_slot(slots, timeouts.get("pool"), request)
        try:
            connection = await self._connector.connect(
                route.key, [], _connect_timeout(timeouts.get("connect"))
            )
        except BaseException as error:
            if slots is not None:
                slots.release()
            if isinstance(error, FAILURES):
                raise_connect_error(error, request)
            raise
        return Lease(connection, slots, self.loop, self.watch)


class Lease:
    """A connection while one request and its answer use it.

    Args:
        connection: The connection.
        slots: Where the right to have it is given back, None if there is no limit.
        loop: The loop that it belongs to.
        watch: Over the waits in that loop.
    """

    __slots__ = ("_connection", "_loop", "_protocol", "_slots", "watch")

    def __init__(
        self,
        connection: Connection,
        slots: asyncio.Semaphore | None,
        loop: asyncio.AbstractEventLoop,
        watch: Watch,
    ) -> None:
        protocol = connection.protocol
        assert protocol is not None
        self._connection: Connection | None = connection
        self._protocol = protocol
        self._slots = slots
        self._loop = loop
        self.watch = watch

    @property
    def is_over(self) -> bool:
        """Whether the connection was given back, or ended."""
        return self._connection is None

    async def send(self, request: httpx.Request, head: Head, timeout_s: float | None) -> None:
        """Send the whole request.

        Args:
            request: Its body is sent.
            head: Goes before the body.
            timeout_s: The longest wait for the server to take a piece, None for any.

        Raises:
            httpx.WriteTimeout: It took none of it for too long.
            httpx.LocalProtocolError: The body's length is not the announced one.
        """
        self._protocol.set_response_params(
            skip_payload=request.method == "HEAD",
            read_until_eof=True,
            auto_decompress=False,
            max_line_size=_HEAD_LINE_BYTES_MAX,
            max_field_size=_HEAD_LINE_BYTES_MAX,
        )
        content = _content_of(request)
        if content is not None and len(content) <= _WRITE_BYTES:
            frames = BodyFrames(head, request)
            self._write(head.data + frames.frame(content) + frames.end())
            await self._drain(request, timeout_s)
        else:
            await self._send_in_pieces(request, head, timeout_s)

    async def receive(
        self, request: httpx.Request, timeout_s: float | None
    ) -> tuple[RawResponseMessage, aiohttp.StreamReader]:
        """Return the head of the answer, and what its body will be fed to.

        Args:
            request: For the errors.
            timeout_s: The longest wait, None for any.

        Raises:
            httpx.TransportError: None came.
        """
        protocol = self._protocol
        while True:
            if timeout_s is not None:
                self.watch.begin(protocol, timeout_s)
            try:
                message, content = await protocol.read()
            except FAILURES as error:
                raise_read_error(error, request)
            finally:
                self.watch.end(protocol)
            # 100 Continue and its like come before the answer.
            if message.code >= _FINAL_FROM or message.code == _SWITCHING_PROTOCOLS:
                return message, content

    def give_back(self) -> None:
        """End the use of a connection whose answer came to its end; it may serve again."""
        if (connection := self._end()) is not None:
            connection.release()

    def abort(self) -> None:
        """End the use of a connection in the middle: nothing more is sent or read."""
        if (connection := self._end()) is not None:
            if connection.transport is not None:
                # Closing it would first send what is still unsent, to a peer that may never read.
                connection.transport.abort()
            connection.close()

    def _end(self) -> Connection | None:
        connection, self._connection = self._connection, None
        if connection is None or self._loop.is_closed():
            return None
        if self._slots is not None:
            self._slots.release()
        return connection

    async def _send_in_pieces(
        self, request: httpx.Request, head: Head, timeout_s: float | None
    ) -> None:
        frames = BodyFrames(head, request)
        self._write(head.data)
        async for piece in _pieces_of(request):
            # A server may refuse a request before it has read it. Its answer tells why, so that
            # the connection is lost is no error yet.
            if not self._protocol.connected:
                return
            self._write(frames.frame(piece))
            await self._drain(request, timeout_s)
        self._write(frames.end())

    def _write(self, data: bytes) -> None:
        transport = self._protocol.transport
        if data and transport is not None and not transport.is_closing():
            transport.write(data)

    async def _drain(self, request: httpx.Request, timeout_s: float | None) -> None:
        """Wait until the server has taken most of what was written."""
        if not self._protocol.writing_paused:
            return
        try:
            async with asyncio.timeout(timeout_s):
                with suppress(aiohttp.ClientError, ConnectionError):  # as in _send_in_pieces
                    await StreamWriter(self._protocol, self._loop).drain()
        except TimeoutError as error:
            raise httpx.WriteTimeout(
                "the server took none of the request for too long", request=request
            ) from error


async def _take_slot(
    slots: asyncio.Semaphore, timeout_s: float | None, request: httpx.Request
) -> None:
    if not slots.locked():
        await slots.acquire()  # without a wait
        return
    try:
        async with asyncio.timeout(timeout_s):
            await slots.acquire()
    except TimeoutError as error:
        raise httpx.PoolTimeout(
            "as many connections as the limits allow are in use", request=request
        ) from error


@lru_cache(maxsize=64)
def _connect_timeout(seconds: float | None) -> aiohttp.ClientTimeout:
    # As there is no queue in aiohttp, `connect` is the time to look up, connect and secure.
    return aiohttp.ClientTimeout(connect=seconds)


def _content_of(request: httpx.Request) -> bytes | None:
    try:
        return request.content
    except httpx.RequestNotRead:
        return b"".join(request.stream) if isinstance(request.stream, httpx.ByteStream) else None


async def _pieces_of(request: httpx.Request) -> AsyncIterator[bytes]:
    content = _content_of(request)
    if content is not None:
        for start in range(0, len(content), _WRITE_BYTES):
            yield content[start : start + _WRITE_BYTES]
    elif isinstance(request.stream, httpx.AsyncByteStream):
        async for piece in request.stream:
            yield piece
    else:
        raise RuntimeError("an async client can't send a body that is read with blocking calls")
