"""Deadlines: when a task expires, and when its own time stands still."""

import pytest

from agentlin_server.domain.ports import Store
from agentlin_server.domain.records import IntentKind, TaskClock
from agentlin_server.domain.status import TERMINAL, Status
from tests.store.rows import (
    begun,
    event,
    key,
    new_task,
    queued,
    row_of,
    started,
    taken_over,
)

pytestmark = pytest.mark.anyio


async def test_a_task_has_the_deadline_that_it_was_created_with(store: Store) -> None:
    for may_start in (True, False):
        created = await store.create(new_task(deadline_at=1_500.0, may_start=may_start))
        assert created.task.clock == TaskClock(deadline_at=1_500.0)
        assert (await row_of(store, created.task.pk)) == created.task
    assert (await store.create(new_task())).task.clock == TaskClock()


async def test_a_repeat_does_not_wind_the_clock_up_again(store: Store) -> None:
    named = {"idempotency": key("k"), "is_repeat": True, "body_hmac": "b"}
    first = await store.create(new_task(deadline_at=1_500.0, **named))
    again = await store.create(new_task(deadline_at=9_000.0, **named))
    assert again.task == first.task


async def test_a_tasks_own_time_stands_still_while_it_rests(store: Store) -> None:
    writer = await started(store, deadline_at=1_500.0)
    await writer.change(Status.INPUT_REQUIRED, at=1_100.0, rest_max_s=50.0)
    resting = TaskClock(deadline_at=1_150.0, time_left_s=400.0)
    assert (await row_of(store, writer.pk)).clock == resting
    writer = await taken_over(store, writer.pk)
    await writer.change(Status.INPUT_REQUIRED, at=1_120.0, rest_max_s=50.0)
    assert (await row_of(store, writer.pk)).clock == resting, "a partial answer wins no time"
    await (await taken_over(store, writer.pk)).change(Status.QUEUED, at=1_140.0)
    going = TaskClock(deadline_at=1_540.0)
    assert (await row_of(store, writer.pk)).clock == going
    writer = await begun(store)
    await writer.append(event("task.unknown", writer.seq))
    await (await taken_over(store, writer.pk)).change(Status.QUEUED, at=1_200.0)
    assert (await row_of(store, writer.pk)).clock == going, "a recovery is no rest"


async def test_a_task_without_a_limit_has_that_of_its_rest_only(store: Store) -> None:
    writer = await started(store)
    await writer.change(Status.INPUT_REQUIRED, at=1_100.0, rest_max_s=50.0)
    assert (await row_of(store, writer.pk)).clock == TaskClock(deadline_at=1_150.0)
    await (await taken_over(store, writer.pk)).change(Status.QUEUED, at=1_140.0)
    assert (await row_of(store, writer.pk)).clock == TaskClock()


async def test_a_deadline_that_is_past_when_the_rest_begins_is_past_after_it(store: Store) -> None:
    writer = await started(store, deadline_at=1_000.0)
    await writer.change(Status.INPUT_REQUIRED, at=1_100.0, rest_max_s=50.0)
    assert (await row_of(store, writer.pk)).clock.time_left_s == 0.0
    await (await taken_over(store, writer.pk)).change(Status.QUEUED, at=1_120.0)
    assert await store.due(at=1_120.0, limit=9) == [writer.pk]


async def test_the_longest_past_come_first_and_no_more_than_asked_for(store: Store) -> None:
    third = await started(store, deadline_at=30.0)
    first = await queued(store, deadline_at=10.0)
    second = await started(store, deadline_at=20.0)
    await started(store, deadline_at=30.1)
    await started(store)
    assert await store.due(at=9.9, limit=9) == []
    assert await store.due(at=30.0, limit=9) == [first, second.pk, third.pk]
    assert await store.due(at=30.0, limit=2) == [first, second.pk]


@pytest.mark.parametrize("status", [Status.INPUT_REQUIRED, Status.PAUSED])
async def test_a_task_that_rests_is_due_at_the_limit_of_its_rest(
    store: Store, status: Status
) -> None:
    writer = await started(store, deadline_at=10.0)
    await store.request(writer.pk, IntentKind.PAUSE, actor="ann", at=1.0)
    await writer.change(status, at=5.0, rest_max_s=45.0)
    assert await store.due(at=49.9, limit=9) == []
    assert await store.due(at=50.0, limit=9) == [writer.pk]


@pytest.mark.parametrize("status", sorted(TERMINAL))
async def test_a_task_that_has_ended_is_never_due(store: Store, status: Status) -> None:
    writer = await started(store, deadline_at=10.0)
    await writer.end(status)
    assert await store.due(at=1e12, limit=9) == []
    assert (await row_of(store, writer.pk)).clock == TaskClock()


async def test_the_deadlines_of_the_unfinished_move_with_the_wall_clock(store: Store) -> None:
    running = await started(store, deadline_at=10.0)
    waiting = await queued(store, deadline_at=20.0)
    timeless, ended = await started(store), await started(store, deadline_at=30.0)
    await ended.end()
    await store.shift_deadlines(1_000.0)
    assert await store.due(at=1_009.9, limit=9) == []
    assert await store.due(at=1_020.0, limit=9) == [running.pk, waiting]
    await store.shift_deadlines(-1_005.0)
    assert (await row_of(store, running.pk)).clock.deadline_at == 5.0
    assert (await row_of(store, timeless.pk)).clock == TaskClock()


async def test_what_is_left_of_a_tasks_time_does_not_move_with_the_wall_clock(
    store: Store,
) -> None:
    writer = await started(store, deadline_at=10.0)
    await writer.change(Status.INPUT_REQUIRED, at=5.0, rest_max_s=45.0)
    await store.shift_deadlines(100.0)
    moved = TaskClock(deadline_at=150.0, time_left_s=5.0)
    assert (await row_of(store, writer.pk)).clock == moved
