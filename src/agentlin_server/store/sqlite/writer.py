"""The one thread that writes: takes what waits, commits it together, reports back.

A job is a function of the connection. Jobs are run in the order in which they were
submitted; a job that raises undoes its own changes only. A transaction is as large as
what waited, and never waits for more.
"""

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final

from agentlin_server.domain.errors import StorageError
from agentlin_server.store.sqlite.connection import BUSY_TIMEOUT_MS, MEMORY

log = logging.getLogger(__name__)

Job = Callable[[sqlite3.Connection], Any]

_GROUP_MAX: Final = 1_000
_COMMITS_BETWEEN: Final = 64
_CHECKPOINT_EVERY_S: Final = 0.5
_TRUNCATE_BYTES: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class OneRow:
    """A statement that must change exactly one row; else it counts as refused.

    Rows that are queued one after the other are written with one call.
    """

    sql: str
    values: tuple[Any, ...]
    refusal: Callable[[], Exception]


class _Submitted:
    __slots__ = ("barrier", "done", "error", "job", "on_commit", "result")

    def __init__(
        self,
        job: Job | OneRow,
        done: "asyncio.Future[Any]",
        on_commit: Callable[[], None] | None,
        *,
        barrier: bool,
    ) -> None:
        self.job = job
        self.done = done
        self.on_commit = on_commit
        self.barrier = barrier
        self.result: Any = None
        self.error: Exception | None = None


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
        self._checkpoint_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="agentlin-writer", daemon=True)
        self._thread.start()

    def submit(
        self,
        job: Job | OneRow,
        *,
        barrier: bool = False,
        on_commit: Callable[[], None] | None = None,
    ) -> "asyncio.Future[Any]":
        """Queue a job; the future has its result once it is committed.

        The job is done even if nobody waits for the future any more.

        Args:
            job: What to do.
            barrier: Sync its transaction to disk.
            on_commit: Called in the event loop as soon as it is committed, in any case.
        """
        done = self._loop.create_future()
        self._queue.put(_Submitted(job, done, on_commit, barrier=barrier))
        return done

    def close(self) -> None:
        """Finish what is queued, checkpoint, close the connection; waits for it."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while self._write_group():
            self._checkpoint_if_due()
        self._checkpoint("TRUNCATE")
        self._db.close()

    def _write_group(self) -> bool:
        """Commit what waits, and hold on to none of it; False if it was the last."""
        group, is_last = self._next_group()
        if group:
            self._commit(group)
            self._loop.call_soon_threadsafe(_report, group)
        return not is_last

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
            for sql, jobs in groupby(group, _sql_of):
                if sql is None:
                    for one in jobs:
                        self._perform(one)
                else:
                    self._write_rows(sql, list(jobs))
            self._db.execute("COMMIT")
        except Exception as exc:  # noqa: BLE001 - the thread must outlive whatever happens in it
            with suppress(sqlite3.Error):
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
            for one in group:
                one.error = StorageError(f"the database refused the write: {exc}")
                one.error.__cause__ = exc

    def _write_rows(self, sql: str, jobs: Sequence[_Submitted]) -> None:
        """Write the rows of jobs at one go; if any is refused, find out which."""
        if len(jobs) > 1:
            rows = [one.job.values for one in jobs if isinstance(one.job, OneRow)]
            if self._are_written(sql, rows):
                return
        for one in jobs:
            self._perform(one)

    def _are_written(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> bool:
        """Write all of the rows, or none."""
        db = self._db
        db.execute("SAVEPOINT rows")
        try:
            written = db.executemany(sql, rows).rowcount
        except sqlite3.Error:
            if not db.in_transaction:
                raise
            written = 0
        if written != len(rows):
            db.execute("ROLLBACK TO rows")
        db.execute("RELEASE rows")
        return written == len(rows)

    def _perform(self, one: _Submitted) -> None:
        db = self._db
        is_many = not isinstance(one.job, OneRow)  # one statement is atomic by itself
        if is_many:
            db.execute("SAVEPOINT job")
        try:
            one.result = _do(db, one.job)
        except Exception as exc:  # reported to the caller, whose job it was
            if not db.in_transaction:  # SQLite gave the whole transaction up (disk full, I/O)
                raise
            one.error = exc
            if isinstance(exc, sqlite3.Error):
                one.error = StorageError(f"the database refused the write: {exc}")
            if is_many:
                db.execute("ROLLBACK TO job")
        if is_many:
            db.execute("RELEASE job")

    def _sync_level(self, *, full: bool) -> None:
        if full is not self._synced:
            self._db.execute(f"PRAGMA synchronous = {'FULL' if full else 'NORMAL'}")
            self._synced = full

    def _checkpoint_if_due(self) -> None:
        """Copy the log into the database now and then: it starts anew, and so stays small.

        By time, because the log's file does not shrink: its size does not tell what is in it.
        """
        self._commits += 1
        if self._wal is None or self._commits < _COMMITS_BETWEEN:
            return
        now = time.monotonic()
        if now - self._checkpoint_at < _CHECKPOINT_EVERY_S:
            return
        self._commits, self._checkpoint_at = 0, now
        with suppress(OSError):
            is_large = self._wal.stat().st_size > _TRUNCATE_BYTES
            # Who reads for long, as a backup does, must not hold up what is to be written: then
            # the log shrinks some other time.
            self._db.execute("PRAGMA busy_timeout = 0")
            self._checkpoint("TRUNCATE" if is_large else "PASSIVE")
            self._db.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")

    def _checkpoint(self, mode: str) -> None:
        try:
            self._db.execute(f"PRAGMA wal_checkpoint({mode})")
        except sqlite3.Error as exc:  # the log beside the database stays; nothing is lost
            log.warning("the database's log can't be checkpointed: %s", exc)


def _sql_of(one: _Submitted) -> str | None:
    return one.job.sql if isinstance(one.job, OneRow) else None


def _do(db: sqlite3.Connection, job: Job | OneRow) -> Any:
    if not isinstance(job, OneRow):
        return job(db)
    if db.execute(job.sql, job.values).rowcount != 1:
        raise job.refusal()
    return None


def _report(group: Sequence[_Submitted]) -> None:
    for one in group:
        if one.error is None and one.on_commit is not None:
            try:
                one.on_commit()
            except Exception:  # the others of the group must hear of their commits
                log.exception("what was committed could not be published")
        if one.done.done():
            continue
        if one.error is None:
            one.done.set_result(one.result)
        else:
            one.done.set_exception(one.error)
