"""What the writer asks often must not cost more with every task that has ended."""

import re
import sqlite3
from pathlib import Path

import pytest

from agentlin_server.store.sqlite.writes import SQL
from tests.store.database import make_empty

OFTEN = sorted(set(SQL) - {"task_columns", "append_deltas"})


@pytest.mark.parametrize("name", [*OFTEN, "waiting"])
def test_no_statement_reads_a_whole_table(name: str, tmp_path: Path) -> None:
    sql = SQL.get(name, "SELECT count(*) AS n FROM task WHERE status = 'queued'")
    db = sqlite3.connect(make_empty(tmp_path / "tasks.db"))
    values = dict.fromkeys(re.findall(r":(\w+)", sql), 1)
    plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    db.close()
    scans = [step for step in plan if step.startswith("SCAN") and "INDEX" not in step]
    assert [step for step in scans if step not in {"SCAN CONSTANT ROW", "SCAN family"}] == []
