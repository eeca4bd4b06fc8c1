"""One suite for both clients: a test asks for `sdk`, and runs once blocking, once async."""

import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from agentlin_client import AsyncClient, AsyncStream, Client
from tests.sdk.server import Server

KEY = "s3cret-key"


class Sdk:
    """Both clients behind one face: whatever they return is awaited if it needs to be.

    The clients wait without passing time: `naps_s` tells how long they would have.
    """

    def __init__(self, kind: str, server: Server) -> None:
        self.server = server
        self.naps_s: list[float] = []
        self.kind = kind
        self._clients: list[Client | AsyncClient] = []

    def client(self, *, waits: bool = False, **options: Any) -> Any:
        """Return a new client of the kind, closed at the end of the test; with real `waits`?"""
        given: dict[str, Any] = {"api_key": KEY, "base_url": self.server.base_url} | options
        client = Client(**given) if self.kind == "sync" else AsyncClient(**given)
        if not waits:
            nap = self._nap if self.kind == "sync" else self._nap_async
            client._transport._sleep = nap  # type: ignore[assignment] - the kinds are equal
        self._clients.append(client)
        return client

    async def done(self, value: Any) -> Any:
        """Return the value, awaited if it needs to be."""
        return await value if inspect.isawaitable(value) else value

    async def drain(self, stream: Any, into: list[Any]) -> None:
        """Append the stream's events to `into`, up to its end or error."""
        if isinstance(stream, AsyncStream):
            async for event in stream:
                into.append(event)  # noqa: PERF401 - what came before an error counts
        else:
            for event in stream:
                into.append(event)  # noqa: PERF402 - the same

    async def next(self, stream: Any) -> Any:
        """Return the stream's next event."""
        return await anext(stream) if isinstance(stream, AsyncStream) else next(stream)

    async def close(self) -> None:
        for client in self._clients:
            await self.done(client.close())

    def _nap(self, seconds: float) -> None:
        self.naps_s.append(seconds)

    async def _nap_async(self, seconds: float) -> None:
        self.naps_s.append(seconds)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture(params=["sync", "async"])
async def sdk(
    request: pytest.FixtureRequest, server: Server, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Sdk]:
    for name in ("API_KEY", "BASE_URL", "CLIENT_ID"):
        monkeypatch.delenv(f"AGENTLIN_{name}", raising=False)
    monkeypatch.delenv("CLIENT_BASE_URL", raising=False)
    sdk = Sdk(request.param, server)
    yield sdk
    await sdk.close()
