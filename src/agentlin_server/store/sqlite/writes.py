"""The writes, each a function of the connection that the writer's thread runs in a transaction."""

import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import msgspec

from agentlin_server.domain.errors import IdempotencyConflictError, QueueFullError, StaleWriterError
from agentlin_server.domain.ids import TaskId, TaskPk, Tenant
from agentlin_server.domain.ports import (
    Claimed,
    ClaimRound,
    Commit,
    Created,
    Deleted,
    ItemRow,
    NewTask,
    RolloutRow,
    TaskRow,
)
from agentlin_server.domain.status import TERMINAL, Status
from agentlin_server.store.sqlite.rows import pack, to_task
from agentlin_server.store.sqlite.statements import load
from agentlin_server.store.sqlite.writer import OneRow

SQL: Final = load("queries.sql")
TASK_BY_PK: Final = f"{SQL['task_columns']} WHERE t.pk = :pk"
TASK_BY_ID: Final = f"{SQL['task_columns']} WHERE t.tenant = :tenant AND t.id = :id"

_RETRY_AFTER_S: Final = 5
_DELETED_ID_ROUTE: Final = "deleted_id"
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


def task_by_pk(db: sqlite3.Connection, pk: int) -> TaskRow | None:
    """Return the task's row."""
    row = db.execute(TASK_BY_PK, {"pk": pk}).fetchone()
    return None if row is None else to_task(row)


def task_by_id(db: sqlite3.Connection, tenant: Tenant, task_id: str) -> TaskRow | None:
    """Return the task's row."""
    row = db.execute(TASK_BY_ID, {"tenant": tenant, "id": task_id}).fetchone()
    return None if row is None else to_task(row)


def create(db: sqlite3.Connection, new: NewTask) -> Created:
    """Make the task, or find the one that an equal request made."""
    if (existing := _find_earlier(db, new)) is not None:
        return Created(task=existing, is_new=False, started=False)
    session = _session(db, new)
    is_free = session["busy_task_pk"] is None and not session["has_waiting"]
    started = new.may_start and is_free
    if not started and _waiting(db) >= new.waiting_max:
        raise QueueFullError("too many tasks are waiting", retry_after_s=_RETRY_AFTER_S)
    lines = new.events_if_started if started else new.events_if_queued
    status = Status.WORKING if started else Status.QUEUED
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
    task = TaskRow(
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
    )
    return Created(task=task, is_new=True, started=started)


def _find_earlier(db: sqlite3.Connection, new: NewTask) -> TaskRow | None:
    same_id = db.execute(SQL["find_task"], {"tenant": new.tenant, "id": new.id}).fetchone()
    if same_id is not None:
        if same_id["body_hmac"] != new.body_hmac:
            raise IdempotencyConflictError(f"task_id {new.id!r} is taken by another request")
        return task_by_pk(db, same_id["pk"])
    at = {"tenant": new.tenant, "at": new.at}
    deleted = at | {"route": _DELETED_ID_ROUTE, "key": new.id}
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


def deltas_row(commit: Commit) -> OneRow:
    """Return the row of a commit of deltas; it is refused if generation or rev are past."""
    values = (
        commit.task_pk,
        commit.after_rev + 1,
        commit.generation,
        commit.first_seq,
        commit.last_seq,
        commit.at,
        commit.events,
    )
    return OneRow(SQL["append_deltas"], values, partial(_stale, commit))


def append_state(db: sqlite3.Connection, commit: Commit) -> None:
    """Write a row of any events and facts, and the rows that change with it."""
    rev = commit.after_rev + 1
    codec, events, facts = pack(commit.events, commit.facts)
    row: dict[str, Any] = {
        "task_pk": commit.task_pk,
        "rev": rev,
        "generation": commit.generation,
        "first_seq": commit.first_seq,
        "last_seq": commit.last_seq,
        "at": commit.at,
        "codec": codec,
        "events": events,
        "facts": facts,
    }
    _require_row(db.execute(SQL["append_state"], row), commit)
    _insert_items(db, commit.task_pk, rev, commit.items)
    if commit.rollout is not None:
        _insert_rollout(db, commit.task_pk, commit.rollout)
    is_final = commit.status in TERMINAL
    values: dict[str, Any] = {
        "task_pk": commit.task_pk,
        "rev": rev,
        "next_seq": commit.last_seq + 1,
        "status": None if commit.status is None else commit.status.value,
        "usage": _text(commit.usage),
        "error": _text(commit.error),
        "finished_at": commit.at if is_final else None,
        "is_final": is_final,
    }
    db.execute(SQL["update_task"], values)
    if is_final or commit.status is Status.QUEUED:
        db.execute(SQL["free_session"], {"task_pk": commit.task_pk})


