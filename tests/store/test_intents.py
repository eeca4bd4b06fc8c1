"""What is wanted of a task: recorded if it is of effect, open until it is done."""

import pytest

from agentlin_server.domain.errors import PauseWithdrawnError, StaleWriterError
from agentlin_server.domain.ids import TaskPk
from agentlin_server.domain.ports import Store
from agentlin_server.domain.records import IntentKind, TaskRow
from agentlin_server.domain.status import TERMINAL, Status
from agentlin_server.store.sqlite import SqliteStore
from tests.requirements import requirement
from tests.store.rows import (
    begun,
    claim_ids,
    event,
    log_of,
    queued,
    row_of,
    started,
    taken_over,
)

pytestmark = pytest.mark.anyio
CANCEL, PAUSE, RESUME, DELETE = (
    IntentKind.CANCEL,
    IntentKind.PAUSE,
    IntentKind.RESUME,
    IntentKind.DELETE,
)


async def request(store: Store, pk: TaskPk, kind: IntentKind) -> TaskRow:
    """Ask for it; return the row after it."""
    row = await store.request(pk, kind, actor="ann", at=5.0)
    assert row is not None
    assert row == await row_of(store, pk)
    return row


async def recorded(store: SqliteStore) -> list[tuple[str, int | None]]:
    """Return kind and applied rev of all intents, in order."""
    sql = "SELECT kind, applied_rev FROM intent ORDER BY task_pk, n"
    rows = await store._read(lambda db: db.execute(sql).fetchall())
    return [(row["kind"], row["applied_rev"]) for row in rows]


@pytest.mark.parametrize("kind", list(IntentKind))
async def test_nothing_can_be_wanted_of_a_task_that_is_gone(store: Store, kind: IntentKind) -> None:
    assert await store.request(TaskPk(404), kind, actor="ann", at=5.0) is None


@pytest.mark.parametrize("status", sorted(TERMINAL))
@pytest.mark.parametrize("kind", list(IntentKind))
async def test_of_a_final_task_nothing_is_recorded(
    store: SqliteStore, status: Status, kind: IntentKind
) -> None:
    writer = await started(store)
    await writer.end(status)
    before = await row_of(store, writer.pk)
    assert await request(store, writer.pk, kind) == before
    assert await recorded(store) == []


@pytest.mark.parametrize("kind", [CANCEL, DELETE])
async def test_a_cancel_or_delete_is_recorded_once_and_pending_until_it_is_done(
    store: SqliteStore, kind: IntentKind
) -> None:
    writer = await started(store)
    assert not (await row_of(store, writer.pk)).cancel_requested
    for _ in range(2):
        assert (await request(store, writer.pk, kind)).cancel_requested
    assert await recorded(store) == [(kind, None)]
    assert await store.pending() == [(writer.pk, kind)]
    await writer.end(Status.CANCELED)
    is_done = kind is CANCEL  # a delete is done when nothing is left
    assert await store.pending() == ([] if is_done else [(writer.pk, kind)])
    assert await recorded(store) == [(kind, 2 if is_done else None)]
    await store.delete(writer.pk, reserved_until=9.0)
    assert await store.pending() == []


async def test_a_delete_after_a_cancel_is_recorded_too(store: SqliteStore) -> None:
    writer = await started(store)
    await request(store, writer.pk, CANCEL)
    await request(store, writer.pk, DELETE)
    assert await store.pending() == [(writer.pk, CANCEL), (writer.pk, DELETE)]


async def test_what_is_pending_comes_oldest_first(store: Store) -> None:
    late, early, paused = await started(store), await started(store), await started(store)
    await request(store, paused.pk, PAUSE)
    assert await store.pending() == [], "a run that goes on finds a pause by itself"
    await paused.change(Status.PAUSED)
    await request(store, paused.pk, RESUME)
    await store.request(late.pk, CANCEL, actor="ann", at=9.0)
    await store.request(early.pk, DELETE, actor="ann", at=3.0)
    assert await store.pending() == [(early.pk, DELETE), (paused.pk, RESUME), (late.pk, CANCEL)]


@pytest.mark.parametrize("status", sorted(TERMINAL))
async def test_nothing_but_a_delete_is_pending_of_a_task_that_has_ended(
    store: SqliteStore, status: Status
) -> None:
    running, paused = await started(store), await started(store)
    await request(store, running.pk, PAUSE)
    await request(store, paused.pk, PAUSE)
    await paused.change(Status.PAUSED)
    await request(store, paused.pk, RESUME)
    await running.end(status)
    await (await taken_over(store, paused.pk)).end(status)
    assert await store.pending() == []
    assert await recorded(store) == [("pause", 2), ("pause", 2), ("resume", 3)]


@requirement("task.pause.intent")
async def test_a_pause_is_wanted_until_it_takes_effect(store: SqliteStore) -> None:
    writer = await started(store)
    for _ in range(2):
        row = await request(store, writer.pk, PAUSE)
        assert (row.pause_requested, row.status) == (True, Status.WORKING)
    assert await recorded(store) == [("pause", None)]
    await writer.change(Status.PAUSED)
    row = await row_of(store, writer.pk)
    assert (row.pause_requested, row.status) == (False, Status.PAUSED)
    assert await recorded(store) == [("pause", 2)]
    assert await request(store, writer.pk, PAUSE) == row, "it is paused already"
    assert await recorded(store) == [("pause", 2)]
    assert await store.last_wish(writer.pk) is PAUSE


