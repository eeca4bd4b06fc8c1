"""Between database rows and the domain's records."""

import sqlite3
import zlib
from typing import Any, Final

import msgspec

from agentlin_server.domain.errors import DamagedLogError
from agentlin_server.domain.ids import SessionId, TaskId, TaskPk, Tenant, UserId
from agentlin_server.domain.records import Segment, TaskClock, TaskRow
from agentlin_server.domain.status import Status
from agentlin_server.store.sqlite.statements import SQL

PLAIN: Final = 0
ZLIB: Final = 1
_COMPRESS_FROM_BYTES: Final = 4_096
_TASK_BY_PK: Final = f"{SQL['task_columns']} WHERE t.pk = :pk"
_TASK_BY_ID: Final = f"{SQL['task_columns']} WHERE t.tenant = :tenant AND t.id = :id"
_decode: Final = msgspec.json.Decoder().decode


def pack(events: bytes, facts: bytes) -> tuple[int, bytes, bytes | None]:
    """Return codec and stored forms of a state row's events and facts.

    The dones of one part repeat its text up to four times; compression takes that out again.
    """
    if len(events) + len(facts) < _COMPRESS_FROM_BYTES:
        return PLAIN, events, facts or None
    return ZLIB, zlib.compress(events, 1), zlib.compress(facts, 1) if facts else None


def to_segment(row: sqlite3.Row) -> Segment:
    """Return the journal row as the domain has it.

    Raises:
        DamagedLogError: it can't be unpacked.
    """
    unpack = zlib.decompress if row["codec"] == ZLIB else bytes
    try:
        events = unpack(row["events"])
        facts = b"" if row["facts"] is None else unpack(row["facts"])
        private = [_decode(line) for line in facts.split(b"\n")] if facts else ()
    except (zlib.error, msgspec.DecodeError) as exc:
        raise DamagedLogError(f"row {row['rev']} of a task's log is damaged: {exc}") from exc
    return Segment(
        rev=row["rev"],
        generation=row["generation"],
        first_seq=row["first_seq"],
        last_seq=row["last_seq"],
        lines=events.split(b"\n") if events else (),
        facts=private,
    )


def to_task(row: sqlite3.Row) -> TaskRow:
    """Return the task row as the domain has it."""
    metadata: str | None = row["metadata"]
    previous: Any = row["previous_task_id"]
    return TaskRow(
        pk=TaskPk(row["pk"]),
        tenant=Tenant(row["tenant"]),
        id=TaskId(row["id"]),
        user_id=UserId(row["user_id"]),
        client_id=row["client_id"],
        session_id=SessionId(row["session_id"]),
        session_pos=row["session_pos"],
        parent_id=row["parent_id"],
        previous_task_id=previous,
        status=Status(row["status"]),
        generation=row["generation"],
        attempts=row["attempts"],
        spec_hash=row["spec_hash"],
        metadata=None if metadata is None else metadata.encode(),
        created_at=row["created_at"],
        finished_at=row["finished_at"],
        body_hmac=row["body_hmac"],
        cancel_requested=bool(row["cancel_requested"]),
        pause_requested=bool(row["pause_requested"]),
        clock=TaskClock(deadline_at=row["deadline_at"], time_left_s=row["time_left_s"]),
    )


def task_by_pk(db: sqlite3.Connection, pk: int) -> TaskRow | None:
    """Return the task's row."""
    row = db.execute(_TASK_BY_PK, {"pk": pk}).fetchone()
    return None if row is None else to_task(row)


def task_by_id(db: sqlite3.Connection, tenant: Tenant, task_id: str) -> TaskRow | None:
    """Return the task's row."""
    row = db.execute(_TASK_BY_ID, {"tenant": tenant, "id": task_id}).fetchone()
    return None if row is None else to_task(row)


def to_text(value: bytes | None) -> str | None:
    """Return JSON as the columns of type TEXT hold it."""
    return None if value is None else value.decode()
