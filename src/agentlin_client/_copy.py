"""The options of a copy of a client: those of the original, some of them changed. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ._config import ClientConfig, resolve_config
from ._sentinels import NotGiven

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from ._config import HeaderValues, RetryHook, TimeoutTypes

T = TypeVar("T")
ValueT = TypeVar("ValueT")


def changed_config(
    config: ClientConfig,
    *,
    api_key: str | None,
    client_id: str | None,
    base_url: str | httpx.URL | None,
    timeout: TimeoutTypes | NotGiven,
    max_retries: int | NotGiven,
    default_headers: HeaderValues | None,
    set_default_headers: HeaderValues | None,
    default_query: Mapping[str, object] | None,
    set_default_query: Mapping[str, object] | None,
    stream_idle_timeout: float | NotGiven | None,
    on_retry: RetryHook | NotGiven | None,
    is_strict: bool | NotGiven,
) -> ClientConfig:
    """Return the options of a copy; see `Client.copy`.

    Raises:
        ValueError: Headers or query are both added to and set.
        ClientError: An option can't be used.
    """
    return resolve_config(
        api_key=api_key or config.api_key,
        client_id=client_id or config.client_id,
        base_url=base_url or config.base_url,
        timeout=_given(timeout, config.timeout),
        max_retries=_given(max_retries, config.max_retries),
        default_headers=_layered(
            "headers", config.default_headers, default_headers, set_default_headers
        ),
        default_query=_layered("query", config.default_query, default_query, set_default_query),
        stream_idle_timeout=_given(stream_idle_timeout, config.stream_idle_timeout),
        on_retry=_given(on_retry, config.on_retry),
        is_strict=_given(is_strict, config.is_strict),
    )


def _given(value: T | NotGiven, otherwise: T) -> T:
    return otherwise if isinstance(value, NotGiven) else value


def _layered(
    name: str,
    present: Mapping[str, ValueT],
    added: Mapping[str, ValueT] | None,
    replaced: Mapping[str, ValueT] | None,
) -> Mapping[str, ValueT]:
    if added is not None and replaced is not None:
        raise ValueError(
            f"default_{name} adds to what is there, set_default_{name} replaces it: give one"
        )
    if replaced is not None:
        return replaced
    return present if added is None else {**present, **added}
