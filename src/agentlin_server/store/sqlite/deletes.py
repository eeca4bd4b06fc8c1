"""Deletes: a task with all that hangs on it; what is left is that its id and keys are taken."""

import sqlite3
from typing import Any, Final

from agentlin_server.domain.ids import TaskPk
from agentlin_server.domain.records import Deleted, TaskRow
from agentlin_server.store.sqlite.rows import task_by_pk
from agentlin_server.store.sqlite.statements import SQL
from agentlin_server.store.sqlite.turns import free_session

DELETED_ID_ROUTE: Final = "deleted_id"
"""Namespace of the idempotency records that hold the ids of deleted tasks."""

_TASK_TABLES: Final = (
    "journal",
    "item",
    "tool_call",
    "intent",
    "input_request",
    "secret",
    "outbox",
    "rollout",
)


def delete(db: sqlite3.Connection, pk: int, reserved_until: float) -> Deleted:
    """Remove the task and its children; their ids and keys stay taken for a while."""
    family = [TaskPk(row["pk"]) for row in db.execute(SQL["family"], {"pk": pk})]
    for member in reversed(family):
        task = task_by_pk(db, member)
        if task is not None:
            _delete_one(db, task, reserved_until)
    return Deleted(pks=family)


def _delete_one(db: sqlite3.Connection, task: TaskRow, reserved_until: float) -> None:
    key = {"pk": task.pk}
    row = db.execute("SELECT session_pk FROM task WHERE pk = :pk", key).fetchone()
    db.execute(SQL["reserve_deleted_key"], key | {"until": reserved_until})
    for table in _TASK_TABLES:
        db.execute(f"DELETE FROM {table} WHERE task_pk = :pk", key)  # noqa: S608 - our own names
    db.execute("DELETE FROM task WHERE pk = :pk", key)
    free_session(db, row["session_pk"], task.pk)
    db.execute(SQL["delete_idle_session"], {"session_pk": row["session_pk"]})
    db.execute(SQL["delete_orphaned_spec"], {"tenant": task.tenant, "hash": task.spec_hash})
    values: dict[str, Any] = {"tenant": task.tenant, "route": DELETED_ID_ROUTE, "key": task.id}
    values |= {"body_hmac": task.body_hmac, "task_pk": None, "expires_at": reserved_until}
    db.execute(SQL["insert_reservation"], values)
