"""`SqliteStore`: the Store port on one SQLite file, or in memory."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, Self, TypeVar

import anyio.to_thread

from agentlin_server.domain.errors import StorageError
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
from agentlin_server.store.sqlite import (
    appends,
    claims,
    creates,
    deletes,
    intents,
    reads,
    sealing,
    turns,
)
from agentlin_server.store.sqlite.connection import MEMORY, make_private, open_reader, open_writer
from agentlin_server.store.sqlite.rows import task_by_id, task_by_pk
from agentlin_server.store.sqlite.schema import ensure_schema
from agentlin_server.store.sqlite.statements import SQL
from agentlin_server.store.sqlite.writer import GroupWriter

T = TypeVar("T")

_READERS: Final = 2


class SqliteStore:
    """Tasks, journal and rows in SQLite. Made by `open`; see `domain.ports.Store`."""

    def __init__(self, path: Path | str, writer: GroupWriter) -> None:
        """Use `open` instead."""
        self._path = path
        self._writer = writer
        self._is_memory = str(path) == MEMORY
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="agentlin-reader")

    @classmethod
    async def open(cls, path: Path | str) -> Self:
        """Open the database, making or migrating it first if need be.

        Args:
            path: A file, whose folder is made if missing, or `:memory:`.

        Raises:
            StorageError: it can't be opened, or was made by a newer agentlin.
        """
        if str(path) != MEMORY:
            make_private(Path(path))
        db = await anyio.to_thread.run_sync(_prepared, path)
        return cls(path, GroupWriter(db, path))

    async def close(self) -> None:
        """Finish queued writes, then close all connections."""
        self._readers.shutdown(wait=True)
        for db in self._connections:
            db.close()
        await anyio.to_thread.run_sync(self._writer.close)

    async def create(self, new: NewTask) -> Created:
        """See Store."""
        return await self._writer.submit(partial(_create, new), barrier=True)

    async def append(self, commit: Commit, *, on_commit: Callable[[], None]) -> None:
        """See Store."""
        job = appends.deltas_row(commit) if commit.is_deltas else partial(_append_state, commit)
        await self._writer.submit(job, barrier=commit.barrier, on_commit=on_commit)

    async def claim(self, pk: TaskPk, *, owner: str, take_over: bool) -> Claimed | None:
        """See Store."""
        job = partial(claims.claim, pk=pk, owner=owner, take_over=take_over)
        # A generation that a power cut took back would be given twice: two events, one SSE id.
        return await self._writer.submit(job, barrier=True)

    async def claim_next(self, *, owner: str, limit: int) -> ClaimRound:
        """See Store."""
        job = partial(claims.claim_next, owner=owner, limit=limit)
        # A barrier as for `claim`; one that writes nothing, as it finds no task, syncs nothing.
        return await self._writer.submit(job, barrier=True)

    async def adopt(self, *, owner: str) -> Sequence[TaskPk]:
        """See Store."""
        return await self._write(lambda db: claims.adopt(db, owner))

    async def repair(self) -> int:
        """See Store."""
        if not await self._read(turns.stuck_sessions):  # as always: keep the writer out of it
            return 0
        return await self._write(turns.repair)

    async def wakes(self, *, at: float, limit: int) -> Sequence[Wake]:
        """See Store."""
        return await self._write(lambda db: turns.wakes(db, at, limit))

    async def settle_wakes(self, wakes: Sequence[Wake]) -> None:
        """See Store."""
        await self._write(lambda db: turns.settle_wakes(db, wakes))

    async def request(
        self, pk: TaskPk, kind: IntentKind, *, actor: str, at: float
    ) -> TaskRow | None:
        """See Store."""
        job = partial(intents.request, pk=pk, kind=kind, actor=actor, at=at)
        return await self._writer.submit(job, barrier=True)

    async def last_wish(self, pk: TaskPk) -> IntentKind | None:
        """See Store."""
        return await self._read(lambda db: intents.last_wish(db, pk))

    async def pending(self) -> Sequence[tuple[TaskPk, IntentKind]]:
        """See Store."""
        return await self._read(intents.pending)

    async def due(self, *, at: float, limit: int) -> Sequence[TaskPk]:
        """See Store."""
        return await self._read(lambda db: reads.due(db, at, limit))

    async def shift_deadlines(self, by_s: float) -> None:
        """See Store."""
        await self._write(partial(_shift_deadlines, by_s))

    async def waiting_for_input(self, tenant: Tenant, session_id: str) -> TaskRow | None:
        """See Store."""
        return await self._read(lambda db: reads.waiting_for_input(db, tenant, session_id))

    async def seal(self, *, finished_before: float, limit: int) -> int:
        """See Store."""
        return await sealing.seal(
            self._read, self._write, finished_before=finished_before, limit=limit
        )

    async def finished(self, *, before: float, limit: int) -> Sequence[TaskPk]:
        """See Store."""
        return await self._read(lambda db: sealing.finished(db, before=before, limit=limit))

    async def delete(self, pk: TaskPk, *, reserved_until: float) -> Deleted:
        """See Store."""
        job = partial(deletes.delete, pk=pk, reserved_until=reserved_until)
        return await self._writer.submit(job, barrier=True)

    async def purge(self, *, at: float) -> None:
        """See Store."""
        await self._write(lambda db: db.execute(SQL["purge_reservations"], {"at": at}))

    async def get(self, tenant: Tenant, task_id: str) -> TaskRow | None:
        """See Store."""
        return await self._read(lambda db: task_by_id(db, tenant, task_id))

    async def get_by_pk(self, pk: TaskPk) -> TaskRow | None:
        """See Store."""
        return await self._read(lambda db: task_by_pk(db, pk))

    async def list(self, wanted: TaskFilter) -> Sequence[TaskRow]:
        """See Store."""
        return await self._read(lambda db: reads.list_tasks(db, wanted))

    async def session_tasks(
        self, tenant: Tenant, session_id: str, *, before: int
    ) -> Sequence[TaskRow]:
        """See Store."""
        return await self._read(lambda db: reads.session_tasks(db, tenant, session_id, before))

    async def read(
        self, pk: TaskPk, *, after_seq: int, after_rev: int = 0, bytes_max: int
    ) -> Sequence[Segment]:
        """See Store."""
        return await self._read(
            lambda db: reads.read(
                db, pk, after_seq=after_seq, after_rev=after_rev, bytes_max=bytes_max
            )
        )

    async def read_fold(self, pk: TaskPk, *, up_to_seq: int | None = None) -> Sequence[Segment]:
        """See Store."""
        return await self._read(lambda db: reads.read_fold(db, pk, up_to_seq=up_to_seq))

    async def spec(self, tenant: Tenant, spec_hash: str) -> bytes:
        """See Store."""
        return await self._read(lambda db: reads.spec(db, tenant, spec_hash))

    async def rollouts(self, pk: TaskPk) -> Sequence[RolloutRow]:
        """See Store."""
        return await self._read(lambda db: reads.rollouts(db, pk))

    async def check(self) -> None:
        """See Store."""
        await self._write(_dirty_a_page)
        await self._read(lambda db: db.execute("SELECT 1 FROM task LIMIT 1").fetchone())

    async def _write(self, job: Callable[[sqlite3.Connection], T]) -> T:
        return await self._writer.submit(job)

    async def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        if self._is_memory:  # a memory database lives in its one connection
            return await self._writer.submit(query)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, self._query, query)

    def _query(self, query: Callable[[sqlite3.Connection], T]) -> T:
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is None:
            db = self._local.db = open_reader(self._path)
            self._connections.append(db)
        try:
            db.execute("BEGIN")  # all statements of one read see the same moment
            try:
                return query(db)
            finally:
                if db.in_transaction:
                    db.execute("COMMIT")
        except sqlite3.Error as exc:
            raise StorageError(f"the database refused the read: {exc}") from exc


def _prepared(path: Path | str) -> sqlite3.Connection:
    db = open_writer(path)
    try:
        ensure_schema(db, path)
    except BaseException:
        db.close()
        raise
    return db


def _dirty_a_page(db: sqlite3.Connection) -> None:
    """Make the commit write something; a statement that matches no row would not."""
    db.execute("INSERT INTO worker (id, lease_until) VALUES ('', 0)")
    db.execute("DELETE FROM worker WHERE id = ''")


def _create(new: NewTask, db: sqlite3.Connection) -> Created:
    return creates.create(db, new)


def _append_state(commit: Commit, db: sqlite3.Connection) -> None:
    appends.append_state(db, commit)


def _shift_deadlines(by_s: float, db: sqlite3.Connection) -> None:
    """Move whatever waits for an instant; told wakes are told again after a while too."""
    for name in ("shift_deadlines", "shift_wakes"):
        db.execute(SQL[name], {"by_s": by_s})
