"""What is wanted of a task: recorded first, applied by whoever appends what it leads to."""

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from agentlin_server.domain.ids import TaskPk
from agentlin_server.domain.records import IntentKind, TaskRow
from agentlin_server.domain.status import TERMINAL, Status
from agentlin_server.store.sqlite import turns
from agentlin_server.store.sqlite.rows import task_by_pk
from agentlin_server.store.sqlite.statements import SQL

_PAUSABLE: Final = frozenset({Status.CREATED, Status.QUEUED, Status.WORKING})


def request(
    db: sqlite3.Connection, pk: TaskPk, kind: IntentKind, actor: str, at: float
) -> TaskRow | None:
    """Record the intent if it is of effect now, and return the row after it."""
    task = task_by_pk(db, pk)
    if task is None or task.status in TERMINAL:
        return task
    match kind:
        case IntentKind.CANCEL | IntentKind.DELETE:
            want_end(db, pk, kind, actor=actor, at=at)
        case IntentKind.PAUSE:
            if task.status in _PAUSABLE and not task.pause_requested:
                _record(db, pk, kind, actor=actor, at=at)
                db.execute(SQL["want_pause"], {"pk": pk, "is_wanted": True})
        case IntentKind.RESUME:
            _resume(db, task, actor=actor, at=at)
    return task_by_pk(db, pk)


def want_end(
    db: sqlite3.Connection, pk: TaskPk, kind: IntentKind, *, actor: str, at: float
) -> None:
    """Record a cancel or delete of an unfinished task; it can't be claimed to run any more."""
    _record(db, pk, kind, actor=actor, at=at)
    db.execute(SQL["want_end"], {"pk": pk})
    turns.take_turn(db, pk)


def settle(db: sqlite3.Connection, pk: TaskPk, kind: IntentKind) -> None:
    """Note that the open intents of a kind are done, with the task's last state row."""
    db.execute(SQL["settle_intents"], {"pk": pk, "kind": kind.value})


def settle_at_end(db: sqlite3.Connection, pk: TaskPk) -> None:
    """Note that nothing more can come of the open intents; but a delete is done by a delete."""
    db.execute(SQL["settle_all_but_deletes"], {"pk": pk})


def pending(db: sqlite3.Connection) -> Sequence[tuple[TaskPk, IntentKind]]:
    """Return the cancels, deletes and resumes that are not done, oldest first."""
    rows = db.execute(SQL["pending"])
    return [(TaskPk(row["task_pk"]), IntentKind(row["kind"])) for row in rows]


def last_wish(db: sqlite3.Connection, pk: TaskPk) -> IntentKind | None:
    """Return the newest pause or resume that was of effect."""
    row = db.execute(SQL["last_wish"], {"pk": pk}).fetchone()
    return None if row is None else IntentKind(row["kind"])


def _resume(db: sqlite3.Connection, task: TaskRow, *, actor: str, at: float) -> None:
    if task.status is Status.PAUSED:
        _record(db, task.pk, IntentKind.RESUME, actor=actor, at=at)
    elif task.pause_requested:
        _record(db, task.pk, IntentKind.RESUME, actor=actor, at=at)
        db.execute(SQL["want_pause"], {"pk": task.pk, "is_wanted": False})
        settle(db, task.pk, IntentKind.PAUSE)
        settle(db, task.pk, IntentKind.RESUME)


def _record(db: sqlite3.Connection, pk: TaskPk, kind: IntentKind, *, actor: str, at: float) -> None:
    """Add the intent, unless one like it is open."""
    values: dict[str, Any] = {"pk": pk, "kind": kind.value, "actor": actor, "at": at}
    db.execute(SQL["insert_intent"], values)
