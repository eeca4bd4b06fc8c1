"""How a connection to the database is opened."""

import sqlite3
from pathlib import Path
from typing import Final

from agentlin_server.domain.errors import StorageError

MEMORY: Final = ":memory:"

_BUSY_TIMEOUT_MS: Final = 5_000
_WRITER_PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA fullfsync = ON",  # macOS: a plain fsync does not reach the disk; no-op elsewhere
    "PRAGMA wal_autocheckpoint = 0",  # the writer checkpoints between commits
    f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}",
    "PRAGMA temp_store = MEMORY",
)
_READER_PRAGMAS: Final = (
    "PRAGMA query_only = ON",
    f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}",
)


def open_writer(path: Path | str) -> sqlite3.Connection:
    """Open the one connection that writes; transactions are begun by hand."""
    return _open(path, _WRITER_PRAGMAS)


def open_reader(path: Path | str) -> sqlite3.Connection:
    """Open a connection that can't write."""
    return _open(path, _READER_PRAGMAS)


def _open(path: Path | str, pragmas: tuple[str, ...]) -> sqlite3.Connection:
    try:
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for pragma in pragmas:
            db.execute(pragma)
    except sqlite3.Error as exc:
        raise StorageError(f"can't open the database {path}: {exc}") from exc
    db.row_factory = sqlite3.Row
    return db
