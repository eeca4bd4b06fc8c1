# Generated from _async_client.py by scripts/generate_sync.py: change that one.

"""`Client`: what a user constructs. Making one loads neither httpx nor pydantic."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from ._config import DEFAULT_MAX_RETRIES, resolve_config, without_credentials
from ._log import set_up_logging
from ._misuse import ContextGuard, check_http_client
from ._pickling import portable_config
from ._sentinels import NotGiven, not_given
from ._transport import Pool, Transport
from ._verbs import Verbs
from .resources.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

    import httpx

    from ._config import ClientConfig, HeaderValues, RetryHook, TimeoutTypes
    from ._raw_client import ClientWithRawResponse, ClientWithStreamingResponse

_BOUND = {"_config", "_transport", "tasks", "with_raw_response", "with_streaming_response"}
"""Attributes that belong to one client and its connections."""

set_up_logging()


class Client(Verbs, ContextGuard):
    """A client of the Tasks API: `client.tasks` has its methods.

    One does for all threads of a blocking program, or for all that runs in one event loop.

    >>> client = Client(base_url="http://127.0.0.1:9999/v1")
    >>> client.max_retries
    2

    Args:
        api_key: Sent as `Authorization: Bearer`; else `AGENTLIN_API_KEY`. Only the local server
            at the default base URL needs none.
        client_id: Names the calling application, sent as `X-Client-Id`; else
            `AGENTLIN_CLIENT_ID`.
        base_url: Of the server, with the `/v1`; else `AGENTLIN_BASE_URL`, else `CLIENT_BASE_URL`,
            else the local server `http://127.0.0.1:9999/v1`. Proxies that the environment names
            are not used for a base URL on this machine; pass an `http_client` to have one there.
        timeout: In seconds, for each phase of a call, or an `httpx.Timeout`; None waits for ever.
            Default 60, connecting 5.
        max_retries: How often a call is sent again, at most, after a connection error, a
            time-out, 408, 409, 429 or 500 and above; and how often in a row a broken stream
            connects again.
        default_headers: Sent with each request, over the client's own.
        default_query: Added to each URL.
        http_client: Used instead of one of our own, with its proxies, certificates and limits;
            closed with this client.
        stream_idle_timeout: Longest silence on a stream, in seconds, after which it connects
            again; None for any. By default the `timeout`'s for reading. Servers send something
            at least every 15 s.
        on_retry: Called with a `Retry` before each wait for another attempt, e.g. to count or
            to log; what it raises ends the call.
        _strict_response_validation: Refuse answers and events that do not fit their type with an
            APIResponseValidationError; by default they are taken as they are.

    Raises:
        ClientError: There is no key where one is needed, or an option can't be used.
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
        stream_idle_timeout: float | NotGiven | None = not_given,
        on_retry: RetryHook | None = None,
        _strict_response_validation: bool = False,
    ) -> None:
        if http_client is not None:
            check_http_client(http_client, "Client")
        config = resolve_config(
            api_key=api_key,
            client_id=client_id,
            base_url=base_url,
            timeout=timeout,
            max_retries=max_retries,
            default_headers=default_headers,
            default_query=default_query,
            stream_idle_timeout=stream_idle_timeout,
            on_retry=on_retry,
            is_strict=_strict_response_validation,
        )
        self._bind(config, Pool(config, http_client))

    def _bind(self, config: ClientConfig, pool: Pool) -> None:
        self._config = config
        self._transport = Transport(config, pool)

    @cached_property
    def tasks(self) -> Tasks:
        """The methods of the API."""
        return Tasks(self._transport)

    @cached_property
    def with_raw_response(self) -> ClientWithRawResponse:
        """The same methods, giving the answer with its headers: see `APIResponse`."""
        from ._raw_client import ClientWithRawResponse

        return ClientWithRawResponse(self._transport, self.tasks.with_raw_response)

    @cached_property
    def with_streaming_response(self) -> ClientWithStreamingResponse:
        """The same methods, to be entered, giving the answer before its body is read."""
        from ._raw_client import ClientWithStreamingResponse

        return ClientWithStreamingResponse(self._transport, self.tasks.with_streaming_response)

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
        import httpx

        return httpx.URL(self._config.base_url)

    @property
    def timeout(self) -> httpx.Timeout:
        """The time-outs of calls that name none, in seconds."""
        from ._defaults import timeout_of

        return timeout_of(self._config.timeout, self._transport.pool.given)

    @property
    def max_retries(self) -> int:
        """How often a failed call is sent again, at most."""
        return self._config.max_retries

    @property
    def default_headers(self) -> Mapping[str, str]:
        """The headers of each request, the key hidden."""
        from ._config import merge_headers
        from ._log import redact_headers

        return redact_headers(merge_headers(self._config.base_headers).items())

    @property
    def default_query(self) -> Mapping[str, object]:
        """What is added to each URL."""
        return dict(self._config.default_query)

    def copy(
        self,
        *,
        api_key: str | None = None,
        client_id: str | None = None,
        base_url: str | httpx.URL | None = None,
        timeout: TimeoutTypes | NotGiven = not_given,
        http_client: httpx.Client | None = None,
        max_retries: int | NotGiven = not_given,
        default_headers: HeaderValues | None = None,
        set_default_headers: HeaderValues | None = None,
        default_query: Mapping[str, object] | None = None,
        set_default_query: Mapping[str, object] | None = None,
        stream_idle_timeout: float | NotGiven | None = not_given,
        on_retry: RetryHook | NotGiven | None = not_given,
        _strict_response_validation: bool | NotGiven = not_given,
    ) -> Self:
        """Return a client with some options changed, which shares the connections of this one.

        `client.with_options(timeout=5).tasks.create(...)` is the way to set an option for one
        call. Closing either client closes both, unless the copy has an `http_client` of its own
        or another kind of base URL.

        The arguments are those of the class; one that is left out stays as it is. Headers and
        query are added to those of this client; `set_default_headers` and `set_default_query`
        replace them.

        Raises:
            ValueError: A thing is both added to and set.
            ClientError: An option can't be used.
        """
        from ._copy import changed_config

        if http_client is not None:
            check_http_client(http_client, "Client")
        config = changed_config(
            self._config,
            api_key=api_key,
            client_id=client_id,
            base_url=base_url,
            timeout=timeout,
            max_retries=max_retries,
            default_headers=default_headers,
            set_default_headers=set_default_headers,
            default_query=default_query,
            set_default_query=set_default_query,
            stream_idle_timeout=stream_idle_timeout,
            on_retry=on_retry,
            is_strict=_strict_response_validation,
        )
        pool = self._transport.pool
        if http_client is not None:
            pool = Pool(config, http_client)
        elif pool.given is None and config.trusts_environment != self._config.trusts_environment:
            pool = Pool(config, None)  # ours was made for another kind of server
        twin = self.__class__.__new__(self.__class__)
        twin.__dict__.update(self._own_attributes())
        twin._bind(config, pool)  # noqa: SLF001 - it is of this very class
        return twin

    with_options = copy

    def __copy__(self) -> Self:
        return self.copy()

    def close(self) -> None:
        """Close all connections, streams included; the client can't be used afterwards."""
        self._transport.pool.close()

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._transport.pool.is_closed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _own_attributes(self) -> dict[str, object]:
        """Return what a subclass has added."""
        return {name: value for name, value in vars(self).items() if name not in _BOUND}

    def __getstate__(self) -> tuple[ClientConfig, dict[str, object]]:
        config = portable_config(self._config, self._transport.pool.given)
        return config, self._own_attributes()

    def __setstate__(self, state: tuple[ClientConfig, dict[str, object]]) -> None:
        config, own = state
        self.__dict__.update(own)
        self._bind(config, Pool(config, None))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={without_credentials(self._config.base_url)!r})"
