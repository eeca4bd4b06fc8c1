"""The fair queue: who may run, in which order, and who is told."""

import sqlite3
from itertools import pairwise

import pytest

from agentlin_server.domain.ids import SessionId, TaskPk, UserId
from agentlin_server.domain.ports import Store
from agentlin_server.domain.records import IntentKind
from agentlin_server.domain.status import Status
from agentlin_server.store.sqlite import SqliteStore
from tests.requirements import requirement
from tests.store.rows import (
    begin,
    begun,
    claim_ids,
    event,
    ids_of,
    new_task,
    queued,
    row_of,
    started,
    taken_over,
    unfinished,
)

pytestmark = pytest.mark.anyio
ANN, BOB, CAT = UserId("ann"), UserId("bob"), UserId("cat")
SESSION = SessionId("s")


async def told(store: Store, at: float = 0.0) -> list[str]:
    """Return the tasks that are to be told of now."""
    return await ids_of(store, [wake.task_pk for wake in await store.wakes(at=at, limit=99)])


@requirement("queue.fair")
async def test_the_one_task_of_a_user_does_not_wait_for_all_of_anothers(store: Store) -> None:
    for n in range(50):
        await queued(store, f"ann_{n}", user_id=ANN)
    assert await claim_ids(store, 20) == [f"ann_{n}" for n in range(20)]
    await queued(store, "bob", user_id=BOB)
    assert await claim_ids(store, 3) == ["ann_20", "bob", "ann_21"]


@requirement("queue.fair")
async def test_turns_go_round_between_the_users(store: Store) -> None:
    for name, user in (("ann", ANN), ("bob", BOB), ("cat", CAT)):
        for n in range(3):
            await queued(store, f"{name}_{n}", user_id=user)
    assert await claim_ids(store, 99) == [
        f"{name}_{n}" for n in range(3) for name in ("ann", "bob", "cat")
    ]


@requirement("queue.fair")
async def test_who_comes_back_stands_behind_those_who_are_there(store: Store) -> None:
    """Older tasks of a session, one becoming claimable after the other, don't cut in line."""
    running = await started(store, "bob_0", session_id=SESSION, user_id=BOB)
    for n in (1, 2, 3):
        await queued(store, f"bob_{n}", session_id=SESSION, user_id=BOB)
    await queued(store, "ann", user_id=ANN)
    await running.end()
    assert await claim_ids(store, 1) == ["ann"]
    writer = await begun(store)
    await queued(store, "cat", user_id=CAT)
    await writer.end()
    assert await claim_ids(store) == ["cat", "bob_2"]


@requirement("queue.fair")
async def test_a_task_that_yields_goes_to_the_end_of_its_round(store: Store) -> None:
    writer = await started(store, "bob", user_id=BOB)
    await queued(store, "ann", user_id=ANN)
    await queued(store, "cat", user_id=CAT)
    await writer.change(Status.QUEUED)
    assert await claim_ids(store) == ["ann", "cat", "bob"]


async def test_users_of_different_tenants_are_different_users(store: SqliteStore) -> None:
    for n in range(3):
        await queued(store, f"ours_{n}", user_id=ANN)
    await queued(store, "theirs", tenant="theirs", user_id=ANN)
    assert await claim_ids(store, 2) == ["ours_0", "theirs"]


async def test_a_higher_priority_comes_first_and_has_rounds_of_its_own(store: SqliteStore) -> None:
    for n in range(3):
        await queued(store, f"low_{n}", user_id=ANN)
    running = await started(store, "high_0", user_id=ANN, session_id=SESSION)
    await queued(store, "high_1", user_id=ANN, session_id=SESSION)
    await store._write(  # nothing sets priorities yet
        lambda db: db.execute("UPDATE task SET priority = 1 WHERE id LIKE 'high%'").rowcount
    )
    await running.end()
    assert await claim_ids(store) == ["high_1", "low_0", "low_1", "low_2"]


