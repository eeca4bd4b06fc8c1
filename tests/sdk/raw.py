"""What the tests of raw responses share: both kinds of iterators and of blocks."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from agentlin_client._raw_transport import ResponseContextManager


async def pieces(found: Any) -> list[Any]:
    """Return what an iterator of either kind yields."""
    return [piece async for piece in found] if hasattr(found, "__aiter__") else list(found)


async def first(found: Any) -> Any:
    return await anext(found) if hasattr(found, "__anext__") else next(found)


@contextlib.asynccontextmanager
async def entered(manager: Any) -> AsyncIterator[Any]:
    """Enter a context manager of either kind."""
    if isinstance(manager, ResponseContextManager):
        with manager as value:
            yield value
    else:
        async with manager as value:
            yield value
