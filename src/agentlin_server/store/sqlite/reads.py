"""The reads, each a function of a query-only connection; none holds a transaction open."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import Any, Final

import msgspec

from agentlin_server.domain.errors import InvalidRequestError, StorageError
from agentlin_server.domain.ids import TaskPk
from agentlin_server.domain.records import RolloutRow, Segment, TaskFilter, TaskRow
from agentlin_server.store.sqlite.rows import to_segment, to_task
from agentlin_server.store.sqlite.statements import SQL

_END_OF_LOG: Final = 2**62
_CALL_ADDED: Final = b'{"type":"task.output_item.added"'
_ITEM_DONE: Final = b'{"type":"task.output_item.done"'


def read(
    db: sqlite3.Connection, pk: TaskPk, *, after_seq: int, after_rev: int, bytes_max: int
) -> Sequence[Segment]:
    """Return the segments after a number, until `bytes_max` of events are reached."""
    segments: list[Segment] = []
    size = 0
    values = {"pk": pk, "after_seq": after_seq, "after_rev": after_rev}
    with closing(db.execute(SQL["read"], values)) as cursor:
        for row in cursor:
            segment = to_segment(row)
            segments.append(segment)
            # Plain, not as stored: a sealed row unpacks to many times that.
            size += sum(map(len, segment.lines)) + len(segment.lines)
            if size >= bytes_max:
                break
    return segments


def read_fold(
    db: sqlite3.Connection, pk: TaskPk, *, up_to_seq: int | None = None
) -> Sequence[Segment]:
    """Return all state rows, and the delta rows since the oldest item that is still open."""
    limit = _END_OF_LOG if up_to_seq is None else up_to_seq
    rows = db.execute(SQL["read_states"], {"pk": pk, "up_to_seq": limit}).fetchall()
    segments = [to_segment(row) for row in rows]
    open_since = _oldest_open_item(segments)
    if open_since is None:
        return segments
    values = {"pk": pk, "after_seq": open_since, "up_to_seq": limit}
    deltas = [to_segment(row) for row in db.execute(SQL["read_deltas"], values)]
    return sorted([*segments, *deltas], key=lambda segment: segment.rev)


def _oldest_open_item(segments: Sequence[Segment]) -> int | None:
    opened: dict[str, int] = {}
    for segment in segments:
        for seq, line in enumerate(segment.lines, segment.first_seq):
            if line.startswith(_CALL_ADDED):
                opened[_item_id(line)] = seq
            elif line.startswith(_ITEM_DONE):
                opened.pop(_item_id(line), None)
    return min(opened.values(), default=None)


class _Item(msgspec.Struct):
    id: str


class _ItemEvent(msgspec.Struct):
    item: _Item


_decode_item: Final = msgspec.json.Decoder(_ItemEvent).decode


def _item_id(line: bytes) -> str:
    return _decode_item(line).item.id


def list_tasks(db: sqlite3.Connection, wanted: TaskFilter) -> Sequence[TaskRow]:
    """Return one page, newest first; rows are numbered in the order of insertion."""
    conditions = ["t.tenant = :tenant"]
    values: dict[str, Any] = {"tenant": wanted.tenant, "limit": wanted.limit}
    for column, value in (
        ("s.id", wanted.session_id),
        ("t.user_id", wanted.user_id),
        ("p.id", wanted.parent_task_id),
    ):
        if value is not None:
            name = f"v{len(values)}"
            conditions.append(f"{column} = :{name}")
            values[name] = value
    if wanted.statuses:
        names = {f"status{i}": status.value for i, status in enumerate(wanted.statuses)}
        conditions.append(f"t.status IN ({', '.join(f':{name}' for name in names)})")
        values |= names
    if wanted.starting_after is not None:
        conditions.append("t.pk < :starting_after")
        values["starting_after"] = _cursor(db, wanted, "starting_after", wanted.starting_after)
    if wanted.ending_before is not None:
        conditions.append("t.pk > :ending_before")
        values["ending_before"] = _cursor(db, wanted, "ending_before", wanted.ending_before)
    # A page before a cursor is the one next to it: read upwards from the cursor, then turned.
    is_upwards = wanted.ending_before is not None and wanted.starting_after is None
    order = "ASC" if is_upwards else "DESC"
    where = " AND ".join(conditions)
    sql = f"{SQL['task_columns']} WHERE {where} ORDER BY t.pk {order} LIMIT :limit"
    tasks = [to_task(row) for row in db.execute(sql, values)]
    return tasks[::-1] if is_upwards else tasks


def _cursor(db: sqlite3.Connection, wanted: TaskFilter, name: str, task_id: str) -> int:
    sql = "SELECT pk FROM task WHERE tenant = :tenant AND id = :id"
    row = db.execute(sql, {"tenant": wanted.tenant, "id": task_id}).fetchone()
    if row is None:
        raise InvalidRequestError.at(name, msg="is not the id of a task", kind="unknown_cursor")
    return int(row["pk"])


def session_tasks(
    db: sqlite3.Connection, tenant: str, session_id: str, before: int
) -> Sequence[TaskRow]:
    """Return the session's final tasks before a place, oldest first."""
    sql = (
        f"{SQL['task_columns']} WHERE s.tenant = :tenant AND s.id = :id AND t.session_pos < :before"
        " AND t.status IN ('completed', 'canceled', 'expired', 'failed') ORDER BY t.session_pos"
    )
    values = {"tenant": tenant, "id": session_id, "before": before}
    return [to_task(row) for row in db.execute(sql, values)]


def waiting_for_input(db: sqlite3.Connection, tenant: str, session_id: str) -> TaskRow | None:
    """Return the session's task that waits for an answer: it holds the session."""
    sql = (
        f"{SQL['task_columns']} WHERE s.tenant = :tenant AND s.id = :id"
        " AND t.pk = s.busy_task_pk AND t.status = 'input-required'"
    )
    row = db.execute(sql, {"tenant": tenant, "id": session_id}).fetchone()
    return None if row is None else to_task(row)


def due(db: sqlite3.Connection, at: float, limit: int) -> Sequence[TaskPk]:
    """Return the tasks whose deadline is past; one that is final has none."""
    rows = db.execute(SQL["due"], {"at": at, "limit": limit})
    return [TaskPk(row["pk"]) for row in rows]


def spec(db: sqlite3.Connection, tenant: str, spec_hash: str) -> bytes:
    """Return the JSON of a frozen agent."""
    sql = "SELECT body FROM message WHERE tenant = :tenant AND hash = :hash"
    row = db.execute(sql, {"tenant": tenant, "hash": spec_hash}).fetchone()
    if row is None:
        raise StorageError(f"the agent {spec_hash} of a task is missing from the database")
    body: bytes = row["body"]
    return body


def rollouts(db: sqlite3.Connection, pk: TaskPk) -> Sequence[RolloutRow]:
    """Return the task's model calls, in order."""
    return [
        RolloutRow(
            n=row["n"],
            parent_n=row["parent_n"],
            appended=msgspec.json.decode(row["appended"]),
            output=msgspec.json.decode(row["output"]),
            purpose=row["purpose"],
            step=row["step"],
            attempt=row["attempt"],
            model=row["model"],
            sampling=row["sampling"].encode(),
            tools=None if row["tools"] is None else row["tools"].encode(),
            finish_reason=row["finish_reason"],
            usage=None if row["usage"] is None else row["usage"].encode(),
            latency_ms=row["latency_ms"],
            logprobs=row["logprobs"],
        )
        for row in db.execute(SQL["read_rollouts"], {"pk": pk})
    ]
