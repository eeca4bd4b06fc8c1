"""What the engine needs of the outside world: the store, a clock. Adapters live further up."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from agentlin_server.domain.ids import TaskPk, Tenant
from agentlin_server.domain.records import (
    Claimed,
    ClaimRound,
    Commit,
    Created,
    Deleted,
    IntentKind,
    NewTask,
    RolloutRow,
    Segment,
    TaskFilter,
    TaskRow,
    Wake,
)

Clock = Callable[[], float]
"""The wall clock: seconds since the Unix epoch, UTC."""

Redact = Callable[[Any], Any]
"""Takes secrets out of a JSON value; returns the same object if it holds none."""


class Store(Protocol):
    """The journal and the rows, in one database.

    Every method may raise StorageError. Writes of concurrent callers share transactions
    (group commit); each call is atomic on its own.
    """

    async def create(self, new: NewTask) -> Created:
        """Make the task, or find the one that an earlier, equal request made.

        Raises:
            IdempotencyConflictError: the id or a key is taken by another body.
            QueueFullError: it would have to wait, and too many do.
            SessionBusyError: its session has unfinished tasks, and `on_busy` is `reject`.
        """
        ...

    async def append(self, commit: Commit, *, on_commit: Callable[[], None]) -> None:
        """Write one journal row and what belongs to it, in the order of the calls.

        It is queued before the first await, and done even if the caller is canceled while
        it waits; `on_commit` is called in the event loop once it is committed.

        Raises:
            StaleWriterError: generation or rev are past; nothing was written.
            PauseWithdrawnError: it would pause the task, which nobody wants any more; nothing
                was written.
        """
        ...

    async def claim(self, pk: TaskPk, *, owner: str, take_over: bool) -> Claimed | None:
        """Become the only writer of a task; raises its generation, synced to disk.

        Args:
            pk: The task.
            owner: Id of the claiming worker.
            take_over: Also claim a task that someone is working on, or that rests, in order to
                end it or to put it back; it does not count as an attempt. Without it only a
                queued task whose turn it can be is claimed, and holds its session from then on.

        Returns:
            The claim; None if the task is gone, final, or not to be had.
        """
        ...

    async def claim_next(self, *, owner: str, limit: int) -> ClaimRound:
        """Claim up to `limit` queued tasks whose sessions are free, in fair turns between users.

        Of the tasks whose last two claims ended with the death of their process, one at a
        time is claimed: if it kills this one too, it takes no other task's last attempt along.
        """
        ...

    async def adopt(self, *, owner: str) -> Sequence[TaskPk]:
        """Note that every other worker is dead; to be called before the first claim.

        What they had claimed but not begun waits again.

        Returns:
            The tasks that they were working on, oldest first.
        """
        ...

    async def repair(self) -> int:
        """Make claimable what should be but is not (a lost wake); return how many tasks."""
        ...

    async def wakes(self, *, at: float, limit: int) -> Sequence[Wake]:
        """Return tasks that became claimable, oldest first, and count the attempt to tell."""
        ...

    async def settle_wakes(self, wakes: Sequence[Wake]) -> None:
        """Forget wakes that were delivered. A claim forgets its task's wakes by itself."""
        ...

    async def request(
        self, pk: TaskPk, kind: IntentKind, *, actor: str, at: float
    ) -> TaskRow | None:
        """Record what is wanted of a task, synced to disk, if it is of effect now.

        A cancel or a delete of a task that is not final; a pause of one that is created,
        queued or working, or pauses already; a resume of one that is yet to pause, which
        withdraws the pause. A resume of a paused task is recorded and done by its append.

        Returns:
            The row after it; None if there is no such task.
        """
        ...

    async def last_wish(self, pk: TaskPk) -> IntentKind | None:
        """Return the newest of the task's pauses and resumes that were of effect."""
        ...

    async def pending(self) -> Sequence[tuple[TaskPk, IntentKind]]:
        """Return the cancels, deletes and resumes that are recorded and not done, oldest first."""
        ...

    async def due(self, *, at: float, limit: int) -> Sequence[TaskPk]:
        """Return unfinished tasks whose deadline is past, the longest past first."""
        ...

    async def shift_deadlines(self, by_s: float) -> None:
        """Move the deadlines of all unfinished tasks: the wall clock was set."""
        ...

    async def waiting_for_input(self, tenant: Tenant, session_id: str) -> TaskRow | None:
        """Return the session's task that is input-required."""
        ...

    async def seal(self, *, finished_before: float, limit: int) -> int:
        """Compress the journals of finished tasks; return how many tasks were sealed.

        What they say stays as it is, to the byte.
        """
        ...

    async def finished(self, *, before: float, limit: int) -> Sequence[TaskPk]:
        """Return tasks without parent that ended before an instant, the oldest first."""
        ...

    async def delete(self, pk: TaskPk, *, reserved_until: float) -> Deleted:
        """Remove the task, its children and all that belongs to them; keep id and keys reserved."""
        ...

    async def purge(self, *, at: float) -> None:
        """Forget idempotency records that have expired."""
        ...

    async def get(self, tenant: Tenant, task_id: str) -> TaskRow | None:
        """Return the task's row."""
        ...

    async def get_by_pk(self, pk: TaskPk) -> TaskRow | None:
        """Return the task's row."""
        ...

    async def list(self, wanted: TaskFilter) -> Sequence[TaskRow]:
        """Return one page of tasks, newest first.

        Raises:
            InvalidRequestError: a cursor is not the id of a task.
        """
        ...

    async def session_tasks(
        self, tenant: Tenant, session_id: str, *, before: int
    ) -> Sequence[TaskRow]:
        """Return the final tasks of a session whose place is below `before`, oldest first."""
        ...

    async def read(
        self, pk: TaskPk, *, after_seq: int, after_rev: int = 0, bytes_max: int
    ) -> Sequence[Segment]:
        """Return the segments with events after `after_seq`, at least one if there is one.

        Args:
            pk: The task.
            after_seq: Number of the last event that the reader has.
            after_rev: Rev of the last segment it read, so that paging needs no search.
            bytes_max: Stop after this much, in bytes of events.
        """
        ...

    async def read_fold(self, pk: TaskPk, *, up_to_seq: int | None = None) -> Sequence[Segment]:
        """Return the segments that a fold needs: all but the deltas that dones have replaced."""
        ...

    async def spec(self, tenant: Tenant, spec_hash: str) -> bytes:
        """Return the JSON of a frozen agent."""
        ...

    async def rollouts(self, pk: TaskPk) -> Sequence[RolloutRow]:
        """Return the model calls of a task, in order."""
        ...

    async def check(self) -> None:
        """Prove that the database can be written and read (readiness)."""
        ...

    async def close(self) -> None:
        """Finish the writes that are queued, then close the database."""
        ...
