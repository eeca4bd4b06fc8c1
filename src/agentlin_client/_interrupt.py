"""Closing what somebody may be reading, or waiting for, at this moment."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from types import GeneratorType

    import httpx

    from ._commands import Steps
    from ._reader import EventReader


def interrupt(events: Iterator[object], response: httpx.Response) -> None:
    """End the reading of a response; a thread that waits for its next bytes is woken up.

    Args:
        events: The generator that reads it. It has been told that it is over: it closes the
            response when it runs, and reads no more when it begins to.
        response: The response.
    """
    sock = _own_socket(response)
    if sock is not None and cast("GeneratorType[object, None, None]", events).gi_running:
        # To close a socket under a thread that reads from it is worse than useless: the thread
        # sleeps on, and the number of the file may by then be that of another connection. Shut
        # down, the socket wakes the thread, which closes it.
        if not response.is_closed:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        return
    with contextlib.suppress(ValueError):  # a generator below that is running ends by itself
        response.close()


def _own_socket(response: httpx.Response) -> socket.socket | None:
    """Return the socket that only this response comes from, None if there is no such thing."""
    network: Any = response.extensions.get("network_stream")
    if network is None or response.http_version == "HTTP/2":
        return None
    return network.get_extra_info("socket")


async def interrupt_async(events: AsyncIterator[object], response: httpx.Response) -> None:
    """End the reading of a response; a task that waits for its next bytes gets their end.

    Args:
        events: The generator that reads it, and ends by itself.
        response: The response.
    """
    del events
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
