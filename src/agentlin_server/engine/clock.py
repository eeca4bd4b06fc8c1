"""The engine's clock: the wall clock, but one that nobody sets behind the engine's back."""

import time
from typing import Final

from agentlin_server.domain.ports import Clock

_BOOT_CLOCK: Final[int | None] = getattr(time, "CLOCK_BOOTTIME", None)
"""It goes on while the machine sleeps, where the system has such a clock."""


def elapsed_s() -> float:
    """Return seconds since some fixed instant; nobody can set this clock."""
    return time.monotonic() if _BOOT_CLOCK is None else time.clock_gettime(_BOOT_CLOCK)


class SteadyClock:
    """Goes like the wall clock until that is set; then it goes on as before, until `follow`.

    So whoever keeps instants of it can move them along first (ADR-0010).
    """

    def __init__(self, wall: Clock, elapsed: Clock = elapsed_s) -> None:
        """Begin with the wall clock's time."""
        self._wall = wall
        self._elapsed = elapsed
        self._offset = wall() - elapsed()

    def __call__(self) -> float:
        """Return seconds since the Unix epoch, UTC."""
        return self._elapsed() + self._offset

    @property
    def behind_s(self) -> float:
        """How far the wall clock is ahead; negative if it is behind."""
        return self._wall() - self()

    def follow(self, by_s: float) -> None:
        """Move by as much."""
        self._offset += by_s
