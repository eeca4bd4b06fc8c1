"""Claims: who may write to a task, and what becomes of the claims of the dead."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from agentlin_server.domain.errors import DamagedLogError
from agentlin_server.domain.ids import TaskPk
from agentlin_server.domain.records import Claimed, ClaimRound
from agentlin_server.domain.status import TERMINAL
from agentlin_server.store.sqlite import turns
from agentlin_server.store.sqlite.rows import task_by_pk
from agentlin_server.store.sqlite.statements import SQL

_SUSPECT_FROM: Final = 2
"""So many claims without progress make a task a suspect: it may kill its process again.

`claimed_suspect` counts the claim that it has then: it asks for more than this.
"""


def claim(db: sqlite3.Connection, pk: int, owner: str, *, take_over: bool) -> Claimed | None:
    """Raise the task's generation and, unless it is taken over, occupy its session.

    A task that waits keeps its place in the queue when it is taken over: whoever took it may
    leave it as it is.
    """
    task = task_by_pk(db, pk)
    if task is None or task.status in TERMINAL:
        return None
    end = db.execute(SQL["journal_end"], {"pk": pk}).fetchone()
    if end is None:
        if take_over:
            raise DamagedLogError(f"task {task.id!r} has no log")
        turns.take_turn(db, pk)  # or it would stand in the way of all others
        return None
    if take_over:
        db.execute(SQL["take_over"], {"pk": pk, "owner": owner})
    elif db.execute(SQL["occupy_session"], {"pk": pk}).rowcount == 1:
        db.execute(SQL["claim"], {"pk": pk, "owner": owner})
        db.execute(SQL["forget_wakes"], {"pk": pk})
    else:
        return None
    claimed = task_by_pk(db, pk)
    assert claimed is not None
    return Claimed(task=claimed, last_rev=end["rev"], next_seq=end["last_seq"] + 1)


def claim_next(db: sqlite3.Connection, owner: str, limit: int) -> ClaimRound:
    """Claim the tasks whose turn comes first."""
    claims = (claim(db, pk, owner, take_over=False) for pk in _next(db, owner, limit))
    granted = [one for one in claims if one is not None]
    return ClaimRound(
        claims=granted,
        waiting=turns.count_waiting(db) - len(granted),
        has_more=db.execute(SQL["claimable"]).fetchone() is not None,
    )


def _next(db: sqlite3.Connection, owner: str, limit: int) -> Sequence[TaskPk]:
    suspect_is_running = db.execute(SQL["claimed_suspect"], {"owner": owner}).fetchone() is not None
    chosen: list[TaskPk] = []
    rows = db.execute(SQL["claimable"])
    while len(chosen) < limit and (row := rows.fetchone()) is not None:
        is_suspect = row["attempts"] >= _SUSPECT_FROM
        if is_suspect and suspect_is_running:
            continue
        suspect_is_running = suspect_is_running or is_suspect
        chosen.append(TaskPk(row["pk"]))
    rows.close()  # nothing is read on while the claims change what it reads
    return chosen


def adopt(db: sqlite3.Connection, owner: str) -> Sequence[TaskPk]:
    """Undo the claims of others that had not begun, and return the tasks that they worked on."""
    db.execute(SQL["drop_leases_of_others"], {"owner": owner})
    db.execute(SQL["free_unheld_sessions"])
    turns.repair(db)
    return [TaskPk(row["pk"]) for row in db.execute(SQL["orphans"], {"owner": owner})]
