"""Group commit: what waits shares a transaction, and stays atomic on its own."""

import sqlite3
import threading
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from agentlin_server.domain.errors import StaleWriterError, StorageError
from agentlin_server.store.sqlite.connection import open_writer
from agentlin_server.store.sqlite.writer import GroupWriter, OneRow
from tests.requirements import requirement

pytestmark = pytest.mark.anyio

Job = Callable[[sqlite3.Connection], Any]


def row(n: int) -> OneRow:
    return OneRow("INSERT INTO note VALUES (?1)", (n,), lambda: StaleWriterError("refused"))


class Traced:
    """A writer whose statements are noted, and that can be held up to fill a group."""

    def __init__(self, path: Path) -> None:
        self.db = open_writer(path)
        self.db.execute("PRAGMA foreign_keys = ON")
        self.db.execute("CREATE TABLE note (n INTEGER PRIMARY KEY)")
        self.db.execute(
            "CREATE TABLE child (n INTEGER REFERENCES note (n) DEFERRABLE INITIALLY DEFERRED)"
        )
        self.statements: list[str] = []
        self.db.set_trace_callback(self.statements.append)
        self.writer = GroupWriter(self.db, path)
        self.gate = threading.Event()

    def hold(self) -> None:
        """Keep the thread busy, so that what is submitted now makes one group."""
        begun = threading.Event()

        def wait(_: sqlite3.Connection) -> None:
            begun.set()
            self.gate.wait(5)

        self.writer.submit(wait)
        assert begun.wait(5)

    async def notes(self) -> list[int]:
        """Return what is in the table."""
        rows = await self.writer.submit(lambda db: db.execute("SELECT n FROM note").fetchall())
        return [row[0] for row in rows]


def note(n: int) -> Job:
    return lambda db: db.execute("INSERT INTO note VALUES (?)", (n,)).rowcount


def note_then_raise(n: int) -> Job:
    def job(db: sqlite3.Connection) -> None:
        note(n)(db)
        raise KeyError(n)

    return job


@pytest.fixture
async def traced(tmp_path: Path) -> AsyncGenerator[Traced]:
    made = Traced(tmp_path / "notes.db")
    yield made
    made.gate.set()
    await anyio.to_thread.run_sync(made.writer.close)


async def test_what_waits_shares_one_transaction_in_order(traced: Traced) -> None:
    traced.hold()
    futures = [traced.writer.submit(note(n)) for n in range(20)]
    traced.gate.set()
    with anyio.fail_after(5):
        assert [await future for future in futures] == [1] * 20
    assert await traced.notes() == list(range(20))
    assert traced.statements.count("COMMIT") <= 3  # the held one, the group, the look


@requirement("journal.atomic")
async def test_a_job_that_raises_undoes_only_itself(traced: Traced) -> None:
    traced.hold()
    futures = [
        traced.writer.submit(note_then_raise(n) if n % 3 == 1 else note(n)) for n in range(9)
    ]
    traced.gate.set()
    with anyio.fail_after(5):
        for n, future in enumerate(futures):
            if n % 3 == 1:
                with pytest.raises(KeyError):
                    await future
            else:
                await future
    assert await traced.notes() == [n for n in range(9) if n % 3 != 1]


async def test_a_statement_that_the_database_refuses_is_a_storage_error(traced: Traced) -> None:
    await traced.writer.submit(note(1))
    for job in (note(1), row(1)):
        with pytest.raises(StorageError, match="UNIQUE"):
            await traced.writer.submit(job)
    await traced.writer.submit(note(2))
    assert await traced.notes() == [1, 2]


async def test_rows_in_a_row_are_written_at_one_go(traced: Traced) -> None:
    traced.hold()
    futures = [traced.writer.submit(row(n)) for n in range(5)]
    traced.gate.set()
    for future in futures:
        await future
    assert await traced.notes() == list(range(5))
    assert traced.statements.count("SAVEPOINT rows") == 1


async def test_a_row_that_is_refused_among_others_is_the_only_one(traced: Traced) -> None:
    unless_odd = "INSERT INTO note SELECT ?1 WHERE ?1 % 2 = 0"
    traced.hold()
    futures = [
        traced.writer.submit(OneRow(unless_odd, (n,), lambda: StaleWriterError("odd")))
        for n in range(6)
    ]
    traced.gate.set()
    for n, future in enumerate(futures):
        if n % 2:
            with pytest.raises(StaleWriterError):
                await future
        else:
            await future
    assert await traced.notes() == [0, 2, 4]


@requirement("journal.atomic")
async def test_a_commit_that_fails_fails_all_that_shared_it(traced: Traced) -> None:
    await traced.writer.submit(note(1))
    traced.hold()
    futures = [
        traced.writer.submit(note(2)),
        traced.writer.submit(lambda db: db.execute("INSERT INTO child VALUES (404)")),
        traced.writer.submit(note(3)),
    ]
    traced.gate.set()
    with anyio.fail_after(5):
        for future in futures:
            with pytest.raises(StorageError, match="FOREIGN KEY"):
                await future
        await traced.writer.submit(note(4))
    assert await traced.notes() == [1, 4]


async def test_only_a_group_with_a_barrier_is_synced_to_disk(traced: Traced) -> None:
    await traced.writer.submit(note(1))
    assert not [s for s in traced.statements if "synchronous" in s]
    await traced.writer.submit(note(2), barrier=True)
    assert traced.statements.count("PRAGMA synchronous = FULL") == 1
    await traced.writer.submit(note(3), barrier=True)
    await traced.writer.submit(note(4))
    levels = [s for s in traced.statements if "synchronous" in s]
    assert levels == ["PRAGMA synchronous = FULL", "PRAGMA synchronous = NORMAL"]


async def test_a_job_is_done_even_if_nobody_waits_any_more(traced: Traced) -> None:
    traced.hold()
    future = traced.writer.submit(note(1))
    future.cancel()
    traced.gate.set()
    assert await traced.notes() == [1]


async def test_closing_finishes_what_is_queued(tmp_path: Path) -> None:
    made = Traced(tmp_path / "closing.db")
    made.hold()
    futures = [made.writer.submit(note(n)) for n in range(5)]
    made.gate.set()
    with anyio.fail_after(5):
        await anyio.to_thread.run_sync(made.writer.close)
        assert [await future for future in futures] == [1] * 5
    with sqlite3.connect(tmp_path / "closing.db") as db:
        assert db.execute("SELECT count(*) FROM note").fetchone() == (5,)
    db.close()
    assert not (tmp_path / "closing.db-wal").exists()


async def test_the_log_beside_the_database_is_checkpointed_between_commits(
    traced: Traced, monkeypatch: pytest.MonkeyPatch
) -> None:
    from agentlin_server.store.sqlite import writer as module

    monkeypatch.setattr(module, "_CHECKPOINT_EVERY_S", 0.0)
    monkeypatch.setattr(module, "_COMMITS_BETWEEN", 2)
    for n in range(4):
        await traced.writer.submit(note(n))
    await traced.notes()
    assert "PRAGMA wal_checkpoint(PASSIVE)" in traced.statements