async def test_a_waiting_task_whose_pause_is_wanted_can_be_claimed(store: Store) -> None:
    pk = await queued(store, "t")
    await request(store, pk, PAUSE)
    assert (await begun(store)).pk == pk
    assert (await row_of(store, pk)).pause_requested


@requirement("task.pause.refused")
async def test_a_task_that_waits_for_an_answer_is_not_paused(store: SqliteStore) -> None:
    writer = await started(store)
    await writer.change(Status.INPUT_REQUIRED)
    assert not (await request(store, writer.pk, PAUSE)).pause_requested
    assert await recorded(store) == []


async def test_a_pause_that_was_wanted_before_outlives_the_wait_for_an_answer(
    store: Store,
) -> None:
    writer = await started(store)
    await request(store, writer.pk, PAUSE)
    await writer.change(Status.INPUT_REQUIRED)
    assert (await row_of(store, writer.pk)).pause_requested
    await (await taken_over(store, writer.pk)).change(Status.QUEUED)
    assert (await row_of(store, writer.pk)).pause_requested
    writer = await begun(store)
    await writer.change(Status.PAUSED)
    assert not (await row_of(store, writer.pk)).pause_requested


@pytest.mark.parametrize("status", sorted(TERMINAL))
async def test_a_final_task_is_not_to_be_paused_any_more(store: Store, status: Status) -> None:
    writer = await started(store)
    await request(store, writer.pk, PAUSE)
    await writer.end(status)
    assert not (await row_of(store, writer.pk)).pause_requested


@requirement("task.pause.withdrawn")
async def test_a_resume_withdraws_a_pause_that_is_yet_to_come(store: SqliteStore) -> None:
    writer = await started(store)
    await request(store, writer.pk, PAUSE)
    assert not (await request(store, writer.pk, RESUME)).pause_requested
    assert await store.last_wish(writer.pk) is RESUME
    assert await recorded(store) == [("pause", 1), ("resume", 1)]
    before = await log_of(store, writer.pk)
    commit = writer.commit(event("task.paused", writer.seq), status=Status.PAUSED)
    with pytest.raises(PauseWithdrawnError):
        await store.append(commit, on_commit=lambda: pytest.fail("it was refused"))
    assert await log_of(store, writer.pk) == before
    assert (await row_of(store, writer.pk)).status is Status.WORKING
    await writer.end()


async def test_a_pause_nobody_ever_wanted_is_refused(store: Store) -> None:
    writer = await started(store)
    with pytest.raises(PauseWithdrawnError):
        await writer.change(Status.PAUSED)


async def test_a_stale_pause_is_stale_rather_than_withdrawn(store: Store) -> None:
    writer = await started(store)
    await taken_over(store, writer.pk)
    with pytest.raises(StaleWriterError):
        await writer.change(Status.PAUSED)


async def test_a_resume_that_nobody_needs_is_not_recorded(store: SqliteStore) -> None:
    writer = await started(store)
    await request(store, writer.pk, RESUME)
    assert await recorded(store) == []
    assert await store.last_wish(writer.pk) is None


@requirement("task.pause.withdrawn")
async def test_the_pause_of_a_task_that_waits_for_an_answer_can_be_withdrawn(
    store: Store,
) -> None:
    writer = await started(store)
    await request(store, writer.pk, PAUSE)
    await writer.change(Status.INPUT_REQUIRED)
    assert not (await request(store, writer.pk, RESUME)).pause_requested


async def test_a_resume_of_a_paused_task_is_done_when_it_is_queued(store: SqliteStore) -> None:
    writer = await started(store, "t")
    await request(store, writer.pk, PAUSE)
    await writer.change(Status.PAUSED)
    for _ in range(2):
        assert (await request(store, writer.pk, RESUME)).status is Status.PAUSED
    assert await recorded(store) == [("pause", 2), ("resume", None)]
    await (await taken_over(store, writer.pk)).change(Status.QUEUED)
    assert await recorded(store) == [("pause", 2), ("resume", 3)]
    assert await claim_ids(store) == ["t"]


async def test_the_last_wish_is_the_newest_of_its_task(store: Store) -> None:
    writer, other = await started(store), await started(store)
    for kind in (PAUSE, RESUME, PAUSE, RESUME, PAUSE):
        await request(store, writer.pk, kind)
    await request(store, other.pk, PAUSE)
    await request(store, other.pk, RESUME)
    await request(store, writer.pk, CANCEL)
    assert await store.last_wish(writer.pk) is PAUSE
    assert await store.last_wish(other.pk) is RESUME


async def test_an_intent_is_synced_to_disk(file_store: SqliteStore) -> None:
    writer = await started(file_store)
    await writer.append_deltas()
    statements: list[str] = []
    await file_store._write(lambda db: db.set_trace_callback(statements.append))
    await request(file_store, writer.pk, PAUSE)
    assert "PRAGMA synchronous = FULL" in statements


async def test_a_writer_of_another_task_settles_nothing(store: SqliteStore) -> None:
    one, two = await started(store), await started(store)
    await request(store, one.pk, CANCEL)
    await request(store, two.pk, CANCEL)
    await one.end(Status.CANCELED)
    assert await store.pending() == [(two.pk, CANCEL)]
