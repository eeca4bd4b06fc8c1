"""What a worker finds that dead ones left behind."""

import sqlite3
import time

import pytest

from agentlin_server.domain.errors import StaleWriterError
from agentlin_server.domain.ids import SessionId, UserId
from agentlin_server.domain.ports import Store
from agentlin_server.domain.records import IntentKind
from agentlin_server.domain.status import Status
from agentlin_server.store.sqlite import SqliteStore
from tests.requirements import requirement
from tests.store.rows import begin, claim_ids, queued, row_of, started, taken_over

pytestmark = pytest.mark.anyio
SESSION = SessionId("s")
HEIR = "worker_2"


@requirement("task.restart")
async def test_the_tasks_that_a_dead_worker_worked_on_are_returned_oldest_first(
    store: Store,
) -> None:
    await (await started(store)).end()
    running = [await started(store) for _ in range(3)]
    asking, paused = await started(store), await started(store)
    await asking.change(Status.INPUT_REQUIRED)
    await store.request(paused.pk, IntentKind.PAUSE, actor="ann", at=1.0)
    await paused.change(Status.PAUSED)
    await queued(store, "waits")
    dead = [writer.pk for writer in running]
    assert await store.adopt(owner=HEIR) == dead
    assert await store.adopt(owner=HEIR) == dead, "nothing has become of them yet"
    assert await claim_ids(store, owner=HEIR) == ["waits"]
    for writer in running:
        await (await taken_over(store, writer.pk, HEIR)).change(Status.QUEUED)
    assert await store.adopt(owner=HEIR) == []
    assert len(await claim_ids(store, owner=HEIR)) == 3


async def test_what_a_worker_works_on_itself_is_no_dead_ones(store: Store) -> None:
    writer = await started(store)
    await queued(store, session_id=SESSION)
    await claim_ids(store)
    assert await store.adopt(owner="worker_1") == []
    assert await claim_ids(store) == [], "its own claims hold"
    await writer.end()


@requirement("task.restart")
async def test_a_claim_whose_worker_died_before_it_wrote_is_had_by_the_next(store: Store) -> None:
    pk = await queued(store, "t", session_id=SESSION)
    await queued(store, "behind", session_id=SESSION)
    (lost,) = (await store.claim_next(owner="worker_that_dies", limit=9)).claims
    assert await claim_ids(store, owner=HEIR) == []
    assert await store.adopt(owner=HEIR) == []
    assert [wake.task_pk for wake in await store.wakes(at=0.0, limit=9)] == [pk]
    (found,) = (await store.claim_next(owner=HEIR, limit=9)).claims
    assert found.task.pk == pk
    assert found.task.attempts == 2, "the dead one's counts"
    await begin(store, found)
    with pytest.raises(StaleWriterError):
        await begin(store, lost)


async def test_a_task_that_a_dead_worker_worked_on_keeps_its_session(store: Store) -> None:
    writer = await started(store, "t", session_id=SESSION)
    await queued(store, "behind", session_id=SESSION)
    await store.adopt(owner=HEIR)
    assert await claim_ids(store, owner=HEIR) == []
    await (await taken_over(store, writer.pk, HEIR)).change(Status.QUEUED)
    assert await claim_ids(store, owner=HEIR) == ["t"]


@pytest.mark.parametrize("holder", ["404", "(SELECT pk FROM task WHERE id = 'ended')"])
async def test_a_session_held_by_what_is_gone_or_final_is_freed(
    store: SqliteStore, holder: str
) -> None:
    await (await started(store, "ended", session_id=SESSION)).end()
    await queued(store, "waits", session_id=SESSION)
    idle = await started(store, session_id=SessionId("idle"))
    await idle.end()

    def break_it(db: sqlite3.Connection) -> None:
        db.execute(f"UPDATE session SET busy_task_pk = {holder}")
        db.execute("UPDATE task SET turn = NULL")

    await store._write(break_it)
    await store.adopt(owner=HEIR)
    assert await claim_ids(store, owner=HEIR) == ["waits"]
    assert (await started(store, session_id=SessionId("idle"))).generation == 1


async def test_a_resting_task_that_a_dead_worker_had_taken_over_goes_on_resting(
    store: Store,
) -> None:
    writer = await started(store, "t", session_id=SESSION)
    await writer.change(Status.INPUT_REQUIRED)
    await taken_over(store, writer.pk, "worker_that_dies")
    assert await store.adopt(owner=HEIR) == []
    row = await row_of(store, writer.pk)
    assert (row.status, row.generation) == (Status.INPUT_REQUIRED, 2)
    await (await taken_over(store, writer.pk, HEIR)).change(Status.QUEUED)
    assert await claim_ids(store, owner=HEIR) == ["t"]


async def test_who_wanted_what_is_known_after_a_restart(store: Store) -> None:
    canceled = await queued(store, "canceled")
    running = await started(store)
    await store.request(canceled, IntentKind.CANCEL, actor="ann", at=1.0)
    await store.request(running.pk, IntentKind.DELETE, actor="ann", at=2.0)
    assert await store.adopt(owner=HEIR) == [running.pk]
    assert await claim_ids(store, owner=HEIR) == []
    assert await store.pending() == [
        (canceled, IntentKind.CANCEL),
        (running.pk, IntentKind.DELETE),
    ]


async def test_ten_thousand_unfinished_tasks_are_adopted_in_well_under_a_second(
    file_store: SqliteStore,
) -> None:
    await many(file_store, 10_000)
    begun_at = time.process_time()
    dead = await file_store.adopt(owner=HEIR)
    assert len(dead) == 5_000
    assert time.process_time() - begun_at < 1.0
    begun_at = time.process_time()
    assert await file_store.repair() == 0
    found = await file_store.claim_next(owner=HEIR, limit=100)
    assert (len(found.claims), found.waiting) == (100, 4_900)
    assert time.process_time() - begun_at < 0.5
    assert {claim.task.user_id for claim in found.claims} == {f"user_{n}" for n in range(10)}


async def many(store: SqliteStore, count: int) -> None:
    """Make tasks in sessions of their own: half are worked on, half are claimed only."""
    model = await queued(store, "model", user_id=UserId("user_0"))

    def copy(db: sqlite3.Connection) -> None:
        db.execute("DELETE FROM outbox")
        db.execute(
            "INSERT INTO session (pk, tenant, id, user_id, busy_task_pk)"
            " WITH RECURSIVE n (i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            " SELECT i, 'local', 'many_' || i, 'user_' || (i % 10), i FROM n",
            (999 + count,),
        )
        db.execute(
            "INSERT INTO task (pk, tenant, id, user_id, session_pk, session_pos, status, rev,"
            " next_seq, generation, lease_owner, attempts, spec_hash, body_hmac, created_at)"
            " SELECT s.pk, s.tenant, 't_' || s.pk, s.user_id, s.pk, 0,"
            " CASE WHEN s.pk % 20 < 10 THEN 'working' ELSE 'queued' END, 1, 2, 1, 'dead', 1,"
            " t.spec_hash, t.body_hmac, t.created_at"
            " FROM session s, task t WHERE t.id = 'model' AND s.id LIKE 'many%'"
        )
        db.execute(
            "INSERT INTO journal (task_pk, rev, kind, generation, first_seq, last_seq, at, events)"
            " SELECT t.pk, 1, 0, 0, 0, 1, 0, j.events FROM task t, journal j WHERE t.pk >= 1000"
        )

    await store._write(copy)
    await store.delete(model, reserved_until=1.0)
