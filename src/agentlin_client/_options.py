"""What a call of `client.get`, `client.post` and so on may be given besides its path and body."""

from collections.abc import Mapping

from typing_extensions import TypedDict  # pydantic takes no other before Python 3.12

from ._hints import HeaderValues, TimeoutTypes
from ._sentinels import NotGiven


class RequestOptions(TypedDict, total=False):
    """Options of one request; each wins over what the client is set to."""

    headers: HeaderValues
    """More headers; `omit` as a value leaves one out."""

    params: Mapping[str, object]
    """More query parameters."""

    extra_json: Mapping[str, object]
    """More fields of the JSON body."""

    idempotency_key: str
    """Sent as `Idempotency-Key` with each attempt, so that the server does it once."""

    max_retries: int
    """How often the request is sent again, at most."""

    timeout: TimeoutTypes | NotGiven
    """Seconds, for each phase of the call, or an `httpx.Timeout`; None waits for ever."""
