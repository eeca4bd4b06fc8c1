"""Upkeep: what is cut off leaves the database whole, and free for others."""

import sqlite3
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from agentlin_server.domain.errors import StorageError
from agentlin_server.domain.status import Status
from agentlin_server.store.lock import DatabaseInUseError, DatabaseLock
from agentlin_server.store.sqlite import SqliteStore, connection, upkeep
from agentlin_server.store.sqlite.connection import open_viewer
from agentlin_server.store.sqlite.upkeep import compact, migrate, sweep
from tests.store.database import make_empty
from tests.store.rows import event, ids_of, log_of, started

pytestmark = pytest.mark.anyio

NOW = 10_000.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with 60 tasks that have ended, with rows that can be merged."""
    path = make_empty(tmp_path / "tasks.db")
    anyio.run(fill, path)
    return path


async def fill(path: Path) -> None:
    store = await SqliteStore.open(path)
    for n in range(60):
        one = await started(store, f"t{n}")
        for _ in range(10):
            await one.append_deltas(2, text="some words")
        line = event("task.completed", one.seq)
        await one.append(line, status=Status.COMPLETED, at=NOW - 100 + n)
    await store.close()


async def swept(path: Path, tell: upkeep.Tell, *, finished_before: float | None = None) -> None:
    await sweep(path, at=NOW, finished_before=finished_before, reserved_until=NOW + 100, tell=tell)


def integrity_of(path: Path) -> str:
    with closing(sqlite3.connect(path)) as db:
        (found,) = db.execute("PRAGMA integrity_check").fetchone()
    return found


@pytest.mark.parametrize("stage", ["removing", "sealing", "giving space back"])
async def test_a_sweep_that_is_cut_off_leaves_a_whole_database_to_the_next(
    stage: str, path: Path
) -> None:
    def cut_off(what: str, tasks: int) -> None:
        if what == stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await swept(path, cut_off, finished_before=NOW - 90)
    assert integrity_of(path) == "ok"
    told = list[str]()
    await swept(path, lambda what, tasks: told.append(what), finished_before=NOW - 90)
    assert told[-1] == "giving space back"
    store = await SqliteStore.open(path)
    tasks = await store.finished(before=NOW, limit=100)
    assert await ids_of(store, tasks) == [f"t{n}" for n in range(10, 60)]
    assert [len(await log_of(store, pk)) for pk in tasks] == [24] * 50
    await store.close()


def test_giving_space_back_can_be_cut_off(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_TICK_EVERY", 10)

    def cut_off() -> None:
        raise KeyboardInterrupt

    before = path.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        compact(path, tick=cut_off)
    assert path.read_bytes() == before
    compact(path)
    assert integrity_of(path) == "ok"


def test_the_file_keeps_its_size_while_someone_reads_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "_PATIENCE_S", 0.05)
    with closing(open_viewer(path)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM task").fetchone()
        with pytest.raises(StorageError, match="another program reads"):
            compact(path)
    assert integrity_of(path) == "ok"
    compact(path)


async def test_whoever_works_on_a_database_has_it_alone(path: Path) -> None:
    lock = DatabaseLock(path)
    lock.acquire()
    with pytest.raises(DatabaseInUseError):
        await swept(path, lambda what, tasks: None)
    with pytest.raises(DatabaseInUseError):
        migrate(path, with_backup=True, progress=lambda done, total: None)
    lock.release()

    def someone_comes(what: str, tasks: int) -> None:
        with pytest.raises(DatabaseInUseError):
            DatabaseLock(path).acquire()

    await swept(path, someone_comes)
    lock.acquire()
    lock.release()
