"""What the power cut takes: nothing that was synced, and at most the rest."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agentlin_server.store.sqlite.connection import open_writer
from tests.faults.power import Cut, Survivors, cut, read_wal, wal_of


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "x.db"


@pytest.fixture
def writer(db: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_writer(db)) as connection:
        connection.execute("CREATE TABLE t (x)")
        yield connection


def _insert(writer: sqlite3.Connection, numbers: range) -> None:
    for number in numbers:
        writer.execute("INSERT INTO t VALUES (?)", (number,))


def _die(db: Path) -> None:
    """Take the files away from under the connection: its end must not tidy up what is there."""
    for path in (db, wal_of(db)):
        data = path.read_bytes()
        path.unlink()
        path.write_bytes(data)


def _numbers(db: Path) -> list[int]:
    with closing(sqlite3.connect(db)) as reader:
        assert reader.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return [x for (x,) in reader.execute("SELECT x FROM t")]


def test_the_end_of_a_log_is_the_end_of_its_last_frame(
    db: Path, writer: sqlite3.Connection
) -> None:
    before = read_wal(wal_of(db))
    assert before.end == wal_of(db).stat().st_size
    writer.execute("PRAGMA wal_checkpoint(PASSIVE)")
    _insert(writer, range(1))
    begun_anew = read_wal(wal_of(db))
    assert begun_anew.salts != before.salts
    assert begun_anew.end < wal_of(db).stat().st_size, "older frames follow"


def test_a_log_that_is_not_there_ends_at_0(tmp_path: Path) -> None:
    assert read_wal(tmp_path / "none").end == 0


@pytest.mark.parametrize("before", ["nothing", "a checkpoint"])
@pytest.mark.parametrize("how", list(Cut))
@pytest.mark.parametrize("seed", range(5))
def test_a_cut_takes_nothing_that_was_synced(
    db: Path, writer: sqlite3.Connection, tmp_path: Path, how: Cut, seed: int, before: str
) -> None:
    survivors = Survivors(db, tmp_path / "survivors")
    _insert(writer, range(3))
    if before == "a checkpoint":  # then the log begins anew
        writer.execute("PRAGMA wal_checkpoint(PASSIVE)")
    survivors.note()
    _insert(writer, range(3, 9))
    _die(db)
    lost = cut(db, tmp_path / "survivors", how, random.Random(seed))
    assert lost > 0
    left = _numbers(db)
    assert left == list(range(len(left))), "what is left has no holes"
    # A hole may be where there were zeros anyway.
    assert 3 <= len(left) <= (9 if how is Cut.HOLES else 8)


def test_a_commit_that_wrote_nothing_has_synced_nothing(
    db: Path, writer: sqlite3.Connection, tmp_path: Path
) -> None:
    survivors = Survivors(db, tmp_path / "survivors")
    survivors.note()
    survivors.committed(is_synced=True)
    assert [p.name for p in (tmp_path / "survivors").iterdir()] == ["1"]
    _insert(writer, range(1))
    survivors.committed(is_synced=False)
    assert [p.name for p in (tmp_path / "survivors").iterdir()] == ["1"]
    survivors.committed(is_synced=True)
    assert [p.name for p in (tmp_path / "survivors").iterdir()] == ["2"]
