"""What a new task does about its session's unfinished ones."""

from typing import Any

import pytest

from agentlin_server.domain.errors import QueueFullError, SessionBusyError
from agentlin_server.domain.ids import SessionId, TaskPk
from agentlin_server.domain.ports import Store
from agentlin_server.domain.records import Created, IntentKind, OnBusy
from agentlin_server.domain.status import Status
from agentlin_server.store.sqlite import SqliteStore
from tests.requirements import requirement
from tests.store.rows import (
    TENANT,
    Writer,
    claim_ids,
    key,
    new_task,
    queued,
    row_of,
    started,
    taken_over,
)

pytestmark = pytest.mark.anyio
SESSION = SessionId("s")


async def create(store: Store, on_busy: OnBusy, **changes: Any) -> Created:
    """Create a task in the session that all tests are about."""
    return await store.create(new_task(session_id=SESSION, on_busy=on_busy, **changes))


async def in_status(store: Store, status: Status) -> Writer:
    """Return the writer of a task of the session that is `working`, or rests."""
    writer = await started(store, session_id=SESSION)
    if status is Status.PAUSED:
        await store.request(writer.pk, IntentKind.PAUSE, actor="ann", at=1.0)
    if status is not Status.WORKING:
        await writer.change(status)
    return writer


async def canceled(store: Store) -> list[TaskPk]:
    """Return the tasks whose cancel was recorded."""
    return [pk for pk, kind in await store.pending() if kind is IntentKind.CANCEL]


@requirement("session.on-busy")
@pytest.mark.parametrize("on_busy", list(OnBusy))
async def test_in_a_session_that_is_idle_it_makes_no_difference(
    store: Store, on_busy: OnBusy
) -> None:
    await (await started(store, session_id=SESSION)).end()
    created = await create(store, on_busy)
    assert (created.started, created.superseded) == (True, [])


@requirement("session.on-busy")
@pytest.mark.parametrize("status", [Status.WORKING, Status.PAUSED])
async def test_by_default_a_task_waits_for_one_that_works_or_is_paused(
    store: Store, status: Status
) -> None:
    writer = await in_status(store, status)
    created = await create(store, OnBusy.DEFAULT)
    assert (created.started, created.superseded) == (False, [])
    assert await canceled(store) == []
    assert not (await row_of(store, writer.pk)).cancel_requested


@requirement("session.on-busy")
async def test_by_default_a_task_cancels_one_that_waits_for_an_answer(store: Store) -> None:
    asking = await in_status(store, Status.INPUT_REQUIRED)
    created = await create(store, OnBusy.DEFAULT, at=1_234.0)
    assert (created.started, created.superseded) == (False, [asking.pk])
    assert (await row_of(store, asking.pk)).cancel_requested
    assert await canceled(store) == [asking.pk]
    assert (await create(store, OnBusy.DEFAULT)).superseded == [], "that was done"
    assert await canceled(store) == [asking.pk]
    await (await taken_over(store, asking.pk)).end(Status.CANCELED)
    assert await canceled(store) == []
    assert await claim_ids(store) == [created.task.id]


async def test_who_canceled_a_superseded_task_is_on_record(store: SqliteStore) -> None:
    asking = await in_status(store, Status.INPUT_REQUIRED)
    await create(store, OnBusy.DEFAULT, at=1_234.0)
    rows = await store._read(lambda db: db.execute("SELECT * FROM intent").fetchall())
    assert [(row["task_pk"], row["kind"], row["actor"], row["at"]) for row in rows] == [
        (asking.pk, "cancel", "session", 1_234.0)
    ]


@requirement("session.on-busy")
@pytest.mark.parametrize("status", [Status.WORKING, Status.PAUSED, Status.INPUT_REQUIRED])
async def test_enqueue_waits_for_all_of_them(store: Store, status: Status) -> None:
    await in_status(store, status)
    created = await create(store, OnBusy.ENQUEUE)
    assert (created.started, created.superseded) == (False, [])
    assert await canceled(store) == []


