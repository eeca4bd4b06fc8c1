"""Work on a database that nobody serves: sweep it, bring its schema to the newest."""

import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread
from anyio.from_thread import check_cancelled

from agentlin_server.domain.errors import StorageError
from agentlin_server.store.lock import DatabaseLock
from agentlin_server.store.sqlite.backup import Progress, copy_database
from agentlin_server.store.sqlite.connection import open_viewer, open_writer, stoppable
from agentlin_server.store.sqlite.schema import HEAD, current, ensure_schema
from agentlin_server.store.sqlite.sizes import disk_bytes
from agentlin_server.store.sqlite.store import SqliteStore

Tell = Callable[[str, int], None]
"""Told what is going on, and how many tasks that was done to."""

_BATCH: Final = 50
_PATIENCE_S: Final = 5.0
"""How long others may take to end what they read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep did: tasks sealed, tasks removed (children counted), bytes on disk."""

    sealed: int
    removed: int
    bytes_before: int
    bytes_after: int

    @property
    def freed_bytes(self) -> int:
        """What the disk has more now; below 0 if the database grew by a migration."""
        return self.bytes_before - self.bytes_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated:
    """What a migration did: versions of the schema, and the copy that was made before."""

    before: str
    after: str
    backup: Path | None


async def sweep(
    path: Path,
    *,
    at: float,
    finished_before: float | None,
    reserved_until: float,
    tell: Tell,
) -> Swept:
    """Remove old tasks, seal the other finished ones, give the space back.

    Args:
        path: The database.
        at: Now, in seconds since the Unix epoch.
        finished_before: Tasks that ended before this instant are removed; None for none.
        reserved_until: Until when ids and keys of removed tasks stay taken.
        tell: See `Tell`.

    Raises:
        DatabaseInUseError: a server uses the database.
        StorageError: there is no such database, or it can't be written.
    """
    bytes_before = disk_bytes(path)
    with _held(path):
        store = await SqliteStore.open(path)
        try:
            removed = 0
            if finished_before is not None:
                removed = await _remove(store, finished_before, reserved_until, tell)
            await store.purge(at=at)
            sealed = await _seal(store, at, tell)
        finally:
            with anyio.CancelScope(shield=True):
                await store.close()
        tell("giving space back", 0)
        await anyio.to_thread.run_sync(partial(compact, path, tick=check_cancelled))
    return Swept(
        sealed=sealed,
        removed=removed,
        bytes_before=bytes_before,
        bytes_after=disk_bytes(path),
    )


async def _remove(store: SqliteStore, before: float, reserved_until: float, tell: Tell) -> int:
    removed = 0
    while pks := await store.finished(before=before, limit=_BATCH):
        for pk in pks:
            removed += len((await store.delete(pk, reserved_until=reserved_until)).pks)
        tell("removing", removed)
    return removed


async def _seal(store: SqliteStore, at: float, tell: Tell) -> int:
    sealed = 0
    while done := await store.seal(finished_before=at, limit=_BATCH):
        sealed += done
        tell("sealing", sealed)
    return sealed


def compact(path: Path, *, tick: Callable[[], object] = lambda: None) -> None:
    """Write a database anew, without the space that nothing uses (VACUUM).

    Nobody may serve it meanwhile. It takes up to twice its new size beside it on the disk; if it
    is cut off, the database is as it was.

    Args:
        path: The database.
        tick: Called now and then; what it raises ends the work.

    Raises:
        StorageError: it can't be done: most likely the disk is full, or someone reads it.
    """
    try:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=_PATIENCE_S)) as db:
            with stoppable(db, tick):
                db.execute("VACUUM")
            # What was written anew is in the log until it is copied, over what others may read.
            is_read, *_ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if is_read:
                raise StorageError(f"another program reads {path}: end it, and sweep once more")
    except sqlite3.Error as exc:
        raise StorageError(f"can't give space of {path} back: {exc}") from exc


def migrate(
    path: Path,
    *,
    with_backup: bool,
    progress: Progress,
) -> Migrated:
    """Bring a database to the newest schema; one that has it already is left alone.

    Args:
        path: The database.
        with_backup: Copy it first, to `FILE.<version>.bak`.
        progress: Told how far the copy is.

    Raises:
        DatabaseInUseError: a server uses the database.
        TargetTakenError: there is a copy of that name already.
        StorageError: there is no such database, a newer agentlin made it, or it can't be
            migrated; it is as it was before.
    """
    with _held(path):
        before = _version(path)
        backup = None
        if with_backup and before < HEAD:
            backup = Path(f"{path}.{before}.bak")
            copy_database(path, backup, with_key=False, progress=progress)
        with closing(open_writer(path)) as db:
            ensure_schema(db, path)
    return Migrated(before=before, after=HEAD, backup=backup)


def _version(path: Path) -> str:
    with closing(open_viewer(path)) as db:
        try:
            version = current(db)
        except sqlite3.Error as exc:
            raise StorageError(f"can't read the database {path}: {exc}") from exc
    if version is None:
        raise StorageError(f"{path} is no database of agentlin")
    return version


@contextmanager
def _held(path: Path) -> Generator[None]:
    """Keep servers away while in the context."""
    if not path.exists():
        raise StorageError(f"there is no database {path}")
    lock = DatabaseLock(path)
    lock.acquire()
    try:
        yield
    finally:
        lock.release()
