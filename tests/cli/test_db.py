"""`agentlin db`: looks, sweeps, copies and migrates real files, served and not."""

import gzip
import json
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest

from agentlin_server.domain.status import Status
from agentlin_server.store.lock import DatabaseLock
from agentlin_server.store.sqlite import SqliteStore, sizes
from agentlin_server.store.sqlite.schema import HEAD
from tests.cli.conftest import Cli, Start
from tests.store.database import make_empty
from tests.store.rows import TENANT, event, item, log_of, started

DAY_S = 86_400.0
GOLDEN = Path(__file__).parents[1] / "store" / "golden"


def fill(path: Path, ages_s: Sequence[float]) -> dict[str, list[bytes]]:
    """Write a task per age since its end, and one that runs; return the logs by id."""

    async def write() -> dict[str, list[bytes]]:
        store = await SqliteStore.open(make_empty(path))
        logs = dict[str, list[bytes]]()
        for n, age_s in enumerate(ages_s):
            one = await started(store, f"t{n}")
            for _ in range(100):
                await one.append_deltas(2, text="some words")
            line = event("task.completed", one.seq)
            ended_at = time.time() - age_s
            await one.append(line, status=Status.COMPLETED, items=[item()], at=ended_at)
            logs[f"t{n}"] = await log_of(store, one.pk)
        running = await started(store, "running")
        await running.append_deltas(5)
        logs["running"] = await log_of(store, running.pk)
        await store.close()
        return logs

    return anyio.run(write)


def logs_in(path: Path, names: Sequence[str]) -> dict[str, list[bytes]]:
    """Return the logs of those tasks that are there, by id."""

    async def read() -> dict[str, list[bytes]]:
        store = await SqliteStore.open(path)
        found = [await store.get(TENANT, name) for name in names]
        logs = {task.id: await log_of(store, task.pk) for task in found if task is not None}
        await store.close()
        return {str(name): lines for name, lines in logs.items()}

    return anyio.run(read)


