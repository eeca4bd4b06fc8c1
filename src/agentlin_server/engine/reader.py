"""The reading end of the logs: a task as it is now, and its events from any point on."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import msgspec

from agentlin_client.types.fold import TaskFold
from agentlin_server.domain.errors import TaskNotFoundError
from agentlin_server.domain.events import FINAL_TYPES, RESTING_TYPES, Json
from agentlin_server.domain.ids import TaskPk
from agentlin_server.domain.ports import Store
from agentlin_server.domain.records import Segment, TaskRow
from agentlin_server.domain.status import RESTING, TERMINAL, Status
from agentlin_server.engine.encode import (
    decode_event,
    needs_snapshot,
    snapshot_json,
    with_snapshot,
)
from agentlin_server.engine.hub import Hub, Published, Tail
from agentlin_server.engine.pages import SharedReads

_PAGE_BYTES: Final = 64 * 1024
_SHARED_BYTES: Final = 16 * 1024
"""Segments from this size on are made once for all who read them at the same time."""
_decode: Final = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A task's log, read for going on with it.

    Attributes:
        fold: Of all events.
        events: The events in wire form, without snapshots and without deltas of done items.
        request: The messages that the task was created with.
    """

    fold: TaskFold
    events: Sequence[Json]
    request: Mapping[str, Any]


class Page(list[Published]):
    """Segments that were read together."""


