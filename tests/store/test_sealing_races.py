"""Sealing beside others: who deletes, seals too, or dies in the middle; and damaged journals."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from agentlin_server.domain.errors import DamagedLogError
from agentlin_server.store.sqlite import SqliteStore, sealing
from tests.store.journals import ALL, LONG_AFTER, portions_of, seal_all, written
from tests.store.rows import log_of

pytestmark = pytest.mark.anyio

T = TypeVar("T")


class Meanwhile:
    """Runs jobs on one connection, and something else before one of them."""

    def __init__(
        self, path: Path, before: int, act: Callable[[sqlite3.Connection], object]
    ) -> None:
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.row_factory = sqlite3.Row
        self._countdown, self._act = before, act

    async def read(self, job: Callable[[sqlite3.Connection], T], /) -> T:
        return job(self.db)

    async def write(self, job: Callable[[sqlite3.Connection], T], /) -> T:
        self._countdown -= 1
        if self._countdown == 0:
            self._act(self.db)
        self.db.execute("BEGIN")
        try:
            result = job(self.db)
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")
        return result


@pytest.mark.parametrize("before", [1, 2, 3])
async def test_a_task_that_is_deleted_between_reading_and_replacing_is_left_alone(
    before: int, file_store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "PORTION_ROWS_MAX", 5)
    victim = await written(file_store, [("deltas", 4)] * 10)
    other = await written(file_store, [("deltas", 4)] * 10)
    lines = await log_of(file_store, other)

    def delete(db: sqlite3.Connection) -> None:
        db.execute("DELETE FROM journal WHERE task_pk = ?", (victim,))
        db.execute("DELETE FROM task WHERE pk = ?", (victim,))

    jobs = Meanwhile(tmp_path / "tasks.db", before, delete)
    sealed = await sealing.seal(jobs.read, jobs.write, finished_before=LONG_AFTER, limit=10)
    jobs.db.close()
    assert sealed == 1
    assert await log_of(file_store, victim) == []
    assert await log_of(file_store, other) == lines


async def test_of_two_who_seal_one_task_the_second_changes_nothing(
    file_store: SqliteStore, tmp_path: Path
) -> None:
    pk = await written(file_store, [("deltas", 4)] * 20)
    lines = await log_of(file_store, pk)

    def overtake(db: sqlite3.Connection) -> None:
        with portions_of(ALL):
            whole = sealing.next_portion(db, pk=pk, after_rev=0)
        sealing.replace_rows(db, pk=pk, portion=whole)

    jobs = Meanwhile(tmp_path / "tasks.db", 1, overtake)
    with portions_of(1_500):
        sealed = await sealing.seal(jobs.read, jobs.write, finished_before=LONG_AFTER, limit=10)
    jobs.db.close()
    assert sealed == 0
    assert await log_of(file_store, pk) == lines


async def test_a_sealing_that_was_cut_off_is_taken_up_again(
    file_store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pk = await written(file_store, [("deltas", 4)] * 20)
    lines = await log_of(file_store, pk)

    def die(db: sqlite3.Connection) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sealing, "PORTION_ROWS_MAX", 5)
        jobs = Meanwhile(tmp_path / "tasks.db", 3, die)
        with pytest.raises(KeyboardInterrupt):
            await sealing.seal(jobs.read, jobs.write, finished_before=LONG_AFTER, limit=10)
        jobs.db.close()
    assert await log_of(file_store, pk) == lines
    assert await seal_all(file_store) == 1
    segments = await file_store.read(pk, after_seq=-1, bytes_max=ALL)
    assert len(segments) == 3
    assert await log_of(file_store, pk) == lines


async def test_a_damaged_journal_is_reported_and_holds_nobody_up(
    file_store: SqliteStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    damaged = await written(file_store, [("deltas", 4)] * 5)
    await written(file_store, [("deltas", 4)] * 5)
    with sqlite3.connect(tmp_path / "tasks.db") as db:
        db.execute("UPDATE journal SET codec = 1 WHERE task_pk = ? AND rev = 3", (damaged,))
    db.close()
    assert await seal_all(file_store) == 1
    assert f"task row {damaged} is damaged" in caplog.text
    caplog.clear()
    assert await seal_all(file_store) == 0, "it is not tried again and again"
    assert caplog.text == ""
    with pytest.raises(DamagedLogError):
        await log_of(file_store, damaged)
