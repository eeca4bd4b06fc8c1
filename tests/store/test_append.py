"""Appends: fenced, in order, whole or absent, done even if nobody waits."""

from typing import Any

import anyio
import pytest

from agentlin_server.domain.errors import StaleWriterError
from agentlin_server.domain.ids import TaskPk
from agentlin_server.domain.ports import Store
from agentlin_server.domain.records import ToolCallRow, ToolCallState
from agentlin_server.domain.status import TERMINAL, Status
from agentlin_server.domain.tool import Effect
from agentlin_server.store.sqlite import SqliteStore
from tests.requirements import requirement
from tests.store.rows import (
    Writer,
    delta,
    event,
    item,
    log_of,
    rollout,
    row_of,
    started,
    taken_over,
    unfinished,
)

pytestmark = pytest.mark.anyio


@requirement("journal.fenced")
@pytest.mark.parametrize("is_deltas", [True, False])
@pytest.mark.parametrize(("after_rev", "generation"), [(0, 1), (2, 1), (7, 1), (1, 0), (1, 2)])
async def test_a_writer_with_a_past_rev_or_generation_is_refused_and_nothing_is_written(
    store: Store, after_rev: int, generation: int, *, is_deltas: bool
) -> None:
    writer = await started(store)
    task, before = await store.get_by_pk(writer.pk), await log_of(store, writer.pk)
    committed: list[bool] = []
    stale = writer.commit(
        delta(3),
        after_rev=after_rev,
        generation=generation,
        is_deltas=is_deltas,
        status=None if is_deltas else Status.COMPLETED,
        items=() if is_deltas else [item()],
        rollout=None if is_deltas else rollout(),
    )
    with pytest.raises(StaleWriterError):
        await store.append(stale, on_commit=lambda: committed.append(True))
    assert committed == []
    assert await log_of(store, writer.pk) == before
    assert await store.get_by_pk(writer.pk) == task
    assert await store.rollouts(writer.pk) == []
    await writer.append_deltas()
    assert len(await log_of(store, writer.pk)) == len(before) + 1


async def test_nobody_appends_to_a_task_that_does_not_exist(store: Store) -> None:
    nobody = Writer(store, TaskPk(77), generation=1, rev=0, seq=0)
    with pytest.raises(StaleWriterError):
        await nobody.append(event("task.created", 0))


async def test_appends_that_overlap_are_committed_in_the_order_of_the_calls(store: Store) -> None:
    writers = [await started(store) for _ in range(3)]

    async def write(writer: Writer) -> None:
        async with anyio.create_task_group() as group:
            for n in range(40):  # the next is queued before the one before is committed
                group.start_soon(writer.append_deltas, 1 + n % 3)

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            for writer in writers:
                group.start_soon(write, writer)
    for writer in writers:
        assert writer.committed == sorted(writer.committed)
        assert len(writer.committed) == 40
        lines = await log_of(store, writer.pk)
        assert lines[3:] == [delta(seq) for seq in range(3, writer.seq)]


async def test_facts_are_kept_apart_from_events_and_take_no_number(store: Store) -> None:
    writer = await started(store)
    await writer.append(facts=b'{"fact":"begun"}\n{"fact":"more","n":2}')
    await writer.append(delta(3), facts=b'{"fact":"third"}')
    segments = await store.read_fold(writer.pk)
    assert [(s.rev, s.first_seq, s.last_seq) for s in segments] == [(1, 0, 2), (2, 3, 2), (3, 3, 3)]
    assert segments[1].lines == ()
    assert [list(segment.facts) for segment in segments[1:]] == [
        [{"fact": "begun"}, {"fact": "more", "n": 2}],
        [{"fact": "third"}],
    ]
    assert (await log_of(store, writer.pk))[3:] == [delta(3)]


