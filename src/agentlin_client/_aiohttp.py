"""A transport of httpx on aiohttp: what `DefaultAioHttpClient` sends through."""

import asyncio
import re
import ssl
from base64 import b64encode
from functools import lru_cache
from typing import Any, Final
from weakref import WeakSet

import aiohttp
import httpx
from anyio import CancelScope
from multidict import CIMultiDict, istr
from yarl import URL

from ._aiohttp_body import Body, Response, Upload, small_content_of, timeouts_of
from ._aiohttp_errors import FAILURES, cause_of, httpx_error, only_once
from ._tls import loaded

_ANSWER: Final = "agentlin_answer"
_SCHEMES: Final = frozenset({"http", "https"})
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_AUTO_HEADERS: Final = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
_HEAD_LINE_BYTES_MAX: Final = 64 * 1024
"""Longest line in the head of an answer; aiohttp's own 8 KiB is less than httpx takes."""
_FOR_EVER_S: Final = 86_400.0
"""How long an idle connection is kept where the limits name no time; older aiohttp wants one."""


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Sends through an `aiohttp.ClientSession`, for one event loop at a time.

    The session is made in the loop that is running then. A transport that outlives its loop
    (`asyncio.run` twice) begins anew in the next; two loops at once are refused.

    What aiohttp does in its own way:

    - A wait for a free connection ends with a `ConnectTimeout`, after the longer one of the
      time-outs for `pool` and `connect`.
    - A server's silence is a read time-out also while nobody reads.
    - A DELETE without a body says `Content-Length: 0`.
    - What was written to a server that takes nothing keeps its socket open after the end.

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
        if proxy is not None and proxy.url.scheme not in _SCHEMES:
            raise ValueError(f"aiohttp knows no {proxy.url.scheme}:// proxies, only http and https")
        if proxy is not None and proxy.ssl_context is not None:
            raise ValueError("aiohttp has one context for proxy and server: give it as verify=")
        self._context = context
        self._limits = limits
        self._proxy = None if proxy is None else URL(str(proxy.url))
        self._proxy_headers = {} if proxy is None else _headers_for(proxy)
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._bodies: WeakSet[Body] = WeakSet()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the answer's body is still to be read, or closed."""
        kept: httpx.Response | None = request.extensions.pop(_ANSWER, None)
        return kept or (await self.send(request))[0]

    def keep(self, request: httpx.Request, response: httpx.Response) -> None:
        """Give this answer to the request when it is to be sent the next time."""
        request.extensions[_ANSWER] = response

    async def send(self, request: httpx.Request) -> tuple[httpx.Response, Body]:
        """Do the same as `handle_async_request`; the body is the response's stream, by its type.

        Raises:
            httpx.TransportError: No answer came.
            RuntimeError: No asyncio loop runs, or the connections belong to another one.
        """
        session = self._session
        if session is None or self._loop is not _running_loop():
            session = await self._begin_anew()
        answer = await self._ask(session, request)
        body = Body(answer, request)
        self._bodies.add(body)
        version = answer.version or aiohttp.HttpVersion11
        response = Response(
            answer.status,
            headers=answer.raw_headers,
            stream=body,
            extensions={
                "http_version": b"HTTP/%d.%d" % (version.major, version.minor),
                "reason_phrase": (answer.reason or "").encode("utf-8", "surrogateescape"),
            },
        )
        return response, body

    async def aclose(self) -> None:
        """Close all connections, those in use too."""
        self._check_loop()
        session, self._session = self._session, None
        for body in list(self._bodies):
            body.close()  # aiohttp would close the connection without a word to who reads it
        if session is not None:
            await session.close()

    async def _begin_anew(self) -> aiohttp.ClientSession:
        loop = _running_loop()
        self._check_loop()
        stale, limits = self._session, self._limits
        keeping: dict[str, Any] = {"force_close": True}
        if limits.max_keepalive_connections != 0:
            expiry_s = limits.keepalive_expiry
            keeping = {"keepalive_timeout": _FOR_EVER_S if expiry_s is None else expiry_s}
        self._loop = loop
        session = self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=limits.max_connections or 0, **keeping),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            max_line_size=_HEAD_LINE_BYTES_MAX,
            max_field_size=_HEAD_LINE_BYTES_MAX,
        )
        if stale is not None:
            await stale.close()
        return session

    def _check_loop(self) -> None:
        loop = self._loop
        if self._session is None or loop is None or loop.is_closed():
            return
        if loop is not _running_loop():
            raise RuntimeError(
                "the connections of this client belong to another event loop that is still "
                "running: make one client per loop"
            )

    async def _ask(
        self, session: aiohttp.ClientSession, request: httpx.Request
    ) -> aiohttp.ClientResponse:
        method, url = request.method, _url_of(request)
        upload: Upload | None = None
        try:
            options = self._options_of(request)
            if (content := small_content_of(request, options["headers"])) is not None:
                return await session.request(method, url, data=content or None, **options)
            with CancelScope() as scope:
                upload = Upload(request, options["headers"], scope)
                return await session.request(method, url, data=upload, **options)
        except FAILURES as error:
            if upload is not None and upload.error is not None:
                raise upload.error from None
            cause = cause_of(error)
            raise httpx_error(cause, request) from cause
        raise httpx.WriteTimeout("the server took nothing for too long", request=request)

    def _options_of(self, request: httpx.Request) -> dict[str, Any]:
        """Return how to ask for a request, but for its body."""
        headers = CIMultiDict([(_name(n), v.decode()) for n, v in request.headers.raw])
        timeouts = timeouts_of(request)
        options: dict[str, Any] = {
            "allow_redirects": False,
            "headers": headers,
            "skip_auto_headers": [each for each in _AUTO_HEADERS if each not in headers] or None,
            "middlewares": () if request.method == "POST" else (only_once,),
            "timeout": _timeout_of(
                timeouts.get("connect"), timeouts.get("pool"), timeouts.get("read")
            ),
            "server_hostname": request.extensions.get("sni_hostname"),
        }
        is_tls = request.url.scheme == "https"
        if is_tls or (self._proxy is not None and self._proxy.scheme == "https"):
            options["ssl"] = loaded(self._context)
        if self._proxy is not None:
            options["proxy"] = self._proxy
            if is_tls:
                options["proxy_headers"] = self._proxy_headers  # go with CONNECT
            else:
                headers.update(self._proxy_headers)
        return options


