"""Closing a response that somebody may be reading at this moment."""

import contextlib
import socket
from typing import Any

import httpx


def interrupt(response: httpx.Response) -> None:
    """Close a response; a thread that waits for its next bytes is woken up."""
    # Closing a socket does not wake a thread that is blocked in it; shutting it down does.
    network: Any = response.extensions.get("network_stream")
    sock = None if network is None else network.get_extra_info("socket")
    if sock is not None and not response.is_closed:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(ValueError, httpx.StreamError, OSError):
        # ValueError: the other thread's generator is running; it closes the response itself.
        response.close()


async def interrupt_async(response: httpx.Response) -> None:
    """Close a response; a task that waits for its next bytes gets an error or their end."""
    await response.aclose()
