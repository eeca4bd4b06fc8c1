"""Deleting: nothing is left but the reservation of id and key."""

import sqlite3
from pathlib import Path

import pytest

from agentlin_server.domain.errors import IdempotencyConflictError, StaleWriterError
from agentlin_server.domain.ports import Store
from agentlin_server.domain.records import IntentKind
from agentlin_server.domain.status import Status
from agentlin_server.store.sqlite import SqliteStore
from tests.requirements import requirement
from tests.store.rows import TENANT, done, item, key, new_task, rollout, started, unfinished

pytestmark = pytest.mark.anyio


def rows_by_table(path: Path) -> dict[str, int]:
    """Return how many rows each table has; empty ones are left out."""
    with sqlite3.connect(path) as db:
        names = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type='table'")]
        counts = {name: db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names}
    db.close()
    return {name: count for name, count in counts.items() if count}


@requirement("task.delete")
async def test_nothing_of_a_deleted_task_is_left_but_its_reservations(
    file_store: SqliteStore, tmp_path: Path
) -> None:
    before = rows_by_table(tmp_path / "tasks.db")
    writer = await started(file_store, "t", idempotency=key("k"), is_repeat=True)
    await writer.append_deltas(3)
    await writer.append(done(6), items=[item()], rollout=rollout(), facts=b'{"x":1}')
    await file_store.request(writer.pk, IntentKind.DELETE, actor="ann", at=1.0)
    await writer.end(Status.CANCELED)
    assert set(rows_by_table(tmp_path / "tasks.db")) - set(before) >= {
        "task", "journal", "item", "intent", "rollout", "message", "session", "idempotency",
    }  # fmt: skip
    deleted = await file_store.delete(writer.pk, reserved_until=2_000.0)
    assert deleted.pks == [writer.pk]
    assert await file_store.get(TENANT, "t") is None
    after = rows_by_table(tmp_path / "tasks.db")
    assert after.pop("idempotency") == 2
    for counts in (after, before):
        counts.pop("sqlite_sequence", None)  # row numbers are never given again
    assert after == before
    await file_store.purge(at=2_000.0)
    assert "idempotency" not in rows_by_table(tmp_path / "tasks.db")


@requirement("task.delete")
async def test_children_are_deleted_with_their_parent(
    file_store: SqliteStore, tmp_path: Path
) -> None:
    parent, child, grandchild, other = [
        (await started(file_store, name)).pk for name in ("parent", "child", "grandchild", "other")
    ]
    with sqlite3.connect(tmp_path / "tasks.db") as db:  # nothing makes children yet
        db.execute("UPDATE task SET parent_pk = ? WHERE pk = ?", (parent, child))
        db.execute("UPDATE task SET parent_pk = ? WHERE pk = ?", (child, grandchild))
    db.close()
    task = await file_store.get_by_pk(child)
    assert task is not None
    assert task.parent_id == "parent"
    deleted = await file_store.delete(parent, reserved_until=2_000.0)
    assert set(deleted.pks) == {parent, child, grandchild}
    assert await unfinished(file_store) == [other]
    with pytest.raises(IdempotencyConflictError):
        await file_store.create(new_task("grandchild"))


@requirement("task.delete.reserved")
async def test_the_id_stays_taken_for_the_same_body_too_until_it_expires(store: Store) -> None:
    writer = await started(store, "t")
    await store.delete(writer.pk, reserved_until=2_000.0)
    with pytest.raises(IdempotencyConflictError, match="deleted"):
        await store.create(new_task("t", at=1_999.9))
    await store.purge(at=1_999.9)
    with pytest.raises(IdempotencyConflictError, match="deleted"):
        await store.create(new_task("t", at=1_999.9))
    assert (await store.create(new_task("t", at=2_000.0))).is_new


@requirement("task.delete.reserved")
async def test_the_key_stays_taken_until_it_expires(store: Store) -> None:
    named = {"idempotency": key("k"), "is_repeat": True, "body_hmac": "b"}
    writer = await started(store, "t", **named)
    await store.delete(writer.pk, reserved_until=2_000.0)
    with pytest.raises(IdempotencyConflictError, match="deleted"):
        await store.create(new_task("t2", at=1_999.9, **named))
    assert (await store.create(new_task("t3", at=2_000.0, **named))).is_new


@requirement("create.counted-retry")
async def test_a_counted_retry_is_a_new_task_once_the_ten_minutes_are_over(store: Store) -> None:
    """A delete reserves keys for a day; a retry's record it must not make live any longer."""
    counted = {"idempotency": key("r", "retry", expires_at=1_600.0), "body_hmac": "b"}
    writer = await started(store, "t", **counted)
    await store.delete(writer.pk, reserved_until=90_000.0)
    again = await store.create(new_task("t2", at=1_600.0, is_repeat=True, **counted))
    assert again.is_new


async def test_a_key_that_a_newer_task_has_stays_that_tasks(store: Store) -> None:
    counted = {"idempotency": key("r", "retry", expires_at=1_600.0), "body_hmac": "b"}
    old = await started(store, "old", **counted)
    await started(store, "new", **counted)
    await store.delete(old.pk, reserved_until=2_000.0)
    found = await store.create(new_task(is_repeat=True, **counted))
    assert found.task.id == "new"


@requirement("journal.fenced")
async def test_the_writer_of_a_deleted_task_is_refused(store: Store) -> None:
    writer = await started(store)
    await store.delete(writer.pk, reserved_until=2_000.0)
    with pytest.raises(StaleWriterError):
        await writer.append_deltas()
    with pytest.raises(StaleWriterError):
        await writer.end()


async def test_a_row_number_is_never_given_again(store: Store) -> None:
    gone = await started(store)
    await store.delete(gone.pk, reserved_until=2_000.0)
    assert (await started(store)).pk > gone.pk


async def test_deleting_what_is_gone_changes_nothing(store: Store) -> None:
    writer = await started(store)
    await store.delete(writer.pk, reserved_until=2_000.0)
    await store.delete(writer.pk, reserved_until=3_000.0)
    assert (await store.create(new_task("other"))).is_new


async def test_purging_keeps_the_keys_of_tasks_that_are_kept(store: Store) -> None:
    named = {"idempotency": key("k"), "is_repeat": True, "body_hmac": "b"}
    await store.create(new_task("t", **named))
    await store.purge(at=1e15)
    assert not (await store.create(new_task("t2", **named))).is_new