@requirement("session.order")
@pytest.mark.parametrize(
    "status", [Status.COMPLETED, Status.FAILED, Status.CANCELED, Status.EXPIRED]
)
async def test_the_next_of_a_session_may_run_when_the_one_before_has_ended(
    store: Store, status: Status
) -> None:
    writer = await started(store, session_id=SESSION)
    await queued(store, "next", session_id=SESSION)
    await queued(store, "after", session_id=SESSION)
    assert await told(store) == []
    assert await claim_ids(store) == []
    await writer.end(status)
    assert await told(store) == ["next"]
    assert await claim_ids(store) == ["next"]


@requirement("session.order")
@pytest.mark.parametrize("status", [Status.INPUT_REQUIRED, Status.PAUSED])
async def test_a_task_that_rests_keeps_its_session(store: Store, status: Status) -> None:
    writer = await started(store, session_id=SESSION)
    await queued(store, "next", session_id=SESSION)
    await store.request(writer.pk, IntentKind.PAUSE, actor="ann", at=1.0)
    await writer.change(status)
    row = await row_of(store, writer.pk)
    assert row.status is status
    assert await claim_ids(store) == []
    assert not (await store.create(new_task(session_id=SESSION))).started


@requirement("session.order")
async def test_an_older_task_that_is_queued_again_runs_before_those_behind_it(
    store: Store,
) -> None:
    writer = await started(store, "first", session_id=SESSION)
    await queued(store, "second", session_id=SESSION)
    await writer.change(Status.QUEUED)
    assert await told(store) == ["first"]
    again = await begun(store)
    assert again.pk == writer.pk
    await again.end()
    assert await claim_ids(store) == ["second"]


async def test_deleting_the_first_that_waits_lets_the_next_run(store: Store) -> None:
    first = await queued(store, session_id=SESSION)
    await queued(store, "second", session_id=SESSION)
    await store.delete(first, reserved_until=2_000.0)
    assert await told(store) == ["second"]
    assert await claim_ids(store) == ["second"]


@requirement("task.cancel.any-phase")
@pytest.mark.parametrize("kind", [IntentKind.CANCEL, IntentKind.DELETE])
async def test_a_waiting_task_whose_end_is_wanted_leaves_the_queue_and_keeps_its_order(
    store: Store, kind: IntentKind
) -> None:
    first = await queued(store, session_id=SESSION)
    await queued(store, "second", session_id=SESSION)
    await store.request(first, kind, actor="ann", at=1.0)
    assert await told(store) == []
    assert await claim_ids(store) == []
    assert await store.repair() == 0
    await (await taken_over(store, first)).end(Status.CANCELED)
    assert await claim_ids(store) == ["second"]


async def test_a_wake_is_told_again_ever_less_often_until_it_is_settled(store: Store) -> None:
    first, second = await queued(store, "q_1"), await queued(store, "q_2")
    wakes = await store.wakes(at=100.0, limit=9)
    assert [(wake.task_pk, wake.attempts) for wake in wakes] == [(first, 1), (second, 1)]
    await store.settle_wakes(wakes[1:])
    assert await store.wakes(at=100.5, limit=9) == []
    at, instants = 100.0, [100.0]
    for attempts in range(2, 11):
        while not (again := await store.wakes(at=at, limit=9)):
            at += 0.5
        assert [(wake.task_pk, wake.attempts) for wake in again] == [(first, attempts)]
        instants.append(at)
    pauses = [b - a for a, b in pairwise(instants)]
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 64, 64]
    assert len(await claim_ids(store)) == 2, "who was told of is claimable all the same"


async def test_a_claim_forgets_the_wake_of_its_task(store: Store) -> None:
    pk = await queued(store, "q_1")
    await queued(store, "q_2")
    await store.claim(pk, owner="w", take_over=False)
    assert await told(store) == ["q_2"]


