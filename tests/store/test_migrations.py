"""The schema: brought to the newest, never taken from a newer release."""

import gzip
import sqlite3
import sys
from pathlib import Path

import anyio
import pytest

from agentlin_server.domain.errors import StorageError
from agentlin_server.domain.ids import LOCAL_TENANT
from agentlin_server.domain.ports import TaskFilter
from agentlin_server.engine.hub import Hub
from agentlin_server.engine.reader import TaskReader
from agentlin_server.store import migrations
from agentlin_server.store.sqlite import SqliteStore, schema
from tests.engine.streams import validated
from tests.requirements import requirement
from tests.store.rows import started

pytestmark = pytest.mark.anyio

VERSIONS = Path(migrations.__file__).parent / "versions"
GOLDEN = Path(__file__).parent / "golden"


def schema_of(path: Path) -> dict[str, str]:
    with sqlite3.connect(path) as db:
        rows = db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    db.close()
    return dict(rows)


def unpacked(golden: Path, folder: Path) -> Path:
    path = folder / "golden.db"
    path.write_bytes(gzip.decompress(golden.read_bytes()))
    return path


def test_the_head_is_the_newest_migration() -> None:
    numbers = sorted(path.stem.partition("_")[0] for path in VERSIONS.glob("[0-9]*.py"))
    assert numbers[-1] == schema.HEAD
    assert len(set(numbers)) == len(numbers)


async def test_a_new_database_is_at_the_head_and_opens_again_without_the_migration_tool(
    tmp_path: Path,
) -> None:
    path = tmp_path / "tasks.db"
    store = await SqliteStore.open(path)
    task = await started(store, "t")
    await store.close()
    before = schema_of(path)
    script = (
        "import asyncio, sys\n"
        "from agentlin_server.store.sqlite import SqliteStore\n"
        "async def main():\n"
        "    store = await SqliteStore.open(sys.argv[1])\n"
        "    assert await store.unfinished() == [int(sys.argv[2])]\n"
        "    await store.close()\n"
        "asyncio.run(main())\n"
        "assert not {'alembic', 'sqlalchemy'} & set(sys.modules)\n"
    )
    await anyio.run_process([sys.executable, "-c", script, str(path), str(task.pk)])
    assert schema_of(path) == before


@requirement("store.migrations")
async def test_a_database_of_a_newer_release_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"
    await (await SqliteStore.open(path)).close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE alembic_version SET version_num = '9999'")
    db.close()
    with pytest.raises(StorageError, match="newer agentlin"):
        await SqliteStore.open(path)
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT version_num FROM alembic_version").fetchone() == ("9999",)
    db.close()


async def test_a_migration_that_fails_leaves_the_database_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE journal (of_somebody_else TEXT)")
    db.close()
    before = schema_of(path)
    with pytest.raises(StorageError, match="migrat"):
        await SqliteStore.open(path)
    assert schema_of(path) == before


@requirement("store.migrations")
@pytest.mark.parametrize("golden", sorted(GOLDEN.glob("*.db.gz")), ids=lambda path: path.name)
async def test_the_database_of_every_release_opens_with_all_that_was_in_it(
    golden: Path, tmp_path: Path
) -> None:
    path = unpacked(golden, tmp_path)
    store = await SqliteStore.open(path)
    reader = TaskReader(store, Hub())
    tasks = await store.list(TaskFilter(tenant=LOCAL_TENANT))
    assert [task.id for task in tasks] == ["task_running", "task_canceled", "task_done"]
    for task in tasks:
        assert (await reader.snapshot(task))["status"] == task.status
    for task in tasks[1:]:
        batches = reader.follow(task.pk, after_seq=-1, until_final=True, idle_s=5)
        events = [batch async for batch in batches]
        assert validated(events)["output"]
    assert len(await store.rollouts(tasks[2].pk)) == 1
    await started(store, "task_new")
    await store.close()


def test_there_is_a_golden_database_of_the_schema_that_is_the_head() -> None:
    assert (GOLDEN / f"{schema.HEAD}.db.gz").exists(), "run `python -m tests.store.golden_database`"


async def test_the_golden_database_of_the_head_has_the_schema_of_a_new_one(tmp_path: Path) -> None:
    await (await SqliteStore.open(tmp_path / "new.db")).close()
    golden = unpacked(GOLDEN / f"{schema.HEAD}.db.gz", tmp_path)
    assert schema_of(golden) == schema_of(tmp_path / "new.db"), (
        "a migration that was released has been changed: write a new one. Before the first "
        "release: run `python -m tests.store.golden_database`"
    )
