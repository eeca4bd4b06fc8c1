"""Counts what happens in each turn of the event loop."""

import asyncio
from collections import Counter
from typing import Final, Self

from agentlin_server.engine.pacing import Pacer

SLICE_MAX: Final = 64
"""Readers that one turn may wake, at most."""


class Turns:
    """Counts the turns of the event loop, and what happens in each."""

    def __init__(self) -> None:
        self.number = 0
        self.woken: Counter[int] = Counter()
        self._is_counting = False

    def __enter__(self) -> Self:
        self._is_counting = True
        self._next()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_counting = False

    def note(self) -> None:
        self.woken[self.number] += 1

    def _next(self) -> None:
        self.number += 1
        if self._is_counting:
            asyncio.get_running_loop().call_soon(self._next)


async def idle(pacer: Pacer) -> None:
    """Wait until nobody is left to be woken."""
    while not pacer.is_idle:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0)
