"""One server per database, and how others find it."""

import subprocess
import sys
from pathlib import Path

import pytest

from agentlin_server.store.lock import DatabaseInUseError, DatabaseLock

HOLDER = """
import sys
from pathlib import Path
from agentlin_server.store.lock import DatabaseLock
lock = DatabaseLock(Path(sys.argv[1]))
lock.acquire()
lock.publish("http://127.0.0.1:4711")
print("ready", flush=True)
sys.stdin.read()
"""


def test_a_second_server_is_refused_and_told_where_the_first_one_is(tmp_path: Path) -> None:
    database = tmp_path / "folder" / "tasks.db"
    first, second = DatabaseLock(database), DatabaseLock(database)
    first.acquire()
    with pytest.raises(DatabaseInUseError, match="another server uses"):
        second.acquire()
    first.publish("http://127.0.0.1:9999")
    with pytest.raises(DatabaseInUseError, match=r"at http://127\.0\.0\.1:9999"):
        second.acquire()
    assert second.server_address() == "http://127.0.0.1:9999"
    first.release()
    assert second.server_address() is None
    second.acquire()
    second.release()


def test_without_a_server_there_is_no_address(tmp_path: Path) -> None:
    assert DatabaseLock(tmp_path / "tasks.db").server_address() is None


def test_releasing_what_is_not_held_disturbs_nobody(tmp_path: Path) -> None:
    first, second = DatabaseLock(tmp_path / "tasks.db"), DatabaseLock(tmp_path / "tasks.db")
    first.acquire()
    first.publish("http://127.0.0.1:9999")
    second.release()
    assert second.server_address() == "http://127.0.0.1:9999"
    first.release()


def test_a_server_that_was_killed_is_not_taken_for_one_that_runs(tmp_path: Path) -> None:
    database = tmp_path / "tasks.db"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(database)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"ready\n"
        assert DatabaseLock(database).server_address() == "http://127.0.0.1:4711"
        holder.kill()
        holder.wait(10)
    lock = DatabaseLock(database)
    assert lock.server_address() is None
    lock.acquire()
    lock.release()


def test_a_damaged_address_file_is_no_address(tmp_path: Path) -> None:
    database = tmp_path / "tasks.db"
    lock = DatabaseLock(database)
    lock.acquire()
    Path(f"{database}.server").write_text("{")
    assert DatabaseLock(database).server_address() is None
    lock.release()
