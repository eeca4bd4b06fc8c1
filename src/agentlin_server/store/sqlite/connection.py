"""How a connection to the database is opened."""

import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from agentlin_server.domain.errors import StorageError

MEMORY: Final = ":memory:"

BUSY_TIMEOUT_MS: Final = 5_000
_TICK_EVERY: Final = 20_000
"""Steps of SQLite's machine: a few milliseconds."""
_WRITER_PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA fullfsync = ON",  # macOS: a plain fsync does not reach the disk; no-op elsewhere
    "PRAGMA wal_autocheckpoint = 0",  # the writer checkpoints between commits
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
    "PRAGMA temp_store = MEMORY",
)
_READER_PRAGMAS: Final = (
    "PRAGMA query_only = ON",
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
)


def open_writer(path: Path | str) -> sqlite3.Connection:
    """Open the one connection that writes; transactions are begun by hand."""
    return _open(path, _WRITER_PRAGMAS)


def open_reader(path: Path | str) -> sqlite3.Connection:
    """Open a connection that can't write."""
    return _open(path, _READER_PRAGMAS)


def open_viewer(path: Path) -> sqlite3.Connection:
    """Open a database that is there to look at it, whoever serves it; nothing of it is changed.

    Raises:
        StorageError: there is none, or it can't be read.
    """
    if not path.exists():
        raise StorageError(f"there is no database {path}")
    return _open(path, _READER_PRAGMAS, uri=f"{path.absolute().as_uri()}?mode=ro")


@contextmanager
def stoppable(db: sqlite3.Connection, tick: Callable[[], object]) -> Generator[None]:
    """Let a long statement be ended from without, while in the context.

    Args:
        db: The connection.
        tick: Called every few milliseconds of work; what it raises ends the statement.
    """
    stopped: list[BaseException] = []

    def handle() -> int:
        try:
            tick()
        except BaseException as exc:  # noqa: BLE001 - SQLite would swallow it; it is raised below
            stopped.append(exc)
        return len(stopped)

    db.set_progress_handler(handle, _TICK_EVERY)
    try:
        yield
    except sqlite3.Error:
        if stopped:
            raise stopped[0] from None
        raise
    finally:
        db.set_progress_handler(None, 0)


def _open(
    path: Path | str, pragmas: tuple[str, ...], *, uri: str | None = None
) -> sqlite3.Connection:
    try:
        db = sqlite3.connect(
            uri or path, isolation_level=None, check_same_thread=False, uri=uri is not None
        )
        for pragma in pragmas:
            db.execute(pragma)
    except sqlite3.Error as exc:
        raise StorageError(f"can't open the database {path}: {exc}") from exc
    db.row_factory = sqlite3.Row
    return db


def make_private(path: Path) -> None:
    """Make a database file that only its owner may read, with its folder, if there is none.

    The log that SQLite keeps beside it gets the same mode.

    Raises:
        StorageError: it can't be made.
    """
    try:
        for folder in reversed([one for one in path.parents if not one.exists()]):
            folder.mkdir(mode=0o700, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)
    except OSError as exc:
        raise StorageError(f"can't open the database {path}: {exc.strerror}") from exc
