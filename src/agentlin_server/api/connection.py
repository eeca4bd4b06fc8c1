"""Is the client still there? Asked now and then, which is cheaper than watching all the time."""

from typing import Final

import anyio
from starlette.types import Receive

LOOK_EVERY_S: Final = 1.0
"""How soon a client that went is noticed; sending to it meanwhile does no harm."""
_PATIENCE_S: Final = 0.001
"""What a server gets to say that the client has gone: it may pass through its event loop."""


async def is_gone(receive: Receive) -> bool:
    """True if the client has disconnected; hardly waits. The request's body must have been read."""
    message = None
    with anyio.move_on_after(_PATIENCE_S):
        message = await receive()
    return message is not None and message["type"] == "http.disconnect"
