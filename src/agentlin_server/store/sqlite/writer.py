"""The one thread that writes: takes what waits, commits it together, reports back.

A job is a function of the connection. Jobs are run in the order in which they were
submitted; a job that raises undoes its own changes only. A transaction is as large as
what waited, and never waits for more.
"""

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final

from agentlin_server.domain.errors import StorageError
from agentlin_server.store.sqlite.connection import MEMORY

log = logging.getLogger(__name__)

Job = Callable[[sqlite3.Connection], Any]

_GROUP_MAX: Final = 1_000
_CHECKPOINT_BYTES: Final = 8 * 1024 * 1024
_TRUNCATE_BYTES: Final = 64 * 1024 * 1024
_COMMITS_PER_LOOK: Final = 64


@dataclass(slots=True)
class _Submitted:
    job: Job
    done: asyncio.Future[Any]
    barrier: bool
    is_single: bool
    """One statement: atomic without a savepoint."""
    result: Any = None
    error: BaseException | None = None


class GroupWriter:
    """Runs jobs on the writer's connection, many to a transaction."""

    def __init__(self, db: sqlite3.Connection, path: Path | str) -> None:
        """Start the thread; `db` belongs to it from now on."""
        self._db = db
        self._wal = None if str(path) == MEMORY else Path(f"{path}-wal")
        self._queue: SimpleQueue[_Submitted | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._synced = False
        self._commits = 0
        self._thread = threading.Thread(target=self._run, name="agentlin-writer", daemon=True)
        self._thread.start()

    def submit(
        self, job: Job, *, barrier: bool = False, is_single: bool = False
    ) -> "asyncio.Future[Any]":
        """Queue a job; the future has its result once it is committed.

        The job is done even if nobody waits for the future any more.
        """
        done = self._loop.create_future()
        self._queue.put(_Submitted(job, done, barrier, is_single))
        return done

    def close(self) -> None:
        """Finish what is queued, checkpoint, close the connection; waits for it."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            group, is_last = self._next_group()
            if group:
                self._commit(group)
                self._loop.call_soon_threadsafe(_report, group)
            if is_last:
                break
            self._checkpoint_if_due()
        self._checkpoint("TRUNCATE")
        self._db.close()

    def _next_group(self) -> tuple[list[_Submitted], bool]:
        first = self._queue.get()
        if first is None:
            return [], True
        group = [first]
        try:
            while len(group) < _GROUP_MAX:
                another = self._queue.get_nowait()
                if another is None:
                    return group, True
                group.append(another)
        except Empty:
            pass
        return group, False

    def _commit(self, group: Sequence[_Submitted]) -> None:
        try:
            self._sync_level(full=any(one.barrier for one in group))
            self._db.execute("BEGIN IMMEDIATE")
            for one in group:
                self._perform(one)
            self._db.execute("COMMIT")
        except sqlite3.Error as exc:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            for one in group:
                one.error = StorageError(f"the database refused the write: {exc}")
                one.error.__cause__ = exc

    def _perform(self, one: _Submitted) -> None:
        db = self._db
        if not one.is_single:
            db.execute("SAVEPOINT job")
        try:
            one.result = one.job(db)
        except Exception as exc:  # reported to the caller, whose job it was
            if not db.in_transaction:  # SQLite gave the whole transaction up (disk full, I/O)
                raise
            one.error = exc
            if isinstance(exc, sqlite3.Error):
                one.error = StorageError(f"the database refused the write: {exc}")
            if not one.is_single:
                db.execute("ROLLBACK TO job")
        if not one.is_single:
            db.execute("RELEASE job")

    def _sync_level(self, *, full: bool) -> None:
        if full is not self._synced:
            self._db.execute(f"PRAGMA synchronous = {'FULL' if full else 'NORMAL'}")
            self._synced = full

    def _checkpoint_if_due(self) -> None:
        self._commits += 1
        if self._wal is None or self._commits % _COMMITS_PER_LOOK:
            return
        try:
            size = self._wal.stat().st_size
        except OSError:
            return
        if size < _CHECKPOINT_BYTES:
            return
        self._checkpoint("TRUNCATE" if size > _TRUNCATE_BYTES else "PASSIVE")

    def _checkpoint(self, mode: str) -> None:
        try:
            self._db.execute(f"PRAGMA wal_checkpoint({mode})")
        except sqlite3.Error as exc:  # the log beside the database stays; nothing is lost
            log.warning("the database's log can't be checkpointed: %s", exc)


def _report(group: Sequence[_Submitted]) -> None:
    for one in group:
        if one.done.done():
            continue
        if one.error is None:
            one.done.set_result(one.result)
        else:
            one.done.set_exception(one.error)