class TaskReader:
    """Reads tasks and follows their logs: first from the database, then live."""

    def __init__(self, store: Store, hub: Hub) -> None:
        """Read from `store`; wait on `hub`."""
        self._store = store
        self._hub = hub
        self._pages: SharedReads[tuple[TaskPk, int], Page] = SharedReads()
        self._segments: SharedReads[tuple[TaskPk, int], Published] = SharedReads()

    async def snapshot(self, task: TaskRow) -> Json:
        """Return the TaskObject in wire form: the fold of all events persisted so far.

        A pause that was asked for is no event: whether one is still to come is in the row.
        """
        snapshot = (await self.fold(task)).snapshot()
        if task.pause_requested and snapshot["status"] not in {*TERMINAL, Status.PAUSED}:
            snapshot["pause_requested"] = True
        return snapshot

    async def fold(self, task: TaskRow, *, up_to_seq: int | None = None) -> TaskFold:
        """Fold the task's log, up to and including one event or to its end.

        Raises:
            TaskNotFoundError: the task was deleted after its row was read.
        """
        segments = await self._store.read_fold(task.pk, up_to_seq=up_to_seq)
        if not segments:
            raise TaskNotFoundError(f"no task {task.id!r}")
        fold = TaskFold()
        for segment in segments:
            for seq, line in enumerate(segment.lines, segment.first_seq):
                if up_to_seq is not None and seq > up_to_seq:
                    return fold
                event = decode_event(line)
                if seq == 0:
                    event["task"] = base_task(task, segment.facts[0])
                fold.apply(event)
        return fold

    async def past(self, task: TaskRow) -> "Past":
        """Read what whoever goes on with the task must know; open items have their deltas.

        Raises:
            TaskNotFoundError: the task was deleted after its row was read.
        """
        segments = await self._store.read_fold(task.pk)
        if not segments:
            raise TaskNotFoundError(f"no task {task.id!r}")
        request = segments[0].facts[0]
        fold = TaskFold()
        events: list[Json] = []
        for segment in segments:
            for seq, line in enumerate(segment.lines, segment.first_seq):
                event = decode_event(line)
                if seq == 0:
                    event["task"] = base_task(task, request)
                fold.apply(event)
                events.append(event)
        return Past(fold=fold, events=events, request=request)

    async def request(self, task: TaskRow) -> Mapping[str, Any]:
        """Return the messages that the task was created with: the log's first fact.

        Raises:
            TaskNotFoundError: the task was deleted after its row was read.
        """
        first = await self._store.read(task.pk, after_seq=-1, bytes_max=1)
        if not first:
            raise TaskNotFoundError(f"no task {task.id!r}")
        return first[0].facts[0]

    async def is_over(self, task: TaskRow, *, after_seq: int) -> bool:
        """True if the task is final or resting and no event follows `after_seq`."""
        if task.status not in TERMINAL | RESTING:
            return False
        return not await self._store.read(task.pk, after_seq=after_seq, bytes_max=1)

    async def generation_of(self, task: TaskRow, seq: int) -> int | None:
        """Return which claim committed the event `seq`; None if the log does not hold it."""
        for segment in await self._store.read(task.pk, after_seq=seq - 1, bytes_max=1):
            if segment.first_seq <= seq <= segment.last_seq:
                return segment.generation
        return None

    def is_stopping(self) -> bool:
        """True if the server stops: then the end of `follow` need not be the task's."""
        return self._hub.is_closing

    async def follow(
        self, pk: TaskPk, *, after_seq: int, until_final: bool, idle_s: float
    ) -> AsyncGenerator[Sequence[Published]]:
        """Yield the events after a number, in order, each once, until the task ends or rests.

        Yields an empty batch whenever nothing came for `idle_s` seconds, so that the caller
        can send a sign of life.

        Args:
            pk: The task.
            after_seq: Number of the last event that the reader has; -1 for none.
            until_final: Stay while the task rests (input-required, paused).
            idle_s: See above.
        """
        # Subscribed before the first read: nothing falls between.
        with self._hub.tail(pk) as tail, tail.viewer() as viewer:
            seq, rev, caught_up = after_seq, 0, False
            while (batch := tail.since(seq)) or batch is None or not (tail.is_closed and caught_up):
                if batch is None or not (batch or caught_up):
                    batch = await self._stored(tail, pk, seq, rev)
                    if not batch and await self._is_at_end(pk, until_final=until_final):
                        batch = await self._stored(
                            tail, pk, seq, rev
                        )  # it may have ended in between
                        if not batch:
                            return
                    caught_up = not batch
                else:
                    caught_up = True  # the tail has no gap: whatever follows will be in it
                if not batch:
                    # The end came below a number that lies ahead. (The tail may have grown above.)
                    if tail.is_final and not tail.since(seq):
                        return
                    if not await viewer.wait_changed(seq, timeout_s=idle_s):
                        yield ()
                    continue
                await viewer.wait_turn(batch)
                yield batch
                seq, rev = batch[-1].last_seq, batch[-1].rev
                if batch[-1].last_type in FINAL_TYPES:
                    return
                if batch[-1].last_type in RESTING_TYPES:
                    caught_up = False  # look once more whether this was the end

    async def _stored(self, tail: Tail, pk: TaskPk, seq: int, rev: int) -> Sequence[Published]:
        """Return the next page of the log; who reads the same one at this time shares it."""
        return await self._pages.get((pk, seq), partial(self._read, tail, pk, seq, rev))

    async def _read(self, tail: Tail, pk: TaskPk, seq: int, rev: int) -> Page:
        segments = await self._store.read(pk, after_seq=seq, after_rev=rev, bytes_max=_PAGE_BYTES)
        page = Page()
        # Deleted while being read: the page ends there, and nothing is sent that was never sent.
        with suppress(TaskNotFoundError):
            for segment in segments:
                if segment.lines:
                    one = await self._sent(tail, pk, segment)
                    page.append(one if one.first_seq > seq else one.after(seq))
        return page

    async def _sent(self, tail: Tail, pk: TaskPk, segment: Segment) -> Published:
        """Return a stored segment as it was sent; one that is large is made once for all."""
        if (live := tail.newest) is not None and live.rev == segment.rev:
            return live
        is_large = sum(map(len, segment.lines)) > _SHARED_BYTES
        if not (is_large or any(map(needs_snapshot, segment.lines))):
            return _published(segment, segment.lines, None)
        key = (pk, segment.rev)
        return await self._segments.get(key, partial(self._with_snapshots, pk, segment))

    async def _with_snapshots(self, pk: TaskPk, segment: Segment) -> Published:
        lines, task_json = list(segment.lines), None
        for n, line in enumerate(lines):
            if needs_snapshot(line):
                task = await self._store.get_by_pk(pk)
                if task is None:
                    raise TaskNotFoundError(f"the task of row {pk} was deleted")
                fold = await self.fold(task, up_to_seq=segment.first_seq + n)
                task_json = snapshot_json(fold.snapshot())
                lines[n] = with_snapshot(line, task_json)
        return _published(segment, lines, task_json if needs_snapshot(lines[-1]) else None)

    async def _is_at_end(self, pk: TaskPk, *, until_final: bool) -> bool:
        task = await self._store.get_by_pk(pk)
        if task is None or task.status in TERMINAL:
            return True
        return task.status in RESTING and not until_final


def _published(segment: Segment, lines: Sequence[bytes], task: bytes | None) -> Published:
    return Published(
        rev=segment.rev,
        generation=segment.generation,
        first_seq=segment.first_seq,
        lines=lines,
        task=task,
    )


def unreadable_task(task: TaskRow) -> Json:
    """Return what is known of a task whose log is damaged: its row."""
    base = base_task(task, {"user_message_content": ""})
    return base | {"status": task.status.value, "output": [], "sequence_number": -1}


def base_task(task: TaskRow, request: Mapping[str, Any]) -> Json:
    """Return what `task.created` says of a task, from its row and its stored request."""
    metadata: Any = None if task.metadata is None else _decode(task.metadata)
    return {
        "id": task.id,
        "object": "task",
        "created_at": int(task.created_at),
        "session_id": task.session_id,
        "user_id": task.user_id,
        "metadata": metadata,
        "previous_task_id": task.previous_task_id,
        "user_message_content": request["user_message_content"],
    }
