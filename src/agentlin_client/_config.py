"""What a client is configured with, resolved once from its arguments and the environment."""

import ipaddress
import os
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import httpx
from httpx import Timeout

from ._errors import ClientError
from ._log import redact_url
from ._sentinels import NotGiven, Omit
from ._version import __version__

DEFAULT_BASE_URL: Final = "http://127.0.0.1:9999/v1"
"""The local server."""
DEFAULT_TIMEOUT: Final = Timeout(60.0, connect=5.0)
"""Seconds: 60 to send, and to wait for the next bytes of the answer; 5 to connect."""
DEFAULT_MAX_RETRIES: Final = 2
"""How often a failed call is sent again, at most."""
DEFAULT_CONNECTION_LIMITS: Final = httpx.Limits(max_connections=1000, max_keepalive_connections=100)
"""A stream holds a connection as long as it lasts, so there may be many."""

USER_AGENT: Final = f"agentlin-client/{__version__} python/{platform.python_version()}"
_HTTPX_TIMEOUT: Final = Timeout(5.0)  # httpx's own default: nobody chose it
_UNSAFE_IN_HEADER: Final = re.compile(r"[^\t\x20-\x7e]")

TimeoutTypes: TypeAlias = float | Timeout | None
"""A time-out in seconds, the same for each phase, or one per phase; None waits for ever."""
HeaderValues: TypeAlias = Mapping[str, str | Omit]
"""Headers of a request; `omit` leaves out the header that would be sent otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientConfig:
    """The resolved options of a client; see `Client` for their meaning."""

    api_key: str | None = field(repr=False)
    client_id: str | None
    base_url: httpx.URL
    timeout: Timeout
    max_retries: int
    default_headers: HeaderValues = field(repr=False)
    default_query: Mapping[str, object] = field(repr=False)

    @property
    def base_headers(self) -> dict[str, str | Omit]:
        """The headers of every request, those of the user last."""
        headers: dict[str, str | Omit] = {"User-Agent": USER_AGENT}
        if self.api_key is not None:
            headers["Authorization"] = f"Bearer {self.api_key}"
        if self.client_id is not None:
            headers["X-Client-Id"] = self.client_id
        return headers | dict(self.default_headers)

    @property
    def trusts_environment(self) -> bool:
        """Whether the proxies that the environment names (`HTTP_PROXY`, ...) apply.

        They do, as everywhere in httpx, unless the base URL is this machine: no proxy can reach
        our loopback, so one that is set for the rest of the world would only break the local
        server. Certificates from the environment (`SSL_CERT_FILE`) apply always.
        """
        return not _is_loopback(self.base_url.host)


def resolve_config(
    *,
    api_key: str | None,
    client_id: str | None,
    base_url: str | httpx.URL | None,
    timeout: TimeoutTypes | NotGiven,
    max_retries: int,
    default_headers: HeaderValues | None,
    default_query: Mapping[str, object] | None,
    http_client: httpx.Client | httpx.AsyncClient | None,
    environ: Mapping[str, str] = os.environ,
) -> ClientConfig:
    """Resolve the options of a client: argument, else environment, else default.

    An empty string, as an argument or in the environment, counts as not set.

    Raises:
        ClientError: There is no API key though the base URL is not the default one, or an
            option can't be used (the message names it, never a secret's value).
    """
    url = _parse_base_url(
        str(base_url or "")
        or environ.get("AGENTLIN_BASE_URL")
        or environ.get("CLIENT_BASE_URL")
        or DEFAULT_BASE_URL
    )
    key = api_key or environ.get("AGENTLIN_API_KEY") or None
    if key is None and str(url) != DEFAULT_BASE_URL:
        raise ClientError(
            f"no API key for {redact_url(url)}: pass api_key= or set AGENTLIN_API_KEY "
            "(only the local server at the default base URL needs none; any text does where "
            "the server checks no keys)"
        )
    if max_retries < 0:
        raise ClientError(f"max_retries must be 0 or more, not {max_retries}")
    config = ClientConfig(
        api_key=key,
        client_id=client_id or environ.get("AGENTLIN_CLIENT_ID") or None,
        base_url=url,
        timeout=_choose_timeout(timeout, http_client),
        max_retries=max_retries,
        default_headers=dict(default_headers or {}),
        default_query=dict(default_query or {}),
    )
    try:
        merge_headers(config.base_headers)
    except ValueError as error:
        raise ClientError(str(error)) from None
    return config


def merge_headers(*layers: HeaderValues) -> dict[str, str]:
    """Merge headers, later layers first, names without regard to case; `omit` takes one out.

    Raises:
        ValueError: A value can't stand in a header. The message names the header only: the
            value may be a key with a line end too many.
    """
    merged: dict[str, tuple[str, str | Omit]] = {}
    for layer in layers:
        for name, value in layer.items():
            if not isinstance(value, Omit) and _UNSAFE_IN_HEADER.search(value):
                raise ValueError(
                    f"the value of header {name} holds a character that no header may hold "
                    "(a line end, a control or non-ASCII character)"
                )
            merged[name.lower()] = name, value
    return {name: value for name, value in merged.values() if not isinstance(value, Omit)}


def _choose_timeout(
    timeout: TimeoutTypes | NotGiven, http_client: httpx.Client | httpx.AsyncClient | None
) -> Timeout:
    if not isinstance(timeout, NotGiven):
        return Timeout(timeout)
    if http_client is not None and http_client.timeout != _HTTPX_TIMEOUT:
        return http_client.timeout
    return DEFAULT_TIMEOUT


def _parse_base_url(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text.strip().rstrip("/"))
    except httpx.InvalidURL as error:
        raise ClientError(f"the base URL is not a URL: {error}") from None
    if url.scheme not in {"http", "https"} or not url.host:
        raise ClientError("the base URL must begin with http:// or https:// and name a host")
    if url.query or url.fragment:
        raise ClientError("the base URL can't have a query or a fragment; see default_query")
    return url


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
