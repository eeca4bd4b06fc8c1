"""The writing end of one task's log: numbers drafts, commits them, publishes what is committed."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import Any

from agentlin_client.types.fold import TaskFold
from agentlin_server.domain.errors import PauseWithdrawnError
from agentlin_server.domain.events import (
    SNAPSHOT_TYPES,
    AnyDraft,
    DeltaRun,
    Draft,
    Json,
    encode_json,
)
from agentlin_server.domain.ports import Clock, Store
from agentlin_server.domain.records import (
    Commit,
    ItemRow,
    RolloutRow,
    TaskRow,
    ToolCallRow,
)
from agentlin_server.domain.status import RESTING, TERMINAL, Signal, Status, advance
from agentlin_server.engine.encode import (
    Numbering,
    are_deltas,
    decode_event,
    snapshot_json,
    with_snapshot,
)
from agentlin_server.engine.hub import Published, Tail
from agentlin_server.engine.limits import EngineLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What an append changes besides the journal."""

    items: Sequence[ItemRow] = ()
    tool_calls: Sequence[ToolCallRow] = ()
    rollout: RolloutRow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Logs:
    """Opens the logs of tasks for writing."""

    store: Store
    clock: Clock
    limits: EngineLimits

    def open(self, task: TaskRow, *, rev: int, fold: TaskFold, tail: Tail) -> "TaskLog":
        """Go on where a journal ends.

        Args:
            task: The row, as claimed.
            rev: The journal's last rev.
            fold: Of all events so far.
            tail: Where to publish.
        """
        return TaskLog(
            task=task,
            rev=rev,
            fold=fold,
            store=self.store,
            tail=tail,
            clock=self.clock,
            limits=self.limits,
        )


class TaskLog:
    """The only writer of a task while its claim holds.

    It keeps the fold of all events but deltas, which is exact wherever no item is open.
    """

    def __init__(
        self,
        *,
        task: TaskRow,
        rev: int,
        fold: TaskFold,
        store: Store,
        tail: Tail,
        clock: Clock,
        limits: EngineLimits,
    ) -> None:
        """See `Logs.open`."""
        self.task = task
        self.fold = fold
        self.status: Status = task.status
        self._rev = rev
        self._next_seq = fold.sequence_number + 1
        self._store = store
        self._tail = tail
        self._clock = clock
        self._limits = limits
        self._numbering = Numbering(task.id)

    async def append(
        self,
        drafts: Sequence[AnyDraft],
        *,
        signal: Signal | None = None,
        facts: Sequence[Mapping[str, Any]] = (),
        rows: Rows | None = None,
        attempts: int | None = None,
        barrier: bool = False,
    ) -> None:
        """Commit events and facts, then publish the events.

        Both happen even if the caller is canceled while it waits.

        Args:
            drafts: The events, in order.
            signal: What happens to the task with them; an end or a rest is always a barrier.
            facts: Private records.
            rows: Rows that change with them.
            attempts: New count of claims without progress; None leaves it.
            barrier: Sync to disk first.

        Raises:
            IllegalTransitionError: the signal does not fit the status.
            StaleWriterError: someone else has claimed the task.
            StorageError: the database did not take it; the log must not be used any more.
            PauseWithdrawnError: nobody wants the pause any more; the log is as it was.
        """
        before = (self._rev, self._next_seq, self.status)
        fold = deepcopy(self.fold) if signal is Signal.PAUSE else self.fold
        try:
            await self._append(
                drafts, signal=signal, facts=facts, rows=rows, attempts=attempts, barrier=barrier
            )
        except PauseWithdrawnError:
            self._rev, self._next_seq, self.status = before
            self.fold = fold
            raise

    async def _append(
        self,
        drafts: Sequence[AnyDraft],
        *,
        signal: Signal | None,
        facts: Sequence[Mapping[str, Any]],
        rows: Rows | None,
        attempts: int | None,
        barrier: bool,
    ) -> None:
        at = self._clock()
        status = None if signal is None else advance(self.status, signal)
        stored, sent, snapshot = self._encode(drafts, at)
        commit = Commit(
            task_pk=self.task.pk,
            after_rev=self._rev,
            generation=self.task.generation,
            first_seq=self._next_seq,
            last_seq=self._next_seq + len(stored) - 1,
            at=at,
            events=b"\n".join(stored),
            facts=b"\n".join(map(encode_json, facts)),
            is_deltas=bool(drafts) and not facts and rows is None and are_deltas(drafts),
            barrier=barrier or status in TERMINAL or status in RESTING,
            status=status,
            rest_max_s=None if status is None else self._limits.rest_max_s(status),
            attempts=attempts,
            usage=self._usage() if status in TERMINAL else None,
            error=_error(drafts),
            items=() if rows is None else rows.items,
            tool_calls=() if rows is None else rows.tool_calls,
            rollout=None if rows is None else rows.rollout,
        )
        self._rev += 1
        self._next_seq += len(stored)
        self.status = status or self.status
        segment = None
        if sent:
            segment = Published(
                rev=self._rev,
                generation=commit.generation,
                first_seq=commit.first_seq,
                lines=sent,
                task=snapshot,
            )
        await self._store.append(commit, on_commit=partial(self._publish, segment))

    def _encode(
        self, drafts: Sequence[AnyDraft], at: float
    ) -> tuple[list[bytes], list[bytes], bytes | None]:
        """Return the events as stored, as sent, and the last snapshot; fold in what is no delta."""
        stored = self._numbering.lines(drafts, self._next_seq, at)
        if all(isinstance(draft, DeltaRun) for draft in drafts):
            return stored, stored, None
        sent, task, n = list(stored), None, 0
        for draft in drafts:
            if isinstance(draft, DeltaRun):
                n += len(draft.tails)
                continue
            self.fold.apply(decode_event(stored[n]))
            if draft.type in SNAPSHOT_TYPES:
                task = snapshot_json(self.fold.snapshot())
                sent[n] = with_snapshot(stored[n], task)
            n += 1
        return stored, sent, task

    def _publish(self, segment: Published | None) -> None:
        if segment is not None:
            self._tail.publish(segment)

    def _usage(self) -> bytes | None:
        usage = self.fold.snapshot()["usage"]
        return None if usage is None else encode_json(usage)


def _error(drafts: Sequence[AnyDraft]) -> bytes | None:
    last = drafts[-1] if drafts else None
    error: Json | None = last.body.get("error") if isinstance(last, Draft) else None
    return None if error is None else encode_json(error)
