"""The fair queue: which waiting tasks may be claimed, in which order, and who is told.

A waiting task has a *turn* while it may run: its session is free, no earlier task of the session
waits, and nobody wants it canceled. It gets its turn in the transaction that makes this true
(*promotion*), together with a line in the outbox. Turns go round between the users: a task's
turn is one after its user's last; a user who had none joins the turn that is on now, behind
those who have it already. So before it come one task of each other user at most.
"""

import sqlite3
from collections.abc import Sequence
from typing import Final

from agentlin_server.domain.ids import TaskPk
from agentlin_server.domain.records import Wake
from agentlin_server.store.sqlite.statements import SQL

_FIRST_PAUSE_S: Final = 1.0
_DOUBLINGS_MAX: Final = 6


def promote(db: sqlite3.Connection, session_pk: int) -> bool:
    """Give the first waiting task of a session its turn, if it may run and has none."""
    # The outbox numbers its lines for ever, so a line's number also tells who was first.
    woken = db.execute(SQL["wake_first"], {"session_pk": session_pk}).rowcount == 1
    if woken:
        db.execute(SQL["give_turn"])
    return woken


def take_turn(db: sqlite3.Connection, task_pk: int) -> None:
    """Take the task out of the fair queue; nobody need be told of it any more."""
    db.execute(SQL["take_turn"], {"pk": task_pk})
    db.execute(SQL["forget_wakes"], {"pk": task_pk})


def free_session(db: sqlite3.Connection, session_pk: int, task_pk: int) -> None:
    """Let go of the session that a task holds, if it does; the next one gets its turn."""
    db.execute(SQL["free_session"], {"session_pk": session_pk, "task_pk": task_pk})
    promote(db, session_pk)


def count_waiting(db: sqlite3.Connection) -> int:
    """Return how many tasks are queued, those that were claimed and have not begun included."""
    return int(db.execute(SQL["count_waiting"]).fetchone()["n"])


def stuck_sessions(db: sqlite3.Connection) -> Sequence[int]:
    """Return the sessions whose first waiting task could run, but has no turn."""
    return [row["session_pk"] for row in db.execute(SQL["stuck_sessions"])]


def repair(db: sqlite3.Connection) -> int:
    """Promote what is stuck; return how many tasks."""
    stuck = stuck_sessions(db)
    for session_pk in stuck:
        db.execute(SQL["empty_session"], {"session_pk": session_pk})
        promote(db, session_pk)
    return len(stuck)


def wakes(db: sqlite3.Connection, at: float, limit: int) -> Sequence[Wake]:
    """Return the wakes to deliver now, and put each off, longer every time, until it is settled."""
    due: list[Wake] = []
    for row in db.execute(SQL["due_wakes"], {"at": at, "limit": limit}).fetchall():
        attempts = row["attempts"] + 1
        pause_s = _FIRST_PAUSE_S * 2 ** min(row["attempts"], _DOUBLINGS_MAX)
        values = {"id": row["id"], "attempts": attempts, "due_at": at + pause_s}
        db.execute(SQL["count_wake"], values)
        due.append(Wake(id=row["id"], task_pk=TaskPk(row["task_pk"]), attempts=attempts))
    return due


def settle_wakes(db: sqlite3.Connection, delivered: Sequence[Wake]) -> None:
    """Forget wakes."""
    db.executemany(SQL["settle_wake"], [{"id": wake.id} for wake in delivered])
