"""Wakes a crowd of readers a few at a time, so that the event loop stays free for who writes.

To wake a reader costs some 20 us (its generator, its bytes, its socket): a thousand at once
would hold up every task of the process for 20 ms, again at each event.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Final

Waiter = asyncio.Future[bool]

_SLICE_S: Final = 0.0005
"""How long the readers that are woken together should take."""
_SLICE_FIRST: Final = 8
_SLICE_MAX: Final = 64
_PAUSE_RATIO: Final = 2.0
"""A pause is this many times as long as the slice before it: readers get a third of the loop."""
_PAUSE_MIN_S: Final = 0.001
_PAUSE_MAX_S: Final = 0.05
"""A slice that was held up by something else must not hold up the next one for long."""


def resolve(waiters: Iterable[Waiter]) -> None:
    """Wake all of them, now."""
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(True)


class Pacer:
    """Lets readers run in slices with pauses between them; first come, first served.

    A slice holds as many as were seen to take half a millisecond. While nobody is left to be
    woken there are no pauses, and no timer.
    """

    def __init__(self, *, clock: Callable[[], float] = time.perf_counter) -> None:
        """Begin with nobody in line; `clock` gives seconds, to time the slices with."""
        self._clock = clock
        self._lines: deque[Iterator[Waiter]] = deque()
        self._next: asyncio.Handle | None = None
        self._size = _SLICE_FIRST
        self._woken = 0
        self._begun = 0.0

    @property
    def is_idle(self) -> bool:
        """True if nobody waits to be woken."""
        return self._next is None

    def wake(self, waiters: Iterable[Waiter]) -> None:
        """Wake them, after those that were named before; they must not change meanwhile."""
        self._lines.append(iter(waiters))
        self._start()

    async def wait_turn(self) -> None:
        """Wait until there is time for some larger work; at once if nobody else waits."""
        waiter: Waiter = asyncio.get_running_loop().create_future()
        self.wake((waiter,))
        await waiter

    def _start(self) -> None:
        if self._next is None:
            self._next = asyncio.get_running_loop().call_soon(self._slice)

    def _slice(self) -> None:
        """Wake some; what they do is timed by what runs right before and after them."""
        loop = asyncio.get_running_loop()
        loop.call_soon(self._begin)
        self._woken = 0
        while self._lines and self._woken < self._size:
            waiter = next(self._lines[0], None)
            if waiter is None:
                self._lines.popleft()
            elif not waiter.done():
                waiter.set_result(True)
                self._woken += 1
        self._next = loop.call_soon(self._end)

    def _begin(self) -> None:
        self._begun = self._clock()

    def _end(self) -> None:
        took_s = self._clock() - self._begun
        if took_s > _SLICE_S:
            self._size = max(1, self._size // 2)
        elif self._woken == self._size and took_s < _SLICE_S / 2:
            self._size = min(_SLICE_MAX, self._size * 2)
        if not self._lines:
            self._next = None
            return
        pause_s = min(max(took_s * _PAUSE_RATIO, _PAUSE_MIN_S), _PAUSE_MAX_S)
        self._next = asyncio.get_running_loop().call_later(pause_s, self._slice)
