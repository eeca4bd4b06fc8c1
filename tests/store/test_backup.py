"""Copies: of one moment, while others write; whole and checked, or not there at all."""

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from agentlin_server.domain.errors import StorageError
from agentlin_server.engine.hub import Hub
from agentlin_server.engine.reader import TaskReader
from agentlin_server.store.lock import DatabaseLock
from agentlin_server.store.sqlite import SqliteStore, backup, writer
from agentlin_server.store.sqlite.backup import TargetTakenError, copy_database, key_of
from agentlin_server.store.sqlite.connection import open_viewer
from agentlin_server.store.sqlite.schema import HEAD
from tests.requirements import requirement
from tests.store.rows import TENANT, Writer, done, event, item, log_of, started

pytestmark = pytest.mark.anyio


def silent(done: int, total: int) -> None:
    pass


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of `file_store`."""
    return tmp_path / "tasks.db"


@pytest.fixture
async def filled(file_store: SqliteStore) -> Writer:
    """A task in the middle of a long answer, some hundred pages of it."""
    one = await started(file_store, "long")
    fields = ',"agent_step":1,"item":{"type":"message","id":"msg_1","message_content":[]}'
    await one.append(event("task.output_item.added", one.seq, fields=fields))
    fields = ',"agent_step":1,"item_id":"msg_1","content_index":0'
    fields += ',"part":{"type":"output_text","text":""}'
    await one.append(event("task.content_part.added", one.seq, fields=fields))
    for _ in range(200):
        await one.append_deltas(20, text="word " * 20)
    return one


def names_in(folder: Path) -> set[str]:
    return {one.name for one in folder.iterdir()}


@requirement("store.backup")
async def test_a_copy_made_while_a_writer_appends_is_of_one_moment(
    file_store: SqliteStore, filled: Writer, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "_PAGES_PER_STEP", 10)
    steps = list[int]()

    def wait_for_writes(done: int, total: int) -> None:
        """Let the writer write between the steps; count them."""
        steps.append(done)
        anyio.from_thread.run(filled.append_deltas, 5)

    to = path.with_name("copy.db")
    before = filled.seq
    with anyio.fail_after(30):
        made = await anyio.to_thread.run_sync(
            lambda: copy_database(path, to, progress=wait_for_writes)
        )
    assert len(set(steps)) > 10, "the copy took many steps, and something was written at each"
    assert steps == sorted(steps), "it never began anew"
    assert (made.schema, made.size_bytes) == (HEAD, to.stat().st_size)

    copied = await SqliteStore.open(to)
    task = await copied.get(TENANT, "long")
    assert task is not None
    lines = await log_of(copied, task.pk)
    assert len(lines) == before, "what was written before it began, and nothing of the rest"
    assert lines == (await log_of(file_store, filled.pk))[:before]
    fold = await TaskReader(copied, Hub()).fold(task)
    text = fold.snapshot()["output"][0]["message_content"][0]["text"]
    assert text == "word " * 20 * (before - 5)
    await copied.close()


async def test_only_its_owner_may_read_it_and_nothing_else_is_left_behind(
    filled: Writer, path: Path
) -> None:
    key_of(path).write_bytes(b"secret")
    before = names_in(path.parent)
    made = copy_database(path, path.with_name("copy.db"), progress=silent)
    assert names_in(path.parent) - before == {"copy.db", "copy.db.key"}
    for one in (made.path, made.key):
        assert one is not None
        assert stat.S_IMODE(one.stat().st_mode) == 0o600
    assert key_of(made.path).read_bytes() == b"secret"


async def test_a_database_without_key_is_copied_without(filled: Writer, path: Path) -> None:
    assert copy_database(path, path.with_name("copy.db"), progress=silent).key is None
    assert not key_of(path.with_name("copy.db")).exists()


@pytest.mark.parametrize("taken", ["copy.db", "copy.db.key"])
async def test_what_is_there_is_overwritten_only_if_that_is_wanted(
    taken: str, filled: Writer, path: Path
) -> None:
    key_of(path).write_bytes(b"secret")
    to = path.with_name("copy.db")
    path.with_name(taken).write_text("precious")
    with pytest.raises(TargetTakenError, match=f"{taken} is there already"):
        copy_database(path, to, progress=silent)
    assert path.with_name(taken).read_text() == "precious"
    wal = to.with_name("copy.db-wal")
    wal.write_text("of the one that was there")
    made = copy_database(path, to, progress=silent, overwrite=True)
    assert not wal.exists()
    with closing(sqlite3.connect(made.path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("SELECT count(*) FROM journal").fetchone() == (203,)


async def test_the_database_itself_a_folder_and_one_that_is_served_are_never_overwritten(
    filled: Writer, path: Path, tmp_path: Path
) -> None:
    (tmp_path / "link.db").symlink_to(path)
    key_of(path).write_bytes(b"secret")
    for to in (path, tmp_path / "link.db", key_of(path), tmp_path):
        with pytest.raises(TargetTakenError):
            copy_database(path, to, progress=silent, overwrite=True)
    assert key_of(path).read_bytes() == b"secret"
    lock = DatabaseLock(tmp_path / "other.db")
    lock.acquire()
    lock.publish("http://127.0.0.1:5")
    with pytest.raises(TargetTakenError, match="the server at http"):
        copy_database(path, tmp_path / "other.db", progress=silent, overwrite=True)
    lock.release()


async def test_a_copy_that_is_cut_off_leaves_nothing(filled: Writer, path: Path) -> None:
    before = names_in(path.parent)

    def cut_off(done: int, total: int) -> None:
        raise KeyboardInterrupt

    to = path.with_name("copy.db")
    with pytest.raises(KeyboardInterrupt):
        copy_database(path, to, progress=cut_off)
    assert names_in(path.parent) == before


async def test_a_copy_can_be_cut_off_while_it_is_checked(
    filled: Writer, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentlin_server.store.sqlite.connection._TICK_EVERY", 10)
    is_copied = list[bool]()

    def cut_off(done: int, total: int) -> None:
        if is_copied:
            raise KeyboardInterrupt
        if done == total:
            is_copied.append(True)

    before = names_in(path.parent)
    with pytest.raises(KeyboardInterrupt):
        copy_database(path, path.with_name("copy.db"), progress=cut_off)
    assert names_in(path.parent) == before


async def test_a_damaged_database_gives_no_copy(tmp_path: Path) -> None:
    path = tmp_path / "damaged.db"
    store = await SqliteStore.open(path)
    one = await started(store)
    await one.append(done(one.seq, "msg_1" + "x" * 50_000), items=[item()])
    await store.close()
    with path.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(os.urandom(4096 * 20))
    before = names_in(tmp_path)
    with pytest.raises(StorageError, match=r"damaged|malformed"):
        copy_database(path, tmp_path / "copy.db", progress=silent)
    assert names_in(tmp_path) - before <= {"damaged.db-wal", "damaged.db-shm"}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(None, "there is no database"), (b"", "no database of agentlin"), (b"x" * 5_000, "not a")],
)
async def test_what_is_no_database_is_not_copied(
    content: bytes | None, complaint: str, tmp_path: Path
) -> None:
    path = tmp_path / "none.db"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StorageError, match=complaint):
        copy_database(path, tmp_path / "copy.db", progress=silent)
    assert not (tmp_path / "copy.db").exists()


async def test_where_nothing_can_be_written_is_told(filled: Writer, path: Path) -> None:
    with pytest.raises(StorageError, match="can't write"):
        copy_database(path, path.parent / "no folder" / "copy.db", progress=silent)


async def test_who_reads_for_long_does_not_hold_the_writer_up(
    file_store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy of a large database reads for minutes, while the log beside it grows large."""
    monkeypatch.setattr(writer, "_TRUNCATE_BYTES", 0)
    monkeypatch.setattr(writer, "_COMMITS_BETWEEN", 1)
    monkeypatch.setattr(writer, "_CHECKPOINT_EVERY_S", 0.0)
    one = await started(file_store)
    with closing(open_viewer(path)) as db:
        db.execute("BEGIN")
        db.execute("SELECT * FROM task").fetchone()
        with anyio.fail_after(3):  # SQLite would wait for five seconds each time
            for _ in range(3):
                await one.append_deltas()
    await one.append_deltas()
    await one.end()
    assert len(await log_of(file_store, one.pk)) == 8
