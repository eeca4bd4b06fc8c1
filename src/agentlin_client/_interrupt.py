"""Closing what somebody may be reading, or waiting for, at this moment."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ._commands import Steps
    from ._reader import EventReader


def interrupt(response: httpx.Response) -> None:
    """Close a response; a thread that waits for its next bytes is woken up."""
    # Closing a socket does not wake a thread that is blocked in it; shutting it down does.
    # Not so with HTTP/2, where other calls share the socket.
    network: Any = response.extensions.get("network_stream")
    sock: socket.socket | None = None
    if network is not None and response.http_version != "HTTP/2":
        sock = network.get_extra_info("socket")
    if sock is not None and not response.is_closed:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(ValueError, httpx.StreamError, OSError):
        # ValueError: the other thread's generator is running; it closes the response itself.
        response.close()


async def interrupt_async(response: httpx.Response) -> None:
    """Close a response; a task that waits for its next bytes gets an error or their end."""
    await response.aclose()


def connect_again(
    reader: EventReader, run: Callable[[Steps[Any]], object], steps: Steps[Any]
) -> None:
    """Perform the steps that give a reader a new connection.

    Nothing wakes a thread that sleeps or connects: it sees afterwards that the reader is closed.
    """
    if not reader.closed:
        run(steps)


async def connect_again_async(
    reader: EventReader, run: Callable[[Steps[Any]], Awaitable[object]], steps: Steps[Any]
) -> None:
    """Perform the steps that give a reader a new connection; stop when it is closed meanwhile."""
    from anyio import CancelScope

    with CancelScope() as scope:
        reader.give_up = scope.cancel
        try:
            await run(steps)
        finally:
            reader.give_up = None
