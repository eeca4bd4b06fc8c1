"""A server that writes bytes, whatever they are, to whoever asks it something."""

import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import anyio
import psutil
from anyio.abc import SocketAttribute, SocketStream

_WAIT_S = 5.0


@contextlib.asynccontextmanager
async def serving(
    *pieces: bytes,
    until: bytes = b"\r\n\r\n",
    received: list[bytes] | None = None,
    every_s: float = 0.0,
    hangs_up: bool = False,
) -> AsyncIterator[str]:
    """Serve on loopback, in this event loop; gives the origin, as in `http://127.0.0.1:1234`.

    Args:
        pieces: Written one after the other once a request is there, each connection's only one.
        until: What a request ends with.
        received: Gets the requests.
        every_s: The pause before each piece, in seconds.
        hangs_up: Close the connection afterwards; else wait for the client to do it.
    """

    async def answer(client: SocketStream) -> None:
        async with client:
            request = await client.receive()
            while not request.endswith(until):
                request += await client.receive()
            if received is not None:
                received.append(request)
            for piece in pieces:
                await anyio.sleep(every_s)
                await client.send(piece)
            while not hangs_up:
                await client.receive()  # raises when the client has gone

    async def serve(client: SocketStream) -> None:
        with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError):
            await answer(client)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(SocketAttribute.local_port)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve)
        with anyio.fail_after(_WAIT_S):
            yield f"http://127.0.0.1:{port}"
        tasks.cancel_scope.cancel()


def sockets_to(origin: str) -> int:
    """Return how many sockets of this process lead to the server."""
    port = urlsplit(origin).port
    connections = psutil.Process().net_connections("tcp")
    return sum(bool(each.raddr) and each.raddr.port == port for each in connections)
