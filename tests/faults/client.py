"""A client of the faulty server: every answer is an envelope, or there is none at all."""

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Self

import httpx

TIMEOUT_S: Final = 20
REQUEST_ID: Final = "r"
"""The same for every stream, so that frames can be compared byte for byte."""

_STOPPING: Final = 503
_OK: Final = 200


class ViolationError(AssertionError):
    """The server broke a promise."""


def require(condition: bool, what: str) -> None:  # noqa: FBT001 # an assertion, not a flag
    """Raise ViolationError with `what` unless `condition` holds."""
    if not condition:
        raise ViolationError(what)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: its status and its envelope.

    `is_past`: the power was cut since; what it says need not be in the log any more.
    """

    status: int
    envelope: Mapping[str, Any]
    is_past: bool = False

    @property
    def is_ok(self) -> bool:
        return self.status == _OK

    @property
    def task(self) -> dict[str, Any]:
        """The task of a good answer."""
        require(isinstance(self.envelope.get("result"), dict), f"no task: {self.envelope}")
        return self.envelope["result"]

    @property
    def code(self) -> int | None:
        """The code of an error."""
        return (self.envelope.get("error") or {}).get("code")


class Api:
    """The Tasks API at an address that changes with every restart."""

    def __init__(self, address: Callable[[], str]) -> None:
        self._address = address
        self._http = httpx.AsyncClient(
            timeout=TIMEOUT_S, limits=httpx.Limits(max_connections=None), trust_env=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def call(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Reply | None:
        """Make one request below `/v1/tasks`.

        Returns:
            The answer; None if the server died under it, or is stopping.
        """
        try:
            answer = await self._http.request(
                method, f"{self._address()}/v1/tasks{path}", json=body, headers=headers
            )
        except httpx.TimeoutException:
            raise ViolationError(f"{method} {path}: no answer in {TIMEOUT_S} s") from None
        except httpx.TransportError:
            return None
        return None if answer.status_code == _STOPPING else _checked(answer, f"{method} {path}")

    @asynccontextmanager
    async def stream(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> AsyncGenerator[httpx.Response]:
        """Open a stream of events; raises what httpx raises."""
        given = {"X-Request-ID": REQUEST_ID, **(headers or {})}
        url = f"{self._address()}/v1/tasks{path}"
        async with self._http.stream(method, url, json=body, headers=given) as answer:
            yield answer


def _checked(answer: httpx.Response, what: str) -> Reply:
    require(answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR, f"{what}: {answer.text[:500]}")
    try:
        envelope = json.loads(answer.content)
    except ValueError:
        raise ViolationError(f"{what}: no JSON: {answer.text[:500]!r}") from None
    require(envelope.get("jsonrpc") == "2.0", f"{what}: no envelope: {answer.text[:500]}")
    if answer.status_code >= httpx.codes.BAD_REQUEST:
        error = envelope.get("error") or {}
        require(bool(error.get("code") and error.get("message")), f"{what}: {answer.text[:500]}")
    return Reply(answer.status_code, envelope)
