"""Calls an ASGI application without a socket, so that its answer can be watched as it comes."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream
from starlette.types import ASGIApp, Message

WAIT_S = 10


class Exchange:
    """One request under way. `status` and `headers` are there once the answer has begun."""

    def __init__(self, sent: MemoryObjectReceiveStream[Message]) -> None:
        self._sent = sent
        self._gone = anyio.Event()
        self.status = 0
        self.headers: dict[str, str] = {}
        self.is_complete = False

    async def begun(self) -> None:
        """Wait for status and headers."""
        with anyio.fail_after(WAIT_S):
            message = await self._sent.receive()
        assert message["type"] == "http.response.start", message
        self.status = message["status"]
        self.headers = {k.decode(): v.decode() for k, v in message["headers"]}

    async def chunk(self) -> bytes:
        """Wait for the next piece of the body; empty at its end."""
        if self.is_complete:
            return b""
        with anyio.fail_after(WAIT_S):
            message = await self._sent.receive()
        assert message["type"] == "http.response.body", message
        self.is_complete = not message.get("more_body", False)
        return message.get("body", b"")

    async def rest(self) -> bytes:
        """Wait for the end; return what came until then."""
        pieces: list[bytes] = []
        while not self.is_complete:
            pieces.append(await self.chunk())
        return b"".join(pieces)

    def hang_up(self) -> None:
        """Go, as a client does whose connection breaks."""
        self._gone.set()

    async def wait_gone(self) -> None:
        await self._gone.wait()


@asynccontextmanager
async def exchange(
    app: ASGIApp,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: Sequence[bytes] = (),
) -> AsyncIterator[Exchange]:
    """Send a request, its body in these pieces; on leaving, hang up and see the app end."""
    sender, receiver = anyio.create_memory_object_stream[Message](float("inf"))
    call = Exchange(receiver)
    pieces = list(body) or [b""]

    async def receive() -> Message:
        if pieces:
            piece = pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(pieces)}
        await call.wait_gone()
        return {"type": "http.disconnect"}

    async def run() -> None:
        with sender:
            await app(_scope(method, path, headers or {}), receive, sender.send)

    with receiver:
        async with anyio.create_task_group() as group:
            group.start_soon(run)
            try:
                yield call
            finally:
                call.hang_up()
                with anyio.CancelScope(shield=True), anyio.fail_after(WAIT_S):
                    async for _ in receiver:  # ends when the app has ended
                        pass


def _scope(method: str, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
    path, _, query = path.partition("?")
    given = {"host": "127.0.0.1:9999"} | {k.lower(): v for k, v in headers.items()}
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(k.encode("latin-1"), v.encode("latin-1")) for k, v in given.items()],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 9999),
    }
