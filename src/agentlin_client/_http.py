"""The HTTP clients: those that the SDK makes, and those that a user makes to change an option."""

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec

import httpx

from ._config import ClientConfig
from ._defaults import DEFAULT_CONNECTION_LIMITS, DEFAULT_TIMEOUT, timeout_of
from ._tls import ssl_context

if TYPE_CHECKING:
    from ._aiohttp import AiohttpTransport

P = ParamSpec("P")

_httpx_logger: Final = logging.getLogger("httpx")


def _signature_of(
    _: Callable[Concatenate[Any, P], None], /
) -> Callable[[Callable[..., None]], Callable[Concatenate[Any, P], None]]:
    """Give a method that passes everything on the signature of the method it passes it to."""

    def decorate(method: Callable[..., None]) -> Callable[Concatenate[Any, P], None]:
        return method

    return decorate


class DefaultHttpxClient(httpx.Client):
    """An `httpx.Client` with the SDK's defaults: pass it as `http_client` to change one option.

    >>> client = DefaultHttpxClient(headers={"X-Team": "search"})
    >>> client.timeout.connect, client.follow_redirects
    (5.0, True)
    >>> client.close()

    Takes the keyword arguments of `httpx.Client`. Where they are left out, the time-outs are
    `DEFAULT_TIMEOUT`, the limits `DEFAULT_CONNECTION_LIMITS`, redirects are followed, and the
    certificates are shared with all other clients.
    """

    @_signature_of(httpx.Client.__init__)
    def __init__(self, **options: Any) -> None:
        super().__init__(**_with_defaults(options))


class DefaultAsyncHttpxClient(httpx.AsyncClient):
    """The async twin of `DefaultHttpxClient`: an `httpx.AsyncClient` with the SDK's defaults."""

    @_signature_of(httpx.AsyncClient.__init__)
    def __init__(self, **options: Any) -> None:
        super().__init__(**_with_defaults(options))


class DefaultAioHttpClient(httpx.AsyncClient):
    """An `httpx.AsyncClient` that sends through aiohttp, which is several times faster.

        async with AsyncClient(http_client=DefaultAioHttpClient()) as client:
            ...

    Takes the keyword arguments of `httpx.AsyncClient`, with the SDK's defaults. It runs on asyncio
    (or uvloop), not on trio, and speaks HTTP/1.1. Of `limits`, `max_keepalive_connections` only
    tells whether connections are kept at all (0: they are not); how long is `keepalive_expiry`.

    Raises:
        RuntimeError: The package aiohttp is not installed.
        ValueError: An option asks for what aiohttp can't do: HTTP/2, a SOCKS proxy.
    """

    _aiohttp_transport: "type[AiohttpTransport]"

    @_signature_of(httpx.AsyncClient.__init__)
    def __init__(self, **options: Any) -> None:
        try:
            from ._aiohttp import AiohttpTransport
        except ModuleNotFoundError as error:
            if error.name != "aiohttp":
                raise
            raise RuntimeError(
                "DefaultAioHttpClient needs the package aiohttp: pip install 'agentlin[aiohttp]'"
            ) from error
        if options.get("http2"):
            raise ValueError("aiohttp speaks no HTTP/2: use DefaultAsyncHttpxClient(http2=True)")
        self._aiohttp_transport = AiohttpTransport
        self._encoding = options.get("default_encoding", "utf-8")
        super().__init__(**_with_defaults(options))

    # The next two are how httpx makes its transports, for itself and for each proxy.
    def _init_transport(self, *_: Any, **options: Any) -> httpx.AsyncBaseTransport:
        return options.pop("transport", None) or self._make_transport(**options)

    def _init_proxy_transport(
        self, proxy: httpx.Proxy, *_: Any, **options: Any
    ) -> httpx.AsyncBaseTransport:
        return self._make_transport(proxy=proxy, **options)

    def _make_transport(
        self,
        *,
        verify: Any = True,
        cert: Any = None,
        trust_env: bool = True,
        limits: httpx.Limits = DEFAULT_CONNECTION_LIMITS,
        proxy: httpx.Proxy | None = None,
        **_: object,
    ) -> "AiohttpTransport":
        context = httpx.create_ssl_context(verify=verify, cert=cert, trust_env=trust_env)
        return self._aiohttp_transport(context, limits=limits, proxy=proxy)

    async def send(
        self,
        request: httpx.Request,
        *,
        stream: bool = False,
        auth: Any = httpx.USE_CLIENT_DEFAULT,
        follow_redirects: Any = httpx.USE_CLIENT_DEFAULT,
    ) -> httpx.Response:
        """Send a request, as `httpx.AsyncClient.send` does."""
        # httpx puts every request through its machinery for authentication, hooks, redirects and
        # cookies, which costs as much as sending it. What needs none of it goes straight out.
        transport = self._transport_for_url(request.url)
        if not isinstance(transport, self._aiohttp_transport) or not self._is_plain(request, auth):
            return await super().send(
                request, stream=stream, auth=auth, follow_redirects=follow_redirects
            )
        started_at = time.perf_counter()
        response, body = await transport.send(request)
        body.time(response, started_at)
        try:
            if response.is_redirect or body.sets_cookies:
                transport.keep(request, response)  # which httpx gets when it sends the request
                return await super().send(request, stream=stream, follow_redirects=follow_redirects)
            response.request = request
            response.default_encoding = self._encoding
            _log(response)
            if not stream:
                await response.aread()
        except BaseException:
            await response.aclose()
            raise
        return response

    def _is_plain(self, request: httpx.Request, auth: object) -> bool:
        has_auth = self.auth is not None or not (auth is None or auth is httpx.USE_CLIENT_DEFAULT)
        return (
            not has_auth
            and not request.url.userinfo  # which httpx turns into a header
            and "timeout" in request.extensions
            and not any(self.event_hooks.values())
            and not self.is_closed
        )


def _log(response: httpx.Response) -> None:
    if _httpx_logger.isEnabledFor(logging.INFO):
        _httpx_logger.info(
            'HTTP Request: %s %s "%s %d %s"',
            response.request.method,
            response.url,
            response.http_version,
            response.status_code,
            response.reason_phrase,
        )


def default_client(config: ClientConfig) -> httpx.Client:
    """Return the HTTP client of a `Client` that was given none."""
    return DefaultHttpxClient(**_options_of(config))


def default_async_client(config: ClientConfig) -> httpx.AsyncClient:
    """Return the HTTP client of an `AsyncClient` that was given none."""
    return DefaultAsyncHttpxClient(**_options_of(config))


def _options_of(config: ClientConfig) -> dict[str, Any]:
    return {
        "timeout": timeout_of(config.timeout, None),
        "trust_env": config.trusts_environment,
        "verify": ssl_context(),  # certificates from the environment apply always
    }


def _with_defaults(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of an httpx client with ours where the caller chose none."""
    defaults: dict[str, Any] = {
        "timeout": DEFAULT_TIMEOUT,
        "limits": DEFAULT_CONNECTION_LIMITS,
        "follow_redirects": True,
    }
    merged = defaults | options
    # A client certificate is loaded into the context, and HTTP/2 is offered by it: neither is
    # for the clients of others.
    is_own = merged.get("cert") is not None or merged.get("http2")
    if merged.get("verify", True) is True and not is_own:
        merged["verify"] = ssl_context(trust_env=merged.get("trust_env", True))
    return merged