@requirement("session.on-busy")
@pytest.mark.parametrize("status", [Status.WORKING, Status.PAUSED, Status.INPUT_REQUIRED])
async def test_reject_makes_no_task_if_one_is_unfinished(store: Store, status: Status) -> None:
    await in_status(store, status)
    with pytest.raises(SessionBusyError, match="'s'"):
        await create(store, OnBusy.REJECT, id="refused")
    assert await store.get(TENANT, "refused") is None
    assert await canceled(store) == []


@requirement("session.on-busy")
async def test_reject_makes_no_task_if_one_waits(store: Store) -> None:
    await queued(store, session_id=SESSION)
    with pytest.raises(SessionBusyError):
        await create(store, OnBusy.REJECT)


@requirement("session.on-busy")
@pytest.mark.parametrize("status", [Status.WORKING, Status.PAUSED, Status.INPUT_REQUIRED])
async def test_interrupt_cancels_whatever_is_unfinished(store: Store, status: Status) -> None:
    running = await in_status(store, status)
    waiting = [(await create(store, OnBusy.ENQUEUE)).task.pk for _ in range(2)]
    other = await queued(store, "other")
    created = await create(store, OnBusy.INTERRUPT)
    assert (created.started, created.superseded) == (False, [running.pk, *waiting])
    assert await canceled(store) == [running.pk, *waiting]
    assert await claim_ids(store) == ["other"]
    for pk in (running.pk, *waiting):
        await (await taken_over(store, pk)).end(Status.CANCELED)
    assert await claim_ids(store) == [created.task.id]
    assert not (await row_of(store, other)).cancel_requested


async def test_interrupt_reaches_a_task_that_was_claimed_but_has_not_begun(store: Store) -> None:
    await queued(store, "claimed", session_id=SESSION)
    (claim,) = (await store.claim_next(owner="w", limit=1)).claims
    assert (await create(store, OnBusy.INTERRUPT)).superseded == [claim.task.pk]


@requirement("create.idempotent")
@pytest.mark.parametrize("on_busy", list(OnBusy))
async def test_a_repeat_is_neither_rejected_nor_does_it_cancel_anything(
    store: Store, on_busy: OnBusy
) -> None:
    named = {"idempotency": key("k"), "is_repeat": True, "body_hmac": "b"}
    first = await create(store, on_busy, **named)
    await Writer.of(store, first).change(Status.INPUT_REQUIRED)
    for again in (
        await create(store, on_busy, **named),
        await create(store, on_busy, id=first.task.id, body_hmac="b"),
    ):
        assert (again.task.id, again.is_new, again.superseded) == (first.task.id, False, ())
    assert await canceled(store) == []
    assert not (await row_of(store, first.task.pk)).cancel_requested


async def test_a_task_that_is_refused_for_a_full_queue_cancels_nothing(store: Store) -> None:
    asking = await in_status(store, Status.INPUT_REQUIRED)
    for on_busy in (OnBusy.DEFAULT, OnBusy.INTERRUPT):
        with pytest.raises(QueueFullError):
            await create(store, on_busy, waiting_max=0)
    assert not (await row_of(store, asking.pk)).cancel_requested
    assert await canceled(store) == []


@requirement("input.by-create")
async def test_the_task_that_waits_for_an_answer_is_found_by_its_session(store: Store) -> None:
    assert await store.waiting_for_input(TENANT, SESSION) is None
    writer = await in_status(store, Status.WORKING)
    assert await store.waiting_for_input(TENANT, SESSION) is None
    await writer.change(Status.INPUT_REQUIRED)
    await queued(store, session_id=SESSION)
    found = await store.waiting_for_input(TENANT, SESSION)
    assert found == await row_of(store, writer.pk)
    assert await store.waiting_for_input(TENANT, "another") is None
    await (await taken_over(store, writer.pk)).change(Status.QUEUED)
    assert await store.waiting_for_input(TENANT, SESSION) is None
