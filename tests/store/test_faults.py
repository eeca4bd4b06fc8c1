"""What the disk may do to us: every fault is a StorageError, and the store works after it."""

import resource
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest

from agentlin_server.domain.errors import StorageError
from agentlin_server.domain.ports import Store
from agentlin_server.store.sqlite import SqliteStore, connection, writer
from tests.requirements import requirement
from tests.store.database import make_empty
from tests.store.rows import Writer, delta, event, log_of, new_task, started, unfinished

pytestmark = pytest.mark.anyio


@contextmanager
def no_file_longer_than(size_bytes: int) -> Generator[None]:
    """Make the system refuse writes beyond a size, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@requirement("journal.atomic")
async def test_a_full_database_refuses_what_does_not_fit_and_goes_on(store: SqliteStore) -> None:
    task = await started(store)
    await store._write(
        lambda db: db.execute(
            f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').fetchone()[0] + 2}"
        ).fetchone()
    )
    before = await log_of(store, task.pk)
    long = event("task.unknown", task.seq, fields=f',"noise":"{noise(60_000)}"')
    for is_deltas in (True, False):
        commit = task.commit(long, is_deltas=is_deltas)
        with pytest.raises(StorageError, match="full"):
            await store.append(commit, on_commit=lambda: pytest.fail("it was refused"))
    with pytest.raises(StorageError, match="full"):
        await store.create(new_task(request=f'{{"x":"{noise(60_000)}"}}'.encode()))
    assert await log_of(store, task.pk) == before
    assert await unfinished(store) == [task.pk]
    await task.append(delta(3))
    assert len(await log_of(store, task.pk)) == len(before) + 1


def noise(size: int) -> str:
    """Return text that does not compress well."""
    import random

    return "".join(random.Random(7).choices("0123456789abcdefghijklmnopqrstuvwxyz", k=size))


async def test_a_full_disk_refuses_a_commit_and_the_store_goes_on_when_there_is_room(
    file_store: SqliteStore, tmp_path: Path
) -> None:
    task = await started(file_store)
    await task.append_deltas(3)
    wal = tmp_path / "tasks.db-wal"
    with no_file_longer_than(wal.stat().st_size):
        with pytest.raises(StorageError):
            await file_store.append(task.commit(delta(6)), on_commit=lambda: pytest.fail("full"))
        with pytest.raises(StorageError):
            await file_store.check()
        assert len(await log_of(file_store, task.pk)) == 6
    await file_store.check()
    await task.append(delta(6))
    assert len(await log_of(file_store, task.pk)) == 7


async def test_a_checkpoint_that_finds_the_disk_full_does_not_stop_the_writer(
    file_store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_CHECKPOINT_EVERY_S", 0.0)
    monkeypatch.setattr(writer, "_COMMITS_BETWEEN", 1)
    task = await started(file_store)
    size = (tmp_path / "tasks.db").stat().st_size
    with anyio.fail_after(10):
        with no_file_longer_than(max(size, (tmp_path / "tasks.db-wal").stat().st_size)):
            for _ in range(3):
                await _append_until_full(file_store, task)
        await task.append_deltas(1)
        assert (await log_of(file_store, task.pk))[-1] == delta(task.seq - 1)


async def _append_until_full(store: Store, task: Writer) -> None:
    for _ in range(1_000):
        commit = task.commit(delta(task.seq, text="y" * 2_000), is_deltas=True)
        try:
            await store.append(commit, on_commit=lambda: None)
        except StorageError:
            return  # no room in the log beside the database either
        task.rev, task.seq = task.rev + 1, task.seq + 1
    pytest.fail("the disk never was full")


async def test_a_database_that_another_process_has_locked_is_a_storage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        connection,
        "_WRITER_PRAGMAS",
        (*connection._WRITER_PRAGMAS, "PRAGMA busy_timeout = 0"),
    )
    store = await SqliteStore.open(make_empty(tmp_path / "tasks.db"))
    task = await started(store)
    other = sqlite3.connect(tmp_path / "tasks.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match="locked"):
        await store.append(task.commit(delta(3)), on_commit=lambda: pytest.fail("locked"))
    with pytest.raises(StorageError, match="locked"):
        await store.create(new_task())
    assert len(await log_of(store, task.pk)) == 3, "reading goes on"
    other.execute("ROLLBACK")
    other.close()
    await task.append(delta(3))
    await store.close()


async def test_a_file_that_is_no_database_is_named_in_the_error(tmp_path: Path) -> None:
    path = tmp_path / "letter.db"
    path.write_text("Dear Sir or Madam, " * 100)
    with pytest.raises(StorageError, match=r"letter\.db"):
        await SqliteStore.open(path)
    assert path.read_text().startswith("Dear Sir")


async def test_a_folder_in_the_place_of_the_database_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"can't open"):
        await SqliteStore.open(tmp_path)


async def test_a_read_only_database_is_a_storage_error(tmp_path: Path) -> None:
    path = make_empty(tmp_path / "tasks.db")
    first = await SqliteStore.open(path)
    await started(first)
    await first.close()
    store = await SqliteStore.open(path)
    await store._write(lambda db: db.execute("PRAGMA query_only = ON"))
    with pytest.raises(StorageError, match="readonly"):
        await started(store)
    with pytest.raises(StorageError, match="readonly"):
        await store.check()
    assert len(await unfinished(store)) == 1
    await store.close()


async def test_a_reader_cannot_write(file_store: SqliteStore) -> None:
    with pytest.raises(StorageError, match="readonly"):
        await file_store._read(lambda db: db.execute("DELETE FROM task"))


async def test_a_healthy_store_passes_its_check(store: Store) -> None:
    await store.check()


async def test_missing_folders_are_made(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "a" / "b" / "tasks.db")
    await started(store)
    await store.close()