@pytest.mark.parametrize("size", [1, 4_095, 4_096, 100_000])
async def test_long_and_short_events_come_back_as_they_were(store: Store, size: int) -> None:
    writer = await started(store)
    line = delta(3, text="\u00fc" * (size // 2))
    await writer.append(line)
    assert (await log_of(store, writer.pk))[3:] == [line]


async def test_the_row_follows_the_state(store: Store) -> None:
    writer = await started(store)
    await writer.append(event("task.input_required", 3), status=Status.INPUT_REQUIRED)
    task = await store.get_by_pk(writer.pk)
    assert task is not None
    assert (task.status, task.finished_at) == (Status.INPUT_REQUIRED, None)
    await writer.append(event("task.canceled", 4), status=Status.CANCELED, at=1_234.5)
    task = await store.get_by_pk(writer.pk)
    assert task is not None
    assert (task.status, task.finished_at) == (Status.CANCELED, 1_234.5)
    assert await unfinished(store) == []


@requirement("journal.durable")
async def test_an_append_whose_caller_is_canceled_is_done_and_told_all_the_same(
    store: Store,
) -> None:
    writer = await started(store)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await writer.append_deltas(2)
    assert scope.cancelled_caught
    await store.check()  # a write behind it
    assert (await log_of(store, writer.pk))[3:] == [delta(3), delta(4)]
    assert writer.committed == [2]


async def test_a_refused_append_whose_caller_is_canceled_disturbs_nobody(store: Store) -> None:
    writer = await started(store)
    stale = writer.commit(delta(3), after_rev=9)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await store.append(stale, on_commit=lambda: pytest.fail("it was refused"))
    await store.check()
    await writer.append_deltas()
    assert writer.committed == [2]


@requirement("journal.atomic")
async def test_a_refused_append_does_not_undo_those_that_share_its_transaction(
    store: Store,
) -> None:
    good, bad = await started(store), await started(store)
    outcomes: list[str] = []

    async def stale(*, is_deltas: bool) -> None:
        with pytest.raises(StaleWriterError):
            await store.append(
                bad.commit(delta(3), after_rev=5, is_deltas=is_deltas), on_commit=lambda: None
            )
        outcomes.append("refused")

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            for n in range(10):
                group.start_soon(good.append_deltas)
                group.start_soon(lambda n=n: stale(is_deltas=n % 2 == 0))
    assert outcomes == ["refused"] * 10
    assert len(await log_of(store, good.pk)) == 13
    assert len(await log_of(store, bad.pk)) == 3


async def test_an_item_that_is_done_again_keeps_its_place(store: Store) -> None:
    writer = await started(store)
    await writer.append(event("task.output_item.done", 3), items=[item(0), item(1, "msg_2")])
    await writer.append(
        event("task.output_item.done", 4), items=[item(1, "msg_2", status="incomplete")]
    )
    await writer.end()


def call(state: ToolCallState, **changes: Any) -> ToolCallRow:
    """Return the row of a tool call."""
    fields: dict[str, Any] = {
        "call_id": "call_1",
        "step": 1,
        "name": "charge",
        "effect": Effect.UNSAFE,
        "idempotency_key": "t:call_1",
    }
    return ToolCallRow(**fields | changes, state=state)


async def test_a_tool_call_has_one_row_with_its_latest_state(store: SqliteStore) -> None:
    async def row(call_id: str = "call_1") -> dict[str, Any]:
        sql = "SELECT * FROM tool_call WHERE task_pk = ? AND call_id = ?"
        return dict(await store._read(lambda db: db.execute(sql, (writer.pk, call_id)).fetchone()))

    writer = await started(store)
    both = [call(ToolCallState.STARTED), call(ToolCallState.STARTED, call_id="call_2")]
    await writer.append(event("task.unknown", 3), tool_calls=both, at=10.0)
    assert await row() == {
        "task_pk": writer.pk,
        "call_id": "call_1",
        "step": 1,
        "name": "charge",
        "effect": "unsafe",
        "state": "started",
        "idem_key": "t:call_1",
        "generation": 1,
        "started_at": 10.0,
        "ended_at": None,
    }
    writer = await taken_over(store, writer.pk)
    for at, state, began, ended in (
        (20.0, ToolCallState.INTERRUPTED, 10.0, 20.0),
        (30.0, ToolCallState.STARTED, 30.0, None),
        (40.0, ToolCallState.DONE, 30.0, 40.0),
        (50.0, ToolCallState.UNKNOWN, 30.0, 50.0),
    ):
        await writer.append(event("task.unknown", writer.seq), tool_calls=[call(state)], at=at)
        now = await row()
        assert (now["state"], now["started_at"], now["ended_at"]) == (state, began, ended)
        assert now["generation"] == 2
    assert (await row("call_2"))["state"] == "started"


async def test_attempts_are_counted_anew_when_the_writer_says_so(store: Store) -> None:
    writer = await started(store)
    await writer.append(event("task.unknown", 3))
    assert (await row_of(store, writer.pk)).attempts == 1
    await writer.append(event("task.unknown", 4), attempts=0)
    assert (await row_of(store, writer.pk)).attempts == 0
    await writer.change(Status.QUEUED, attempts=2)
    assert (await row_of(store, writer.pk)).attempts == 2


@pytest.mark.parametrize("status", sorted(TERMINAL))
async def test_the_secrets_of_a_request_are_gone_when_its_task_has_ended(
    store: SqliteStore, status: Status
) -> None:
    async def secrets() -> list[int]:
        rows = await store._read(lambda db: db.execute("SELECT task_pk FROM secret").fetchall())
        return [row["task_pk"] for row in rows]

    one, two = await started(store), await started(store)
    sql = "INSERT INTO secret SELECT pk, 'TOKEN', x'00' FROM task"  # nothing writes secrets yet
    await store._write(lambda db: db.execute(sql).rowcount)
    await one.append(event("task.unknown", 3))
    await one.change(Status.INPUT_REQUIRED)
    assert await secrets() == [one.pk, two.pk]
    await one.end(status)
    assert await secrets() == [two.pk]


@pytest.mark.parametrize(
    ("status", "is_kept"),
    [(Status.WORKING, True), (Status.QUEUED, False), (Status.INPUT_REQUIRED, False)]
    + [(status, False) for status in sorted(TERMINAL)],
)
async def test_only_who_works_on_a_task_has_its_lease(
    store: SqliteStore, status: Status, *, is_kept: bool
) -> None:
    writer = await started(store)
    await writer.change(status)
    sql = "SELECT lease_owner FROM task"
    row = await store._read(lambda db: db.execute(sql).fetchone())
    assert row["lease_owner"] == ("worker_1" if is_kept else None)
