"""Live events in memory: a bounded tail per task, and readers that wait for it to grow.

A reader is a cursor, never a queue: the hub does not know how far anyone has read. Who
falls behind the tail reads from the database instead. The first few readers of a task are
woken at every event; if there are many, the others are woken less often, and get more at once.
"""

import asyncio
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Final

from agentlin_server.domain.events import FINAL_TYPES
from agentlin_server.domain.ids import TaskPk
from agentlin_server.engine.encode import type_of
from agentlin_server.engine.pacing import Pacer, Waiter, resolve

_TAIL_BYTES_MAX: Final = 256 * 1024
_BATCH_BYTES: Final = 64 * 1024
"""What a reader is given at once: with it, it holds up the event loop for some 0.2 ms."""
_SEATS: Final = 8
"""Readers of a task that are woken first, at every event, however many there are."""
_AT_ONCE_MAX: Final = 50
"""With more readers than this, those without a seat are woken once in `_PERIOD_S`."""
_PERIOD_S: Final = 0.05
_JOINED_MAX: Final = 16
"""Batches that are kept joined: few different ones are asked for between two events."""


class Published:
    """Events of one commit, as they are sent; shared by all readers.

    `frames` is a place for the API to keep their SSE form, made by the first reader for all.
    """

    __slots__ = (
        "__weakref__",
        "first_seq",
        "frames",
        "generation",
        "last_seq",
        "last_type",
        "lines",
        "rev",
        "size_bytes",
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
        self.size_bytes = sum(map(len, lines))
        self.last_type = type_of(lines[-1])
        self.task = task
        self.frames: bytes | None = None

    @classmethod
    def joined(cls, segments: "Sequence[Published]") -> "Published":
        """Return consecutive segments of one generation as one."""
        return cls(
            rev=segments[-1].rev,
            generation=segments[-1].generation,
            first_seq=segments[0].first_seq,
            lines=[line for segment in segments for line in segment.lines],
            task=segments[-1].task,
        )

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

    def __init__(self, pacer: Pacer) -> None:
        """Begin empty: nothing is known of what the log holds."""
        self._pacer = pacer
        self._segments: deque[Published] = deque()
        self._size_bytes = 0
        self._seated: dict[Waiter, None] = {}
        self._standing: dict[Waiter, None] = {}
        self._joined: dict[int, Published] = {}
        self._round: asyncio.TimerHandle | None = None
        self._round_at = -_PERIOD_S
        self.seats_free = _SEATS
        self.viewers = 0
        self.users = 0
        self.is_closed = False

    def publish(self, segment: Published) -> None:
        """Append committed events and wake who waits."""
        self._joined.clear()
        self._segments.append(segment)
        self._size_bytes += segment.size_bytes
        while self._size_bytes > _TAIL_BYTES_MAX and len(self._segments) > 1:
            self._size_bytes -= self._segments.popleft().size_bytes
        self._wake()

    def close(self) -> None:
        """No event will follow, as far as this tail goes: readers end after what is stored."""
        self.is_closed = True
        self._wake()

    def drop(self) -> None:
        """Nobody uses this tail any more: nothing is left to be done for it."""
        if self._round is not None:
            self._round.cancel()
            self._round = None

    @property
    def newest(self) -> Published | None:
        """The last events that are known, None if there are none."""
        return self._segments[-1] if self._segments else None

    @property
    def is_final(self) -> bool:
        """True if the newest event is known, and is the last that there will be."""
        return bool(self._segments) and self._segments[-1].last_type in FINAL_TYPES

    def since(self, seq: int) -> Sequence[Published] | None:
        """Return what follows `seq`, or the first part of it if it is much.

        Empty if nothing is known to follow; None if the tail does not reach back that far.
        """
        segments = self._segments
        if not segments or segments[-1].last_seq <= seq:
            return ()
        if (joined := self._joined.get(seq)) is not None:
            return (joined,)
        if segments[0].first_seq > seq + 1:
            return None
        newer: list[Published] = []
        size = 0
        for segment in reversed(segments):
            if segment.last_seq <= seq:
                break
            newer.append(segment if segment.first_seq > seq else segment.after(seq))
            size += segment.size_bytes
        newer.reverse()
        batch = newer if size <= _BATCH_BYTES else _first_of(newer)
        return batch if self.viewers <= _AT_ONCE_MAX else self._shared(seq, batch)

    @contextmanager
    def viewer(self) -> Generator["Viewer"]:
        """Be counted as a reader while in the context."""
        one = Viewer(self, self._pacer)
        self.viewers += 1
        try:
            yield one
        finally:
            self.viewers -= 1
            one.leave()

    async def wait_changed(self, seq: int, *, timeout_s: float, is_seated: bool = True) -> bool:
        """Wait until there is something after `seq`, or the tail is closed; False on time-out.

        Who has no seat may be told later than the others, and rarely for nothing.
        """
        if self.is_closed or (self._segments and self._segments[-1].last_seq > seq):
            return True
        loop = asyncio.get_running_loop()
        waiter: Waiter = loop.create_future()
        (self._seated if is_seated else self._standing)[waiter] = None
        timer = loop.call_later(timeout_s, _time_out, waiter)
        try:
            return await waiter
        finally:
            timer.cancel()
            (self._seated if is_seated else self._standing).pop(waiter, None)

    def _shared(self, seq: int, batch: Sequence[Published]) -> Sequence[Published]:
        """Return the batch as one segment, the same for all who are woken with this one."""
        if len(batch) == 1 or batch[0].generation != batch[-1].generation:
            return batch
        if len(self._joined) >= _JOINED_MAX:
            self._joined.clear()
        joined = self._joined[seq] = Published.joined(batch)
        return (joined,)

    def _wake(self) -> None:
        seated, self._seated = self._seated, {}
        resolve(seated)
        if not self._standing or self._round is not None:
            return
        loop = asyncio.get_running_loop()
        if self.viewers <= _AT_ONCE_MAX:
            # After the seated have run: sockets are written to when all of a turn have.
            standing, self._standing = self._standing, {}
            loop.call_soon(resolve, standing)
            return
        at = max(self._round_at + _PERIOD_S, loop.time())
        self._round = loop.call_at(at, self._begin_round)

    def _begin_round(self) -> None:
        """Have everyone woken who waits now; who comes back meanwhile waits for the next round."""
        self._round, self._round_at = None, asyncio.get_running_loop().time()
        standing, self._standing = self._standing, {}
        self._pacer.wake(standing)


def _first_of(segments: Sequence[Published]) -> Sequence[Published]:
    size = 0
    for n, segment in enumerate(segments, 1):
        size += segment.size_bytes
        if size >= _BATCH_BYTES:
            return segments[:n]
    return segments


def _time_out(waiter: Waiter) -> None:
    if not waiter.done():
        waiter.set_result(False)


class Viewer:
    """One reader of a task. The first to come have seats: they are woken before all others.

    A seat that becomes free goes to whoever waits next.
    """

    __slots__ = ("_is_seated", "_pacer", "_tail")

    def __init__(self, tail: Tail, pacer: Pacer) -> None:
        """Use `Tail.viewer` instead."""
        self._tail = tail
        self._pacer = pacer
        self._is_seated = False
        self._take_seat()

    async def wait_changed(self, seq: int, *, timeout_s: float) -> bool:
        """Wait until there is something after `seq`, or the tail is closed; False on time-out."""
        self._take_seat()
        return await self._tail.wait_changed(seq, timeout_s=timeout_s, is_seated=self._is_seated)

    async def wait_turn(self, batch: Sequence[Published]) -> None:
        """Wait until there is time to send `batch`; hardly ever, unless it is a large one."""
        if sum(segment.size_bytes for segment in batch) > _BATCH_BYTES // 4:
            await self._pacer.wait_turn()

    def leave(self) -> None:
        """Give the seat back."""
        self._tail.seats_free += self._is_seated
        self._is_seated = False

    def _take_seat(self) -> None:
        if not self._is_seated and self._tail.seats_free:
            self._tail.seats_free -= 1
            self._is_seated = True


class Hub:
    """The tails of the tasks that someone writes or reads right now."""

    def __init__(self) -> None:
        """Begin without any."""
        self._tails: dict[TaskPk, Tail] = {}
        self._pacer = Pacer()
        self.is_closing = False
        """True once the server stops: that a stream ends does not mean that its task did."""

    @contextmanager
    def tail(self, pk: TaskPk) -> Generator[Tail]:
        """Share the task's tail while in the context; the last user drops it."""
        tail = self._tails.get(pk)
        if tail is None:
            tail = self._tails[pk] = Tail(self._pacer)
            tail.is_closed = self.is_closing
        tail.users += 1
        try:
            yield tail
        finally:
            tail.users -= 1
            if tail.users == 0:
                self._tails.pop(pk, None)
                tail.drop()

    def close(self, pk: TaskPk) -> None:
        """End all readers of a task that is gone."""
        if (tail := self._tails.get(pk)) is not None:
            tail.close()

    def close_all(self) -> None:
        """End all readers, also those that come later, after what is stored: the server stops."""
        self.is_closing = True
        for tail in list(self._tails.values()):
            tail.close()

    @property
    def size(self) -> int:
        """How many tasks are followed or written."""
        return len(self._tails)
