"""What a client is configured with, resolved once from its arguments and the environment.

Imported with every client, so it imports no httpx: what is a value of httpx is made of it by
`_defaults`, with the first request.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

from ._errors import ClientError
from ._sentinels import NotGiven, Omit
from ._version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from ._hints import HeaderValues, RetryHook, TimeoutTypes

DEFAULT_BASE_URL: Final = "http://127.0.0.1:9999/v1"
"""The local server."""
DEFAULT_MAX_RETRIES: Final = 2
"""How often a failed call is sent again, at most."""

_UNSAFE_IN_HEADER: Final = re.compile(r"[^\t\x20-\x7e]")
_UNSAFE_IN_URL: Final = re.compile(r"[\x00-\x20\x7f]")
_IPV4_LIKE: Final = re.compile(r"[0-9]+(?:\.[0-9]+){3}")
_HOST_NAME: Final = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?")
_URL_CHARS_MAX: Final = 8192
_HOST_CHARS_MAX: Final = 254  # with the dot at the end


class ClientConfig(NamedTuple):  # no dataclass: those take ten milliseconds to import
    """The resolved options of a client; see `Client` for their meaning."""

    api_key: str | None
    client_id: str | None
    base_url: str
    timeout: TimeoutTypes | NotGiven
    max_retries: int
    default_headers: HeaderValues
    default_query: Mapping[str, object]
    stream_idle_timeout: float | NotGiven | None
    on_retry: RetryHook | None
    is_strict: bool

    @property
    def base_headers(self) -> dict[str, str | Omit]:
        """The headers of every request, those of the user last."""
        headers: dict[str, str | Omit] = {"User-Agent": user_agent()}
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
        return not is_loopback(urlsplit(self.base_url).hostname or "")

    def __repr__(self) -> str:
        return f"ClientConfig(base_url={without_credentials(self.base_url)!r})"  # no secrets


def resolve_config(
    *,
    api_key: str | None,
    client_id: str | None,
    base_url: str | httpx.URL | None,
    timeout: TimeoutTypes | NotGiven,
    max_retries: int,
    default_headers: HeaderValues | None,
    default_query: Mapping[str, object] | None,
    stream_idle_timeout: float | NotGiven | None,
    on_retry: RetryHook | None,
    is_strict: bool,
    environ: Mapping[str, str] = os.environ,
) -> ClientConfig:
    """Resolve the options of a client: argument, else environment, else default.

    An empty string, as an argument or in the environment, counts as not set.

    Raises:
        ClientError: There is no API key though the base URL is not the default one, or an
            option can't be used (the message names it, never a secret's value).
    """
    url = _checked_base_url(
        str(base_url or "")
        or environ.get("AGENTLIN_BASE_URL")
        or environ.get("CLIENT_BASE_URL")
        or DEFAULT_BASE_URL
    )
    key = api_key or environ.get("AGENTLIN_API_KEY") or None
    if key is None and url != DEFAULT_BASE_URL:
        raise ClientError(
            f"no API key for {without_credentials(url)}: pass api_key= or set AGENTLIN_API_KEY "
            "(only the local server at the default base URL needs none; any text does where "
            "the server checks no keys)"
        )
    if max_retries < 0:
        raise ClientError(f"max_retries must be 0 or more, not {max_retries}")
    config = ClientConfig(
        api_key=key,
        client_id=client_id or environ.get("AGENTLIN_CLIENT_ID") or None,
        base_url=url,
        timeout=timeout,
        max_retries=max_retries,
        default_headers=dict(default_headers or {}),
        default_query=dict(default_query or {}),
        stream_idle_timeout=stream_idle_timeout,
        on_retry=on_retry,
        is_strict=is_strict,
    )
    try:
        merge_headers(config.base_headers)
    except ValueError as error:
        raise ClientError(str(error)) from None
    return config


def user_agent() -> str:
    """Return what `User-Agent` says: this package and the Python that it runs on."""
    import platform

    return f"agentlin-client/{__version__} python/{platform.python_version()}"


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


def without_credentials(url: str) -> str:
    """Return the URL without user and password.

    >>> without_credentials("https://me:secret@agents.example/v1")
    'https://agents.example/v1'
    """
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _checked_base_url(text: str) -> str:
    url = text.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port  # an unusable port is found when it is read
    except ValueError as error:
        # Its words may hold a part of the password.
        detail = "" if "@" in url else f": {error}"
        raise ClientError(f"the base URL is not a URL{detail}") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise ClientError("the base URL must begin with http:// or https:// and name a host")
    if parts.query or parts.fragment:
        raise ClientError("the base URL can't have a query or a fragment; see default_query")
    if _UNSAFE_IN_URL.search(url):
        raise ClientError("the base URL can't hold spaces or control characters")
    if len(url) > _URL_CHARS_MAX:
        raise ClientError(f"the base URL has more than {_URL_CHARS_MAX} characters")
    if not _is_host(host):
        raise ClientError(f"the base URL names a host that can't exist: {host!r}")
    return url


def _is_host(host: str) -> bool:
    """Whether a host, in lower case, has the form of a name or address; httpx asks for no less."""
    if ":" in host or _IPV4_LIKE.fullmatch(host):
        from ipaddress import ip_address

        try:
            ip_address(host)
        except ValueError:
            return False
        return True
    if not host.isascii() or "xn--" in host:
        return _is_international_host(host)
    return len(host) <= _HOST_CHARS_MAX and _HOST_NAME.fullmatch(host) is not None


def _is_international_host(host: str) -> bool:
    import httpx  # for such hosts alone: the rules fill a library

    try:
        return bool(httpx.URL(scheme="http", host=host).host)
    except (httpx.InvalidURL, ValueError):
        return False


def is_loopback(host: str) -> bool:
    """Whether a host, a name or an address, is this machine by all conventions."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    from ipaddress import ip_address

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
