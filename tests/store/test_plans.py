"""What the writer asks often must not cost more with every task that has ended."""

import re
import sqlite3
from pathlib import Path

import pytest

from agentlin_server.store.sqlite.statements import SQL
from tests.store.database import make_empty

ONCE_AT_START = {"free_unheld_sessions"}
OFTEN = sorted(set(SQL) - {"task_columns", "append_deltas"} - ONCE_AT_START)

INDEX_OF = {
    "claimable": "task_claimable",
    "claimed_suspect": "task_suspect",
    "count_waiting": "task_queued",
    "drop_leases_of_others": "task_unfinished",
    "due": "task_due",
    "due_wakes": "outbox_due",
    "forget_wakes": "outbox_by_task",
    "give_turn": "task_turn_of_user",
    "interruptible": "task_queued",
    "orphans": "task_unfinished",
    "pending": "intent_pending",
    "shift_deadlines": "task_due",
    "stuck_sessions": "task_queued",
    "wake_first": "task_queued",
}
IN_ORDER = ("claimable", "due", "due_wakes", "pending", "wake_first")


def plan_of(name: str, folder: Path) -> list[str]:
    """Return the steps of a statement of an empty database, which has no statistics."""
    sql = SQL[name]
    db = sqlite3.connect(make_empty(folder / "tasks.db"))
    values = dict.fromkeys(re.findall(r":(\w+)", sql), 1)
    plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    db.close()
    return plan


@pytest.mark.parametrize("name", OFTEN)
def test_no_statement_reads_a_whole_table(name: str, tmp_path: Path) -> None:
    plan = plan_of(name, tmp_path)
    scans = [step for step in plan if step.startswith("SCAN") and "INDEX" not in step]
    derived = {"SCAN CONSTANT ROW", "SCAN family", "SCAN (subquery-1)"}
    assert [step for step in scans if step not in derived] == []


@pytest.mark.parametrize(("name", "index"), sorted(INDEX_OF.items()))
def test_what_looks_for_tasks_has_an_index_of_just_these(
    name: str, index: str, tmp_path: Path
) -> None:
    assert any(f"INDEX {index}" in step for step in plan_of(name, tmp_path))


@pytest.mark.parametrize("name", IN_ORDER)
def test_what_takes_the_first_few_does_not_sort_all(name: str, tmp_path: Path) -> None:
    assert [step for step in plan_of(name, tmp_path) if "TEMP B-TREE" in step] == []
