"""Work on behalf of a client, for as long as it stays connected."""

from collections.abc import Awaitable, Callable

import anyio
from starlette.types import Receive


async def while_connected(receive: Receive, work: Callable[[], Awaitable[None]]) -> bool:
    """Do `work`; stop it if the client disconnects. True if it was done to its end.

    The request's body must have been read.
    """
    is_done = False
    async with anyio.create_task_group() as group:

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            group.cancel_scope.cancel()

        group.start_soon(watch)
        await work()
        is_done = True
        group.cancel_scope.cancel()
    return is_done