async def test_wakes_are_told_oldest_first_and_no_more_than_asked_for(store: Store) -> None:
    pks = [await queued(store) for _ in range(5)]
    assert [wake.task_pk for wake in await store.wakes(at=0.0, limit=2)] == pks[:2]
    assert [wake.task_pk for wake in await store.wakes(at=0.0, limit=9)] == pks[2:]


async def test_a_clock_that_was_set_back_delays_no_wake(store: Store) -> None:
    await queued(store, "t")
    assert await told(store, at=5_000.0) == ["t"]
    await store.shift_deadlines(-4_000.0)
    assert await told(store, at=1_002.0) == ["t"]
    await queued(store, "u")
    assert await told(store, at=3.0) == ["u"]


async def test_repair_finds_nothing_in_a_store_that_is_well(store: Store) -> None:
    running = await started(store, session_id=SESSION)
    for n in range(3):
        await queued(store, session_id=SESSION)
        await queued(store, f"free_{n}")
    assert await store.repair() == 0
    await running.end()
    (claimed,) = (await store.claim_next(owner="w", limit=1)).claims
    assert await store.repair() == 0, "a claim that has not begun holds its session"
    await (await begin(store, claimed)).end()
    assert await store.repair() == 0


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE task SET turn = NULL",
        "UPDATE session SET busy_task_pk = 404",
        "UPDATE session SET busy_task_pk = (SELECT pk FROM task WHERE id = 'ended')",
        "UPDATE session SET busy_task_pk = (SELECT pk FROM task WHERE id = 'waits')",
    ],
)
async def test_repair_makes_claimable_what_should_be(store: SqliteStore, damage: str) -> None:
    await (await started(store, "ended", session_id=SESSION)).end()
    await queued(store, "waits", session_id=SESSION)
    await queued(store, "behind", session_id=SESSION)

    def break_it(db: sqlite3.Connection) -> None:
        for statement in ("UPDATE task SET turn = NULL", "DELETE FROM outbox", damage):
            db.execute(statement)

    await store._write(break_it)
    assert await claim_ids(store) == []
    assert await store.repair() == 1
    assert await told(store) == ["waits"]
    assert await claim_ids(store) == ["waits"]
    assert await store.repair() == 0


@requirement("task.poison")
async def test_suspects_are_claimed_one_at_a_time_and_hold_nobody_else_up(store: Store) -> None:
    suspects = [await suspect(store, f"suspect_{n}") for n in range(3)]
    await queued(store, "good_1")
    await queued(store, "good_2")
    assert await claim_ids(store) == ["suspect_0", "good_1", "good_2"]
    assert await claim_ids(store) == [], "one of them is claimed at the moment"
    writer = await taken_over(store, suspects[0])
    await writer.change(Status.WORKING)
    assert await claim_ids(store) == []
    await writer.append(event("task.unknown", writer.seq), attempts=0)
    assert await claim_ids(store) == ["suspect_1"], "the other one has got on"
    await (await taken_over(store, suspects[1])).end(Status.FAILED)
    assert await claim_ids(store) == ["suspect_2"]
    assert len(await unfinished(store)) == 4


@requirement("task.poison")
async def test_suspects_of_a_dead_worker_do_not_hold_up_the_next_one(store: Store) -> None:
    dead = await suspect(store, "dead")
    waiting = await suspect(store, "waiting")
    (claim,) = (await store.claim_next(owner="worker_0", limit=9)).claims
    await begin(store, claim)
    assert claim.task.pk == dead
    assert await store.adopt(owner="worker_1") == [dead]
    (claim,) = (await store.claim_next(owner="worker_1", limit=9)).claims
    assert claim.task.pk == waiting
    assert claim.task.attempts == 3


async def suspect(store: Store, name: str) -> TaskPk:
    """Create a task whose last two claims ended with the death of their process."""
    pk = await queued(store, name)
    claimed = await store.claim(pk, owner="dead", take_over=False)
    assert claimed is not None
    writer = await begin(store, claimed)
    await writer.change(Status.QUEUED, attempts=2)
    return pk
