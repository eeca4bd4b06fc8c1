"""Creating a task: once per request, in its place in the session."""

import sqlite3
from typing import Final

from agentlin_server.domain.errors import (
    IdempotencyConflictError,
    QueueFullError,
    SessionBusyError,
)
from agentlin_server.domain.ids import TaskId, TaskPk
from agentlin_server.domain.records import Created, IntentKind, NewTask, OnBusy, TaskClock, TaskRow
from agentlin_server.domain.status import Status
from agentlin_server.store.sqlite import intents, turns
from agentlin_server.store.sqlite.deletes import DELETED_ID_ROUTE
from agentlin_server.store.sqlite.rows import pack, task_by_pk
from agentlin_server.store.sqlite.statements import SQL

_RETRY_AFTER_S: Final = 5
_ACTOR: Final = "session"
"""Who cancels the tasks that a new one supersedes."""


def create(db: sqlite3.Connection, new: NewTask) -> Created:
    """Make the task, or find the one that an equal request made."""
    if (existing := _find_earlier(db, new)) is not None:
        return Created(task=existing, is_new=False, started=False)
    session = _session(db, new)
    is_free = session["busy_task_pk"] is None and not session["has_waiting"]
    if not is_free and new.on_busy is OnBusy.REJECT:
        raise SessionBusyError(f"session {new.session_id!r} has unfinished tasks")
    started = new.may_start and is_free
    if not started and turns.count_waiting(db) >= new.waiting_max:
        raise QueueFullError("too many tasks are waiting", retry_after_s=_RETRY_AFTER_S)
    superseded = [] if is_free else _supersede(db, new, session)
    task = _write_task(db, new, session, Status.WORKING if started else Status.QUEUED)
    if is_free and not started:
        turns.promote(db, session["pk"])
    return Created(task=task, is_new=True, started=started, superseded=superseded)


def _find_earlier(db: sqlite3.Connection, new: NewTask) -> TaskRow | None:
    same_id = db.execute(SQL["find_task"], {"tenant": new.tenant, "id": new.id}).fetchone()
    if same_id is not None:
        if same_id["body_hmac"] != new.body_hmac:
            raise IdempotencyConflictError(f"task_id {new.id!r} is taken by another request")
        return task_by_pk(db, same_id["pk"])
    at = {"tenant": new.tenant, "at": new.at}
    deleted = at | {"route": DELETED_ID_ROUTE, "key": new.id}
    if db.execute(SQL["find_reservation"], deleted).fetchone() is not None:
        raise IdempotencyConflictError(f"task_id {new.id!r} belonged to a task that was deleted")
    if not new.is_repeat:
        return None
    key = at | {"route": new.idempotency.route, "key": new.idempotency.key}
    found = db.execute(SQL["find_reservation"], key).fetchone()
    if found is None:
        return None
    if found["body_hmac"] != new.body_hmac:
        raise IdempotencyConflictError("the Idempotency-Key was used with another body")
    if found["task_pk"] is None:
        raise IdempotencyConflictError("the Idempotency-Key's task was deleted")
    return task_by_pk(db, found["task_pk"])


def _session(db: sqlite3.Connection, new: NewTask) -> sqlite3.Row:
    key = {"tenant": new.tenant, "id": new.session_id}
    db.execute(SQL["ensure_session"], key | {"user_id": new.user_id or new.fallback_user_id})
    row: sqlite3.Row = db.execute(SQL["find_session"], key).fetchone()
    return row


def _supersede(db: sqlite3.Connection, new: NewTask, session: sqlite3.Row) -> list[TaskPk]:
    """Record the cancels of the tasks that must give way to the new one."""
    if new.on_busy is OnBusy.ENQUEUE:
        return []
    name = "interruptible" if new.on_busy is OnBusy.INTERRUPT else "unanswered"
    where = {"session_pk": session["pk"], "busy_task_pk": session["busy_task_pk"]}
    pks = [TaskPk(row["pk"]) for row in db.execute(SQL[name], where)]
    for pk in pks:
        intents.want_end(db, pk, IntentKind.CANCEL, actor=_ACTOR, at=new.at)
    return pks


def _write_task(
    db: sqlite3.Connection, new: NewTask, session: sqlite3.Row, status: Status
) -> TaskRow:
    started = status is Status.WORKING
    lines = new.events_if_started if started else new.events_if_queued
    previous = _previous(db, session)
    pk = _insert_task(db, new, session, previous, status=status, next_seq=len(lines))
    occupied = pk if started else None
    db.execute(SQL["take_session_place"], {"pk": session["pk"], "busy_task_pk": occupied})
    spec = {"tenant": new.tenant, "hash": new.spec_hash, "body": new.spec}
    db.execute(SQL["insert_message"], spec)
    key = {"tenant": new.tenant, "route": new.idempotency.route, "key": new.idempotency.key}
    values = key | {"task_pk": pk, "body_hmac": new.body_hmac}
    db.execute(SQL["insert_reservation"], values | {"expires_at": new.idempotency.expires_at})
    codec, events, facts = pack(b"\n".join(lines), new.request)
    db.execute(
        SQL["append_state"],
        {"task_pk": pk, "rev": 1, "generation": int(started), "first_seq": 0}
        | {"last_seq": len(lines) - 1, "at": new.at, "codec": codec, "events": events}
        | {"facts": facts},
    )
    return TaskRow(
        pk=pk,
        tenant=new.tenant,
        id=new.id,
        user_id=new.user_id or session["user_id"],
        client_id=new.client_id,
        session_id=new.session_id,
        session_pos=session["next_pos"],
        parent_id=None,
        previous_task_id=previous,
        status=status,
        generation=int(started),
        attempts=int(started),
        spec_hash=new.spec_hash,
        metadata=new.metadata,
        created_at=new.at,
        finished_at=None,
        body_hmac=new.body_hmac,
        clock=TaskClock(deadline_at=new.deadline_at),
    )


def _previous(db: sqlite3.Connection, session: sqlite3.Row) -> TaskId | None:
    """Return the last task of the session that the new one's context contains."""
    if session["next_pos"] == 0:
        return None
    row = db.execute(SQL["last_of_session"], {"session_pk": session["pk"]}).fetchone()
    return None if row is None else TaskId(row["id"])


def _insert_task(
    db: sqlite3.Connection,
    new: NewTask,
    session: sqlite3.Row,
    previous: TaskId | None,
    *,
    status: Status,
    next_seq: int,
) -> TaskPk:
    is_started = status is Status.WORKING
    cursor = db.execute(
        SQL["insert_task"],
        {
            "tenant": new.tenant,
            "id": new.id,
            "user_id": new.user_id or session["user_id"],
            "client_id": new.client_id,
            "session_pk": session["pk"],
            "session_pos": session["next_pos"],
            "previous_task_id": previous,
            "status": status.value,
            "next_seq": next_seq,
            "generation": int(is_started),
            "lease_owner": new.owner if is_started else None,
            "attempts": int(is_started),
            "deadline_at": new.deadline_at,
            "spec_hash": new.spec_hash,
            "body_hmac": new.body_hmac,
            "idem_route": new.idempotency.route,
            "idem_key": new.idempotency.key,
            "metadata": None if new.metadata is None else new.metadata.decode(),
            "created_at": new.at,
        },
    )
    assert cursor.lastrowid is not None
    return TaskPk(cursor.lastrowid)
