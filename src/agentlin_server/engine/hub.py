"""Live events in memory: a bounded tail per task, and readers that wait for it to grow.

A reader is a cursor, never a queue: the hub does not know how far anyone has read. Who
falls behind the tail reads from the database instead.
"""

import asyncio
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Final

from agentlin_server.domain.events import FINAL_TYPES
from agentlin_server.domain.ids import TaskPk
from agentlin_server.engine.encode import type_of

_TAIL_BYTES_MAX: Final = 256 * 1024


class Published:
    """Events of one commit, as they are sent; shared by all readers.

    `frames` is a place for the API to keep their SSE form, made by the first reader for all.
    """

    __slots__ = (
        "first_seq",
        "frames",
        "generation",
        "last_seq",
        "last_type",
        "lines",
        "rev",
        "task",
    )

    def __init__(
        self,
        *,
        rev: int,
        generation: int,
        first_seq: int,
        lines: Sequence[bytes],
        task: bytes | None = None,
    ) -> None:
        """Describe the events from `first_seq` on; there is at least one.

        `task` is the TaskObject's JSON if the last event is final or resting.
        """
        self.rev = rev
        self.generation = generation
        self.first_seq = first_seq
        self.last_seq = first_seq + len(lines) - 1
        self.lines = lines
        self.last_type = type_of(lines[-1])
        self.task = task
        self.frames: bytes | None = None

    def after(self, seq: int) -> "Published":
        """Return the part that follows `seq`, which lies within."""
        return Published(
            rev=self.rev,
            generation=self.generation,
            first_seq=seq + 1,
            lines=self.lines[seq + 1 - self.first_seq :],
            task=self.task,
        )


class Tail:
    """The newest events of one task."""

    def __init__(self) -> None:
        """Begin empty: nothing is known of what the log holds."""
        self._segments: deque[Published] = deque()
        self._size_bytes = 0
        self._waiters: list[asyncio.Future[bool]] = []
        self.users = 0
        self.is_closed = False

    def publish(self, segment: Published) -> None:
        """Append committed events and wake who waits."""
        self._segments.append(segment)
        self._size_bytes += sum(map(len, segment.lines))
        while self._size_bytes > _TAIL_BYTES_MAX and len(self._segments) > 1:
            self._size_bytes -= sum(map(len, self._segments.popleft().lines))
        self._wake()

    def close(self) -> None:
        """No event will follow, not even in the database: the task is gone."""
        self.is_closed = True
        self._wake()

    @property
    def is_final(self) -> bool:
        """True if the newest event is known, and is the last that there will be."""
        return bool(self._segments) and self._segments[-1].last_type in FINAL_TYPES

    def since(self, seq: int) -> Sequence[Published] | None:
        """Return what follows `seq`.

        Empty if nothing is known to follow; None if the tail does not reach back that far.
        """
        segments = self._segments
        if not segments or segments[-1].last_seq <= seq:
            return ()
        if segments[0].first_seq > seq + 1:
            return None
        newer: list[Published] = []
        for segment in reversed(segments):
            if segment.last_seq <= seq:
                break
            newer.append(segment if segment.first_seq > seq else segment.after(seq))
        newer.reverse()
        return newer

    async def wait_changed(self, seq: int, *, timeout_s: float) -> bool:
        """Wait until there is something after `seq`, or the task is gone; False on time-out."""
        if self.is_closed or (self._segments and self._segments[-1].last_seq > seq):
            return True
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        self._waiters.append(waiter)
        timer = loop.call_later(timeout_s, _time_out, waiter)
        try:
            return await waiter
        finally:
            timer.cancel()
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(True)


def _time_out(waiter: "asyncio.Future[bool]") -> None:
    if not waiter.done():
        waiter.set_result(False)


class Hub:
    """The tails of the tasks that someone writes or reads right now."""

    def __init__(self) -> None:
        """Begin without any."""
        self._tails: dict[TaskPk, Tail] = {}

    @contextmanager
    def tail(self, pk: TaskPk) -> Generator[Tail]:
        """Share the task's tail while in the context; the last user drops it."""
        tail = self._tails.get(pk)
        if tail is None:
            tail = self._tails[pk] = Tail()
        tail.users += 1
        try:
            yield tail
        finally:
            tail.users -= 1
            if tail.users == 0:
                self._tails.pop(pk, None)

    def close(self, pk: TaskPk) -> None:
        """End all readers of a task that is gone."""
        if (tail := self._tails.get(pk)) is not None:
            tail.close()

    @property
    def size(self) -> int:
        """How many tasks are followed or written."""
        return len(self._tails)
