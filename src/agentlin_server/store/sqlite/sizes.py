"""How large a database is, and what takes the space; looks only, also while a server writes."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from agentlin_server.domain.errors import StorageError
from agentlin_server.store.sqlite.connection import open_viewer
from agentlin_server.store.sqlite.schema import current
from agentlin_server.store.sqlite.statements import load

SQL: Final = load("sizes.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSize:
    """A table: its rows, and the bytes of its pages and of its indexes' pages."""

    name: str
    rows: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalSize:
    """What the journals hold of the tasks that are sealed, or of those that are not.

    Attributes:
        tasks: How many tasks.
        steps: Their steps: a step is a model call and what came of it.
        deltas: Their deltas, counted as events.
        delta_bytes: What the deltas take, as stored.
        size_bytes: What all their events and facts take, as stored.
    """

    tasks: int = 0
    steps: int = 0
    deltas: int = 0
    delta_bytes: int = 0
    size_bytes: int = 0

    @property
    def bytes_per_delta(self) -> float | None:
        """Stored bytes of an average delta; None without deltas."""
        return self.delta_bytes / self.deltas if self.deltas else None

    @property
    def bytes_per_step(self) -> float | None:
        """Stored bytes of an average step, deltas and all; None without steps."""
        return self.size_bytes / self.steps if self.steps else None

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        averages = {"bytes_per_delta": self.bytes_per_delta, "bytes_per_step": self.bytes_per_step}
        return asdict(self) | averages


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """A database's size.

    Attributes:
        schema: Version of its schema.
        file_bytes: Its file.
        wal_bytes: The log beside it, whose content is yet to be copied into the file.
        free_bytes: Pages of the file that hold nothing; they are used again before it grows.
        tasks: How many tasks have each status.
        tables: The tables, the largest first.
        is_estimated: True if this SQLite can't tell what a table takes: then the pages are
            shared out by the length of what is in the tables.
        sealed: The journals of sealed tasks.
        unsealed: The journals of all others.
    """

    schema: str
    file_bytes: int
    wal_bytes: int
    free_bytes: int
    tasks: Mapping[str, int]
    tables: Sequence[TableSize]
    is_estimated: bool
    sealed: JournalSize
    unsealed: JournalSize

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        journals = {"sealed": self.sealed.to_json(), "unsealed": self.unsealed.to_json()}
        return asdict(self) | journals


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a sweep would do: how many tasks it would seal, and how many remove."""

    sealed: int
    removed: int


def measure(path: Path) -> Sizes:
    """Look how large the database is; reads every table once.

    Raises:
        StorageError: there is no such database, or it can't be read.
    """
    with closing(open_viewer(path)) as db:
        try:
            return _measured(db, path)
        except sqlite3.Error as exc:
            raise StorageError(f"can't read the database {path}: {exc}") from exc


def outlook(path: Path, *, finished_before: float | None) -> Outlook:
    """Count what a sweep would seal and remove.

    Args:
        path: The database.
        finished_before: Tasks that ended before this instant would be removed; None for none.

    Raises:
        StorageError: there is no such database, or it can't be read.
    """
    with closing(open_viewer(path)) as db:
        try:
            _version(db, path)
            values = {"before": finished_before}
            row = db.execute(SQL["outlook"].format(sealed=_sealed(db)), values).fetchone()
        except sqlite3.Error as exc:
            raise StorageError(f"can't read the database {path}: {exc}") from exc
    return Outlook(sealed=row["sealed"], removed=row["removed"])


def disk_bytes(path: Path) -> int:
    """Return what the database and the log beside it take on disk."""
    return sum(_size(one) for one in (path, Path(f"{path}-wal")))


def _measured(db: sqlite3.Connection, path: Path) -> Sizes:
    version = _version(db, path)
    page_bytes = _pragma(db, "page_size")
    free_pages = _pragma(db, "freelist_count")
    used_bytes = (_pragma(db, "page_count") - free_pages) * page_bytes
    tables = [str(row["name"]) for row in db.execute(SQL["tables"])]
    rows = {name: _count(db, name) for name in tables}
    try:
        sizes, is_estimated = _page_bytes(db), False
    except sqlite3.OperationalError:  # this SQLite was built without dbstat
        sizes, is_estimated = _shares(db, tables, used_bytes), True
    journals = {row["is_sealed"]: row for row in db.execute(_by_sealing(db, "journals"))}
    steps = {row["is_sealed"]: row["steps"] for row in db.execute(_by_sealing(db, "steps"))}
    found = [
        TableSize(name=name, rows=rows[name], size_bytes=sizes.get(name, 0)) for name in tables
    ]
    return Sizes(
        schema=version,
        file_bytes=_size(path),
        wal_bytes=_size(Path(f"{path}-wal")),
        free_bytes=free_pages * page_bytes,
        tasks={row["status"]: row["n"] for row in db.execute(SQL["statuses"])},
        tables=sorted(found, key=lambda table: (-table.size_bytes, table.name)),
        is_estimated=is_estimated,
        sealed=_journal(journals.get(1), steps.get(1, 0)),
        unsealed=_journal(journals.get(0), steps.get(0, 0)),
    )


def _version(db: sqlite3.Connection, path: Path) -> str:
    version = current(db)
    if version is None:
        raise StorageError(f"{path} is no database of agentlin")
    return version


def _sealed(db: sqlite3.Connection) -> str:
    """Return the condition for a sealed task; a schema before sealing has none."""
    columns = {row["name"] for row in db.execute("PRAGMA table_info(task)")}
    return "t.sealed_at IS NOT NULL" if "sealed_at" in columns else "0"


def _by_sealing(db: sqlite3.Connection, name: str) -> str:
    return SQL[name].format(sealed=_sealed(db))


def _journal(row: sqlite3.Row | None, steps: int) -> JournalSize:
    if row is None:
        return JournalSize()
    return JournalSize(
        tasks=row["tasks"],
        steps=steps,
        deltas=row["deltas"],
        delta_bytes=row["delta_bytes"],
        size_bytes=row["size_bytes"],
    )


def _page_bytes(db: sqlite3.Connection) -> Mapping[str, int]:
    """Return the bytes of each table's pages, its indexes' included."""
    return {row["name"]: row["size_bytes"] for row in db.execute(SQL["page_bytes"])}


def _shares(db: sqlite3.Connection, tables: Sequence[str], used_bytes: int) -> Mapping[str, int]:
    """Share the pages in use out by what is in the tables."""
    lengths = {name: _content_bytes(db, name) for name in tables}
    total = max(1, sum(lengths.values()))
    return {name: used_bytes * length // total for name, length in lengths.items()}


def _content_bytes(db: sqlite3.Connection, table: str) -> int:
    columns = [row["name"] for row in db.execute(f'PRAGMA table_info("{table}")')]
    lengths = " + ".join(f'coalesce(length("{name}"), 0)' for name in columns)
    sql = f'SELECT coalesce(sum({lengths}), 0) AS n FROM "{table}"'  # noqa: S608 - names of its own schema
    return int(db.execute(sql).fetchone()["n"])


def _count(db: sqlite3.Connection, table: str) -> int:
    sql = f'SELECT count(*) AS n FROM "{table}"'  # noqa: S608 - names of its own schema
    return int(db.execute(sql).fetchone()["n"])


def _pragma(db: sqlite3.Connection, name: str) -> int:
    return int(db.execute(f"PRAGMA {name}").fetchone()[0])


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