def _require_row(cursor: sqlite3.Cursor, commit: Commit) -> None:
    if cursor.rowcount != 1:
        raise _stale(commit)


def _stale(commit: Commit) -> StaleWriterError:
    return StaleWriterError(
        f"task row {commit.task_pk}: generation {commit.generation} or rev "
        f"{commit.after_rev} is past"
    )


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


def _insert_items(db: sqlite3.Connection, pk: int, rev: int, items: Sequence[ItemRow]) -> None:
    for item in items:
        db.execute(
            SQL["insert_item"],
            {
                "task_pk": pk,
                "ord": item.ord,
                "id": item.id,
                "step": item.step,
                "attempt": item.attempt,
                "supersedes": item.supersedes,
                "type": item.type,
                "call_id": item.call_id,
                "status": item.status,
                "provider_state": item.provider_state,
                "done_rev": rev,
            },
        )


def _insert_rollout(db: sqlite3.Connection, pk: int, one: RolloutRow) -> None:
    db.execute(
        SQL["insert_rollout"],
        {
            "task_pk": pk,
            "n": one.n,
            "parent_n": one.parent_n,
            "appended": msgspec.json.encode(one.appended).decode(),
            "output": msgspec.json.encode(one.output).decode(),
            "purpose": one.purpose,
            "step": one.step,
            "attempt": one.attempt,
            "model": one.model,
            "sampling": one.sampling.decode(),
            "tools": _text(one.tools),
            "logprobs": one.logprobs,
            "finish_reason": one.finish_reason,
            "usage": _text(one.usage),
            "latency_ms": one.latency_ms,
        },
    )


def claim(db: sqlite3.Connection, pk: int, owner: str, *, take_over: bool) -> Claimed | None:
    """Raise the task's generation and occupy its session."""
    task = task_by_pk(db, pk)
    if task is None or task.status in TERMINAL:
        return None
    if not take_over:
        if task.status is not Status.QUEUED:
            return None
        if db.execute(SQL["occupy_session"], {"pk": pk, "owner": owner}).rowcount != 1:
            return None
    db.execute(SQL["claim"], {"pk": pk, "owner": owner})
    end = db.execute(SQL["journal_end"], {"pk": pk}).fetchone()
    claimed = task_by_pk(db, pk)
    assert claimed is not None
    return Claimed(task=claimed, last_rev=end["rev"], next_seq=end["last_seq"] + 1)


def claim_next(db: sqlite3.Connection, owner: str, limit: int) -> ClaimRound:
    """Claim the oldest queued tasks whose turn it is in their sessions."""
    rows = db.execute(SQL["claimable"], {"owner": owner, "limit": limit}).fetchall()
    claims = (claim(db, row["pk"], owner, take_over=False) for row in rows)
    granted = [one for one in claims if one is not None]
    return ClaimRound(claims=granted, waiting=_waiting(db) - len(granted))


def _waiting(db: sqlite3.Connection) -> int:
    row = db.execute("SELECT count(*) AS n FROM task WHERE status = 'queued'").fetchone()
    return int(row["n"])


def request_cancel(db: sqlite3.Connection, pk: int, actor: str, at: float) -> None:
    """Record the intent."""
    db.execute(SQL["insert_intent"], {"pk": pk, "kind": "cancel", "actor": actor, "at": at})
    db.execute(SQL["request_cancel"], {"pk": pk})


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
    db.execute(SQL["free_session"], {"task_pk": task.pk})
    db.execute(SQL["reserve_deleted_key"], key | {"until": reserved_until})
    for table in _TASK_TABLES:
        db.execute(f"DELETE FROM {table} WHERE task_pk = :pk", key)  # noqa: S608 - our own names
    db.execute("DELETE FROM task WHERE pk = :pk", key)
    db.execute(SQL["delete_idle_session"], {"session_pk": row["session_pk"]})
    db.execute(SQL["delete_orphaned_spec"], {"tenant": task.tenant, "hash": task.spec_hash})
    values: dict[str, Any] = {"tenant": task.tenant, "route": _DELETED_ID_ROUTE, "key": task.id}
    values |= {"body_hmac": task.body_hmac, "task_pk": None, "expires_at": reserved_until}
    db.execute(SQL["insert_reservation"], values)
