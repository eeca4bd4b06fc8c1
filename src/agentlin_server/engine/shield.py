"""Work that must not stop half-way because whoever asked for it has gone."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

T = TypeVar("T")


async def shielded(work: Callable[[], Awaitable[T]]) -> T:
    """Do `work` to its end, even if the caller is canceled meanwhile, and return its result.

    The work itself must be bounded.
    """
    results: list[T] = []
    with anyio.CancelScope(shield=True):
        results.append(await work())
    return results[0]