def _url_of(request: httpx.Request) -> URL:
    url = request.url
    if url.scheme not in _SCHEMES or not url.host:
        raise httpx.UnsupportedProtocol(
            "the URL must begin with http:// or https:// and name a host", request=request
        )
    return _encoded_url(str(url))


@lru_cache(maxsize=64)
def _encoded_url(url: str) -> URL:
    return URL(url, encoded=True).with_user(None)  # httpx has made a header of the user


@lru_cache(maxsize=256)
def _name(name: bytes) -> istr:
    text = name.decode("latin-1")
    if not _TOKEN.fullmatch(text):
        raise ValueError(f"{name!r} is no name of a header")
    return istr(text)  # which aiohttp need not compare letter by letter


@lru_cache(maxsize=64)
def _timeout_of(
    connect_s: float | None, pool_s: float | None, read_s: float | None
) -> aiohttp.ClientTimeout:
    # aiohttp's `connect` is the wait for a free connection, and for a new one too.
    both = None if connect_s is None or pool_s is None else max(connect_s, pool_s)
    return aiohttp.ClientTimeout(connect=both, sock_connect=connect_s, sock_read=read_s)


def _headers_for(proxy: httpx.Proxy) -> dict[str, str]:
    headers = dict(proxy.headers)
    if proxy.raw_auth is not None:
        credentials = b64encode(b":".join(proxy.raw_auth)).decode()
        headers["Proxy-Authorization"] = f"Basic {credentials}"
    return headers


def _running_loop() -> asyncio.AbstractEventLoop:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(
            "aiohttp needs asyncio: under trio use DefaultAsyncHttpxClient"
        ) from None
