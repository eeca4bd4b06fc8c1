"""The schema: brought to the newest, never taken from a newer release."""

import gzip
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path

import anyio
import pytest

from agentlin_server.domain.errors import StorageError
from agentlin_server.domain.ids import LOCAL_TENANT, TaskPk
from agentlin_server.domain.records import IntentKind, TaskFilter
from agentlin_server.domain.status import TERMINAL
from agentlin_server.engine.hub import Hub
from agentlin_server.engine.reader import TaskReader
from agentlin_server.store import migrations
from agentlin_server.store.migrations.run import upgrade
from agentlin_server.store.sqlite import SqliteStore, schema
from tests.engine.streams import validated
from tests.requirements import requirement
from tests.store.rows import claim_ids, started, taken_over

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
        "    assert await store.adopt(owner='heir') == [int(sys.argv[2])]\n"
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


IN_GOLDEN = {
    "0001": {"running": "working", "canceled": "canceled", "done": "completed"},
    "0002": {
        "waiting": "queued",
        "behind": "queued",
        "running": "working",
        "paused": "paused",
        "asking": "input-required",
        "canceled": "canceled",
        "done": "completed",
    },
}


@requirement("store.migrations")
@pytest.mark.parametrize("version", sorted(IN_GOLDEN))
async def test_the_database_of_every_release_opens_with_all_that_was_in_it(
    version: str, tmp_path: Path
) -> None:
    path = unpacked(GOLDEN / f"{version}.db.gz", tmp_path)
    store = await SqliteStore.open(path)
    reader = TaskReader(store, Hub())
    tasks = {str(task.id): task for task in await store.list(TaskFilter(tenant=LOCAL_TENANT))}
    statuses = {f"task_{name}": status for name, status in IN_GOLDEN[version].items()}
    assert {task_id: task.status for task_id, task in tasks.items()} == statuses
    for task in tasks.values():
        assert (await reader.snapshot(task))["status"] == task.status
        if task.status in TERMINAL:
            batches = reader.follow(task.pk, after_seq=-1, until_final=True, idle_s=5)
            assert validated([batch async for batch in batches])["output"]
    assert len(await store.rollouts(tasks["task_done"].pk)) == 1
    assert await store.adopt(owner="heir") == [tasks["task_running"].pk]
    assert await store.pending() == []
    assert await store.repair() == 0
    await started(store, "task_new")
    await store.close()


async def test_what_waits_in_the_golden_database_of_the_head_goes_on(tmp_path: Path) -> None:
    store = await SqliteStore.open(unpacked(GOLDEN / "0002.db.gz", tmp_path))
    running = await store.get(LOCAL_TENANT, "task_running")
    assert running is not None
    assert running.clock.deadline_at == running.created_at + 3_600.0
    assert await store.adopt(owner="heir") == [running.pk]
    assert await claim_ids(store, owner="heir") == ["task_waiting"]
    await (await taken_over(store, running.pk, "heir")).end()
    assert await claim_ids(store, owner="heir") == ["task_behind"]
    await store.close()


def test_every_golden_database_is_opened() -> None:
    assert {path.name.partition(".")[0] for path in GOLDEN.glob("*.db.gz")} == set(IN_GOLDEN)


def of_the_first_release(path: Path, statements: Sequence[str]) -> Path:
    """Make a database as the first release made it, and write to it."""
    db = sqlite3.connect(path, isolation_level=None)
    upgrade(db, to="0001")
    for sql in statements:
        db.execute(sql)
    db.close()
    return path


TASK = (
    "INSERT INTO task (pk, tenant, id, user_id, session_pk, session_pos, status, rev, lease_owner,"
    " spec_hash, body_hmac, cancel_requested, created_at)"
    " VALUES ({pk}, 'local', 'old_{pk}', '{user}', {session}, {pos}, '{status}', 1, {lease},"
    " 'spec', 'body', {canceled}, 1.0)"
)


def old_task(  # the columns of a row, in the order of the table
    pk: int,
    user: str,
    session: int,
    pos: int,
    status: str = "queued",
    *,
    lease: str = "NULL",
    canceled: int = 0,
) -> list[str]:
    """Return the statements that write a task, with a journal of one row."""
    journal = f"INSERT INTO journal VALUES ({pk}, 1, 0, 0, 0, 0, 1.0, 0, x'7b7d', NULL)"
    values = {"pk": pk, "user": user, "session": session, "pos": pos, "status": status}
    return [TASK.format(**values, lease=lease, canceled=canceled), journal]


def old_session(pk: int, busy: str = "NULL") -> str:
    """Return the statement that writes a session."""
    return f"INSERT INTO session VALUES ({pk}, 'local', 's_{pk}', 'ann', {busy}, 9)"


@requirement("store.migrations", "queue.fair")
async def test_tasks_that_waited_in_the_first_release_get_their_turns(tmp_path: Path) -> None:
    path = of_the_first_release(
        tmp_path / "tasks.db",
        [
            *(old_session(n) for n in (1, 2, 3, 6, 7)),
            old_session(4, busy="41"),
            old_session(5, busy="51"),
            *old_task(11, "ann", 1, 0),
            *old_task(12, "ann", 1, 1),  # behind another of its session
            *old_task(21, "ann", 2, 0),
            *old_task(31, "bob", 3, 0),
            *old_task(41, "cat", 4, 0, "working", lease="'dead'"),
            *old_task(42, "cat", 4, 1),  # its session is busy
            *old_task(51, "cat", 5, 0, lease="'dead'"),  # claimed, and never begun
            *old_task(61, "cat", 6, 0, canceled=1),
            *old_task(71, "cat", 7, 0, "canceled"),
            "INSERT INTO intent (task_pk, n, kind, actor, at) VALUES (61, 1, 'cancel', 'x', 1.0)",
            "INSERT INTO intent (task_pk, n, kind, actor, at) VALUES (71, 1, 'cancel', 'x', 1.0)",
        ],
    )
    store = await SqliteStore.open(path)
    wakes = await store.wakes(at=0.0, limit=9)
    assert [wake.task_pk for wake in wakes] == [11, 21, 31, 51]
    assert await store.repair() == 0
    assert await store.pending() == [(61, IntentKind.CANCEL)]
    assert await claim_ids(store) == ["old_11", "old_31", "old_51", "old_21"]
    assert await store.adopt(owner="heir") == [41]
    await (await taken_over(store, TaskPk(41))).end()
    assert await claim_ids(store, owner="heir") == [
        "old_11",
        "old_31",
        "old_51",
        "old_21",
        "old_42",
    ]
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