def as_json(cli: Cli, *args: str) -> dict[str, Any]:
    result = cli("db", *args, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def old_schema(path: Path) -> None:
    """Put a database of the first release there."""
    path.write_bytes(gzip.decompress((GOLDEN / "0001.db.gz").read_bytes()))


def test_size_tells_what_takes_the_space(cli: Cli, db: Path) -> None:
    fill(db, [100, 50])
    found = as_json(cli, "size")
    assert (found["db"], found["schema"], found["server"]) == (str(db), HEAD, None)
    assert found["tasks"] == {"completed": 2, "working": 1}
    assert found["file_bytes"] == db.stat().st_size
    tables = {one["name"]: one for one in found["tables"]}
    assert tables["journal"]["rows"] == 206
    assert found["tables"][0]["name"] == "journal"
    sizes_sum = sum(one["size_bytes"] for one in found["tables"])
    assert 0.8 * found["file_bytes"] < sizes_sum <= found["file_bytes"]
    unsealed = found["unsealed"]
    assert (unsealed["tasks"], unsealed["steps"], unsealed["deltas"]) == (3, 2, 405)
    assert 100 < unsealed["bytes_per_delta"] < 200
    assert unsealed["bytes_per_step"] > 100 * unsealed["bytes_per_delta"]
    nothing = found["sealed"]
    assert nothing["tasks"] == 0
    assert nothing["bytes_per_delta"] is nothing["bytes_per_step"] is None


def test_size_shows_what_sealing_gains(cli: Cli, db: Path) -> None:
    fill(db, [100, 50])
    as_json(cli, "sweep")
    found = as_json(cli, "size")
    assert (found["sealed"]["tasks"], found["sealed"]["deltas"]) == (2, 400)
    assert found["sealed"]["bytes_per_delta"] * 10 < found["unsealed"]["bytes_per_delta"]


def test_size_without_json_is_lines_for_people_and_scripts(cli: Cli, db: Path) -> None:
    fill(db, [100])
    result = cli("db", "size")
    lines = [line.split("\t") for line in result.stdout.splitlines()]
    assert ["database", str(db)] in lines
    assert ["tasks", "1 completed, 1 working"] in lines
    assert ["TABLE", "ROWS", "SIZE"] in lines
    assert [line[:4] for line in lines if line[0] == "not sealed"] == [
        ["not sealed", "2", "1", "205"]
    ]
    assert "\x1b" not in result.stdout + result.stderr


def test_on_a_terminal_size_is_tables(cli: Cli, db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    fill(db, [100])
    monkeypatch.setattr(
        "agentlin_server.cli.dbreport.data_console",
        lambda: Console(force_terminal=True, width=120),
    )
    lines = cli("db", "size").stdout.splitlines()
    (head,) = [line for line in lines if "PER DELTA" in line]
    (row,) = [line for line in lines if line.startswith("not sealed")]
    assert "\t" not in row
    assert row.rstrip().endswith("bytes")
    assert "JOURNAL" in head


def test_size_without_dbstat_shares_the_pages_out_and_says_so(
    cli: Cli, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(db, [100] * 10)
    exact = as_json(cli, "size")
    missing = {**sizes.SQL, "page_bytes": "SELECT name FROM dbstat_that_is_not_there"}
    monkeypatch.setattr(sizes, "SQL", missing)
    found = as_json(cli, "size")
    assert (exact["is_estimated"], found["is_estimated"]) == (False, True)
    journals = [one["tables"][0] for one in (exact, found)]
    assert [one["name"] for one in journals] == ["journal", "journal"]
    assert journals[1]["size_bytes"] == pytest.approx(journals[0]["size_bytes"], rel=0.5)
    assert "SIZE (estimate)" in cli("db", "size").stdout


def test_size_reads_a_database_that_was_not_migrated_yet(cli: Cli, db: Path) -> None:
    old_schema(db)
    found = as_json(cli, "size")
    assert (found["schema"], found["sealed"]["tasks"]) == ("0001", 0)
    assert sum(found["tasks"].values()) == found["unsealed"]["tasks"] == 3


@pytest.mark.usefixtures("server")
def test_size_and_backup_work_while_a_server_runs(cli: Cli, db: Path, tmp_path: Path) -> None:
    found = as_json(cli, "size")
    assert found["server"] == DatabaseLock(db).server_address()
    result = cli("db", "backup", str(tmp_path / "copy.db"))
    assert (result.exit_code, result.stdout) == (0, f"{tmp_path / 'copy.db'}\n")
    assert (tmp_path / "copy.db.key").read_bytes() == Path(f"{db}.key").read_bytes()


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("command", "hint"),
    [
        ("sweep", "compresses finished tasks by itself, and removes old ones if AGENTLIN_KEEP_S"),
        ("migrate", "A server that starts brings the schema to its newest by itself."),
    ],
)
def test_what_needs_the_database_for_itself_names_the_server_that_has_it(
    command: str, hint: str, cli: Cli, db: Path
) -> None:
    result = cli("db", command)
    assert (result.exit_code, result.stdout) == (3, "")
    address = DatabaseLock(db).server_address()
    assert f"the server at {address} uses the database {db}: stop it first. " in result.stderr
    assert hint in result.stderr
    assert ("AGENTLIN_KEEP_S" in result.stderr) == (command == "sweep")


def test_what_needs_the_database_for_itself_waits_for_no_other_process(cli: Cli, db: Path) -> None:
    fill(db, [])
    lock = DatabaseLock(db)
    lock.acquire()
    result = cli("db", "migrate")
    lock.release()
    assert (result.exit_code, result.stdout) == (3, "")
    assert f"another process uses the database {db}: " in result.stderr


def test_sweep_seals_removes_what_is_old_and_makes_the_file_smaller(cli: Cli, db: Path) -> None:
    logs = fill(db, [40 * DAY_S, 31 * DAY_S, 29 * DAY_S, 10])
    before = db.stat().st_size
    found = as_json(cli, "sweep", "--older-than", "30d")
    assert (found["removed"], found["sealed"], found["dry_run"]) == (2, 2, False)
    assert found["size_bytes"] == db.stat().st_size
    assert found["freed_bytes"] == before - db.stat().st_size
    assert db.stat().st_size < 0.7 * before
    assert not Path(f"{db}-wal").exists()
    del logs["t0"], logs["t1"]
    assert logs_in(db, ["t0", "t1", *logs]) == logs
    assert as_json(cli, "sweep")["sealed"] == 0


def test_sweep_alone_removes_nothing_unless_the_setting_says_so(
    cli: Cli, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(db, [100, 1_000])
    assert as_json(cli, "sweep")["removed"] == 0
    monkeypatch.setenv("AGENTLIN_KEEP_S", "500")
    assert as_json(cli, "sweep")["removed"] == 1
    assert as_json(cli, "sweep", "--older-than", "1m")["removed"] == 1


def test_sweep_forgets_expired_reservations(cli: Cli, db: Path) -> None:
    fill(db, [100])
    with closing(sqlite3.connect(db, isolation_level=None)) as open_db:
        open_db.execute("UPDATE idempotency SET expires_at = 1.0")
    assert as_json(cli, "sweep")["removed"] == 0
    with closing(sqlite3.connect(db)) as open_db:
        assert open_db.execute("SELECT count(*) FROM idempotency").fetchone() == (0,)


def test_a_dry_run_tells_what_would_be_done_and_does_nothing(cli: Cli, db: Path) -> None:
    fill(db, [1_000, 100, 10, 1_000])
    with closing(sqlite3.connect(db, isolation_level=None)) as open_db:  # nothing makes children
        open_db.execute("UPDATE task SET parent_pk = 1 WHERE id = 't2'")  # goes with its parent
        open_db.execute("UPDATE task SET parent_pk = 2 WHERE id = 't3'")  # stays with it
    before = db.read_bytes()
    found = as_json(cli, "sweep", "--older-than", "5m", "--dry-run")
    assert found == {"dry_run": True, "removed": 2, "sealed": 2}
    assert cli("db", "sweep", "--dry-run").stdout == "would remove 0 tasks and seal 4 tasks\n"
    assert db.read_bytes() == before
    done = as_json(cli, "sweep", "--older-than", "5m")
    assert (done["removed"], done["sealed"]) == (2, 2)


def test_sweep_says_in_words_what_it_did(cli: Cli, db: Path) -> None:
    fill(db, [10])
    result = cli("db", "sweep")
    assert result.stdout.startswith("removed 0 tasks and sealed 1 task; freed ")
    assert result.stderr == ""


@pytest.mark.parametrize("text", ["30", "month", "-1d", "", "1d 2x"])
def test_a_wrong_duration_says_how_one_is_written(text: str, cli: Cli, db: Path) -> None:
    fill(db, [])
    result = cli("db", "sweep", "--older-than", text)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "30d" in result.stderr


@pytest.mark.parametrize(
    ("text", "age_s", "removed"),
    [("90s", 91, 1), ("90s", 80, 0), ("1h30m", 5_460, 1), ("0.5d", 43_300, 1), ("1w", DAY_S, 0)],
)
def test_durations_have_units(text: str, age_s: float, removed: int, cli: Cli, db: Path) -> None:
    fill(db, [age_s])
    found = as_json(cli, "sweep", "--older-than", text, "--dry-run")
    assert found["removed"] == removed


def test_backup_refuses_to_overwrite_unless_forced(cli: Cli, db: Path, tmp_path: Path) -> None:
    logs = fill(db, [10])
    copy = tmp_path / "copy.db"
    copy.write_text("precious")
    refused = cli("db", "backup", str(copy))
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "--force" in refused.stderr
    assert copy.read_text() == "precious"
    found = as_json(cli, "backup", str(copy), "--force")
    assert found["db"] == str(copy)
    assert (found["key"], found["schema"]) == (None, HEAD)
    assert found["size_bytes"] == copy.stat().st_size
    assert logs_in(copy, list(logs)) == logs
    assert cli("db", "backup", str(db), "--force").exit_code == 2


def test_backup_names_the_folder_that_is_missing(cli: Cli, db: Path, tmp_path: Path) -> None:
    fill(db, [])
    result = cli("db", "backup", str(tmp_path / "none" / "copy.db"))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"error: there is no folder {tmp_path / 'none'}: make it first\n"


def test_migrate_brings_an_old_database_to_the_newest_schema(cli: Cli, db: Path) -> None:
    old_schema(db)
    before = db.read_bytes()
    result = cli("db", "migrate")
    assert (result.exit_code, result.stdout) == (0, f"schema 0001 -> {HEAD}\n")
    copy = Path(f"{db}.0001.bak")
    assert str(copy) in result.stderr
    assert len(copy.read_bytes()) == len(before)
    assert as_json(cli, "size", "--db", str(copy))["schema"] == "0001"
    assert as_json(cli, "size")["schema"] == HEAD
    assert cli("db", "migrate").stdout == f"nothing to do: the schema is {HEAD}, the newest\n"
    assert as_json(cli, "migrate") == {"from": HEAD, "to": HEAD, "backup": None}


def test_migrate_without_backup_copies_nothing(cli: Cli, db: Path) -> None:
    old_schema(db)
    assert as_json(cli, "migrate", "--no-backup") == {"from": "0001", "to": HEAD, "backup": None}
    assert [one.name for one in db.parent.glob("*.bak")] == []


def test_migrate_keeps_a_copy_that_is_there(cli: Cli, db: Path) -> None:
    old_schema(db)
    copy = Path(f"{db}.0001.bak")
    copy.write_text("precious")
    result = cli("db", "migrate")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "there already" in result.stderr
    assert copy.read_text() == "precious"
    assert as_json(cli, "size")["schema"] == "0001"


def test_migrate_leaves_a_newer_database_alone(cli: Cli, db: Path) -> None:
    fill(db, [])
    with closing(sqlite3.connect(db, isolation_level=None)) as open_db:
        open_db.execute("UPDATE alembic_version SET version_num = '9999'")
    result = cli("db", "migrate")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "newer agentlin" in result.stderr


@pytest.mark.parametrize(
    "args", [["size"], ["sweep"], ["sweep", "--dry-run"], ["backup", "x.db"], ["migrate"]]
)
def test_a_database_that_is_not_there_or_in_memory_is_an_error_and_none_is_made(
    args: list[str], cli: Cli, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(db.parent)
    before = sorted(db.parent.iterdir())
    result = cli("db", *args)
    assert (result.exit_code, result.stdout) == (3, "")
    assert f"there is no database {db}" in result.stderr
    assert sorted(db.parent.iterdir()) == before
    assert cli("db", *args, "--db", ":memory:").exit_code == 2


@pytest.mark.parametrize(
    "args", [["size"], ["sweep", "--dry-run"], ["backup", "x.db"], ["migrate"]]
)
@pytest.mark.parametrize("content", [b"", b"no database" * 500])
def test_a_file_that_is_no_database_of_agentlin_is_an_error_and_left_alone(
    content: bytes, args: list[str], cli: Cli, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(db.parent)
    db.write_bytes(content)
    result = cli("db", *args)
    assert (result.exit_code, result.stdout) == (3, "")
    assert str(db) in result.stderr
    assert db.read_bytes() == content


def test_what_a_killed_server_left_in_the_log_is_seen_and_copied(
    cli: Cli, db: Path, start: Start, tmp_path: Path
) -> None:
    """The log beside the database holds what was not yet copied into it."""
    process = start("serve", "--port", "0", "--model", "scripted/echo")
    assert process.stdout is not None
    assert "listens" in process.stdout.readline()
    ran = cli("run", "--json", "hello")
    assert ran.exit_code == 0
    process.kill()
    process.wait(10)
    assert Path(f"{db}-wal").stat().st_size > 0
    assert as_json(cli, "size")["tasks"] == {"completed": 1}
    as_json(cli, "backup", str(tmp_path / "copy.db"))
    found = as_json(cli, "size", "--db", str(tmp_path / "copy.db"))
    assert (found["tasks"], found["wal_bytes"]) == ({"completed": 1}, 0)
