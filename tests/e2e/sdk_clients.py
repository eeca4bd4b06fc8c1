"""The three kinds of client (blocking, async, async on aiohttp) behind one face."""

from pathlib import Path
from typing import Any, Final

from agentlin_client import AsyncClient, Client, DefaultAioHttpClient
from agentlin_client._aiohttp import AiohttpTransport
from tests.e2e.processes import ServerProcess
from tests.sdk.conftest import KEY, Sdk

KINDS: Final = ("sync", "async", "aiohttp")


class Face(Sdk):
    """Clients of one kind, closed together.

    They wait without passing time, unless `waits`; `naps_s` tells how long they would have.
    """

    def __init__(self, kind: str, base_url: str) -> None:
        super().__init__(kind, None)  # type: ignore[arg-type] - the server is another process
        self.base_url = base_url

    def client(self, *, waits: bool = False, **options: Any) -> Any:
        given: dict[str, Any] = {"api_key": KEY, "base_url": self.base_url} | options
        if self.kind == "aiohttp":
            given.setdefault("http_client", DefaultAioHttpClient())
        client = Client(**given) if self.kind == "sync" else AsyncClient(**given)
        if not waits:
            nap = self._nap if self.kind == "sync" else self._nap_async
            client._transport._sleep = nap  # type: ignore[assignment] - the kinds are equal
        self._clients.append(client)
        return client

    async def events(self, stream: Any) -> list[Any]:
        """Read a stream, or what opens one, to its end; return its events."""
        events: list[Any] = []
        await self.drain(await self.done(stream), events)
        return events

    async def all(self, iterator: Any) -> list[Any]:
        """Return all that an iterator gives."""
        if self.kind == "sync":
            return list(iterator)
        return [value async for value in iterator]


def scripted_server(folder: Path, script: str, **settings: object) -> ServerProcess:
    """Return a server whose model plays a script; to be entered."""
    path = folder / "script.yaml"
    path.write_text(script, encoding="utf-8")
    return ServerProcess(
        str(folder / "agentlin.db"), {"stop_grace_s": 5, "script": path} | settings
    )


def connections_in_use(client: Any) -> int:
    """Return how many connections of a client are neither idle nor closed."""
    transport = client._transport.pool.http._transport
    if isinstance(transport, AiohttpTransport):
        session: Any = transport._session
        return 0 if session is None else len(session.connector._acquired)
    return sum(not (one.is_idle() or one.is_closed()) for one in transport._pool.connections)
