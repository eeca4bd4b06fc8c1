"""`Client` and `AsyncClient`: what a user constructs."""

from collections.abc import Mapping
from types import TracebackType
from typing import Self

import httpx

from ._config import DEFAULT_MAX_RETRIES, ClientConfig, HeaderValues, TimeoutTypes, resolve_config
from ._log import set_up_logging
from ._sentinels import NotGiven, not_given
from ._transport import AsyncTransport, SyncTransport
from .resources.tasks import AsyncTasks, Tasks

set_up_logging()


class _Configured:
    """What both clients say about themselves."""

    def __init__(self, config: ClientConfig) -> None:
        self._config = config

    @property
    def api_key(self) -> str | None:
        """The key that calls are made with, None if there is none."""
        return self._config.api_key

    @property
    def client_id(self) -> str | None:
        """What `X-Client-Id` says, None if it is not sent."""
        return self._config.client_id

    @property
    def base_url(self) -> httpx.URL:
        """The URL that all paths are relative to, without a slash at its end."""
        return self._config.base_url

    @property
    def timeout(self) -> httpx.Timeout:
        """The time-outs of calls that name none, in seconds."""
        return self._config.timeout

    @property
    def max_retries(self) -> int:
        """How often a failed call is sent again, at most."""
        return self._config.max_retries

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={str(self.base_url.copy_with(userinfo=b''))!r})"


class Client(_Configured):
    """A client of the Tasks API that blocks; safe to share between threads.

    >>> client = Client(base_url="http://127.0.0.1:9999/v1")
    >>> client.max_retries
    2
    >>> client.close()

    Args:
        api_key: Sent as `Authorization: Bearer`; else `AGENTLIN_API_KEY`. Only the local server
            at the default base URL needs none.
        client_id: Names the calling application, sent as `X-Client-Id`; else
            `AGENTLIN_CLIENT_ID`.
        base_url: Of the server, with the `/v1`; else `AGENTLIN_BASE_URL`, else `CLIENT_BASE_URL`,
            else the local server `http://127.0.0.1:9999/v1`. Proxies that the environment names
            are not used for a base URL on this machine; pass an `http_client` to have one there.
        timeout: In seconds, for each phase of a call, or an `httpx.Timeout`; None waits for ever.
            Default 60, connecting 5. While a stream is read it is the longest silence between
            two reads; servers send something at least every 15 s.
        max_retries: How often a call is sent again, at most, after a connection error, a
            time-out, 408, 409, 429 or 500 and above.
        default_headers: Sent with each request, over the client's own.
        default_query: Added to each URL.
        http_client: Used instead of one of our own, with its proxies, certificates and limits;
            closed with this client.

    Raises:
        ClientError: There is no key where one is needed, or an option can't be used.

    Attributes:
        tasks: The methods of the API.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        client_id: str | None = None,
        base_url: str | httpx.URL | None = None,
        timeout: TimeoutTypes | NotGiven = not_given,
        max_retries: int = DEFAULT_MAX_RETRIES,
        default_headers: HeaderValues | None = None,
        default_query: Mapping[str, object] | None = None,
        http_client: httpx.Client | None = None,
    ) -> None:
        _check_kind(http_client, httpx.Client)
        config = resolve_config(
            api_key=api_key,
            client_id=client_id,
            base_url=base_url,
            timeout=timeout,
            max_retries=max_retries,
            default_headers=default_headers,
            default_query=default_query,
            http_client=http_client,
        )
        super().__init__(config)
        self._transport = SyncTransport(config, http_client)
        self.tasks = Tasks(self._transport)

    def close(self) -> None:
        """Close all connections, streams included; the client can't be used afterwards."""
        self._transport.http.close()

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._transport.http.is_closed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class AsyncClient(_Configured):
    """The async twin of `Client`: the same options, attributes and errors.

    Its connections belong to the event loop that made them: use one client per loop.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        client_id: str | None = None,
        base_url: str | httpx.URL | None = None,
        timeout: TimeoutTypes | NotGiven = not_given,
        max_retries: int = DEFAULT_MAX_RETRIES,
        default_headers: HeaderValues | None = None,
        default_query: Mapping[str, object] | None = None,
        http_client: httpx.AsyncClient | None = None,
    ) -> None:
        _check_kind(http_client, httpx.AsyncClient)
        config = resolve_config(
            api_key=api_key,
            client_id=client_id,
            base_url=base_url,
            timeout=timeout,
            max_retries=max_retries,
            default_headers=default_headers,
            default_query=default_query,
            http_client=http_client,
        )
        super().__init__(config)
        self._transport = AsyncTransport(config, http_client)
        self.tasks = AsyncTasks(self._transport)

    async def close(self) -> None:
        """Close all connections, streams included; the client can't be used afterwards."""
        await self._transport.http.aclose()

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._transport.http.is_closed

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


def _check_kind(http_client: object, kind: type) -> None:
    if http_client is not None and not isinstance(http_client, kind):
        raise TypeError(
            f"http_client must be an httpx.{kind.__name__}, not {type(http_client).__name__}"
        )
