"""A copy of a database, made while it is served.

It is of one moment. It has a name of its own until it is whole, checked and on the disk, and then
takes its place at once.
"""

import os
import shutil
import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agentlin_server.domain.errors import StorageError
from agentlin_server.store.lock import DatabaseLock
from agentlin_server.store.sqlite.connection import open_viewer, stoppable
from agentlin_server.store.sqlite.schema import current

Progress = Callable[[int, int], None]
"""Told now and then how many bytes are done, and of how many; what it raises ends the work."""

_PAGES_PER_STEP: Final = 1_000
_MODE: Final = 0o600
_BESIDE: Final = ("-wal", "-shm", "-journal")


class TargetTakenError(StorageError):
    """There is something where the copy should go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A copy that was made.

    Attributes:
        path: The copy.
        key: The copy of the database's key file, None if it has none or it was not wanted.
        size_bytes: Size of the copy.
        schema: Version of its schema.
    """

    path: Path
    key: Path | None
    size_bytes: int
    schema: str


def copy_database(
    path: Path,
    to: Path,
    *,
    progress: Progress,
    overwrite: bool = False,
    with_key: bool = True,
) -> Copy:
    """Copy a database as it is at this moment; its server goes on.

    Args:
        path: The database.
        to: Where the copy goes; only its owner may read it.
        progress: See `Progress`.
        overwrite: Put it in the place of one that is there.
        with_key: Copy the key file, too: idempotency keys are kept as HMACs under it.

    Raises:
        TargetTakenError: there is something at `to`.
        StorageError: there is no such database, it is damaged, or the copy can't be written.
    """
    if to.is_dir():
        raise TargetTakenError(f"{to} is a folder: name a file in it")
    targets = [to, key_of(to)] if with_key else [to]
    _check_free(path, targets, overwrite=overwrite)
    has_key = with_key and key_of(path).exists()
    with _unfinished(to) as copy, _unfinished(key_of(to)) as key:
        if has_key:
            shutil.copyfile(key_of(path), key)
            _sync(key)
        try:
            schema = _copy(path, copy, progress)
            _check(copy, progress)
        except sqlite3.Error as exc:
            raise StorageError(f"can't copy the database {path} to {to}: {exc}") from exc
        _sync(copy)
        _check_free(path, targets, overwrite=overwrite)  # it may have come meanwhile
        size_bytes = copy.stat().st_size
        for name in _BESIDE:  # of the one that is replaced: SQLite would take it for the copy's
            Path(f"{to}{name}").unlink(missing_ok=True)
        if has_key:
            key.replace(key_of(to))
        copy.replace(to)
        _sync(to.absolute().parent)
    return Copy(path=to, key=key_of(to) if has_key else None, size_bytes=size_bytes, schema=schema)


def key_of(path: Path) -> Path:
    """Return the key file of a database."""
    return Path(f"{path}.key")


def _check_free(source: Path, targets: list[Path], *, overwrite: bool) -> None:
    for target in targets:
        if not target.exists():
            continue
        if target.samefile(source) or target == key_of(source):
            raise TargetTakenError(f"{target} is the database itself: name another file")
        if not overwrite:
            raise TargetTakenError(f"{target} is there already: move it away, or name another file")
    if (address := DatabaseLock(targets[0]).server_address()) is not None:
        raise TargetTakenError(f"the server at {address} uses {targets[0]}: name another file")


@contextmanager
def _unfinished(path: Path) -> Generator[Path]:
    """Hand out an empty file beside `path` that only its owner may read; remove what is left."""
    temporary = Path(f"{path}.{os.getpid()}.tmp")
    try:
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE))
    except OSError as exc:
        raise StorageError(f"can't write {temporary}: {exc.strerror}") from exc
    try:
        yield temporary
    finally:
        for name in ("", *_BESIDE):
            Path(f"{temporary}{name}").unlink(missing_ok=True)


def _copy(path: Path, to: Path, progress: Progress) -> str:
    """Copy page by page, and return the schema's version."""
    with closing(open_viewer(path)) as source, closing(sqlite3.connect(to)) as target:
        # A read that is begun keeps to its moment; without one, each write of the server's would
        # make the copy begin anew.
        source.execute("BEGIN")
        version = current(source)
        if version is None:
            raise StorageError(f"{path} is no database of agentlin")
        (page_bytes,) = source.execute("PRAGMA page_size").fetchone()

        def tell(_status: int, remaining: int, total: int) -> None:
            progress((total - remaining) * page_bytes, total * page_bytes)

        source.backup(target, pages=_PAGES_PER_STEP, progress=tell)
        source.execute("COMMIT")
    return version


def _check(copy: Path, progress: Progress) -> None:
    """Look at every page of the copy, which nobody else knows yet: so no log is made beside it."""
    uri = f"{copy.absolute().as_uri()}?mode=ro&immutable=1"
    size_bytes = copy.stat().st_size
    with (
        closing(sqlite3.connect(uri, uri=True)) as db,
        stoppable(db, lambda: progress(size_bytes, size_bytes)),
    ):
        (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise StorageError(f"the database is damaged, so no copy was kept: {found}")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
