"""The bare relay: an ASGI app that re-sends each chunk of the provider and does nothing else.

What a server in this place costs at least, on the same HTTP server and HTTP client as ours.
Run by uvicorn; `MOCK_PROVIDER_URL` names the provider.
"""

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import aiohttp

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

START: Message = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")],
}
"""Head of every streamed answer; uvicorn adds the chunked transfer encoding."""

END: Message = {"type": "http.response.body", "body": b"", "more_body": False}


def open_session() -> aiohttp.ClientSession:
    """Return a client of the provider without a limit of connections; the caller closes it."""
    return aiohttp.ClientSession(
        base_url=os.environ["MOCK_PROVIDER_URL"],
        connector=aiohttp.TCPConnector(limit=0),
        headers={"content-type": "application/json", "authorization": "Bearer benchmark"},
        timeout=aiohttp.ClientTimeout(total=None),
    )


async def read_body(receive: Receive) -> bytes:
    """Return the whole body of the request."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


class Relay:
    """The ASGI app. Any GET is answered 200, so that one can wait for the server to come up."""

    _session: aiohttp.ClientSession

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request, or the life of the server."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["method"] == "GET":
            await send(START)
            await send(END)
        else:
            await self.relay(await read_body(receive), send)

    async def relay(self, body: bytes, send: Send) -> None:
        """Ask the provider and re-send what each read of its answer holds."""
        async with self._session.post("/v1/chat/completions", data=body) as answer:
            await send(START)
            async for chunk in answer.content.iter_any():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send(END)

    async def start(self) -> None:
        """Open what the app needs; runs in the server's event loop."""
        self._session = open_session()

    async def stop(self) -> None:
        """Close what `start` opened."""
        await self._session.close()

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self.start()
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return


app = Relay()
