"""Claims: one owner at a time, in the order of sessions."""

from pathlib import Path

import anyio
import pytest

from agentlin_server.domain.errors import StaleWriterError
from agentlin_server.domain.ids import SessionId, TaskPk
from agentlin_server.domain.ports import Store
from agentlin_server.domain.records import Claimed, IntentKind
from agentlin_server.domain.status import TERMINAL, Status
from agentlin_server.store.sqlite import SqliteStore
from tests.requirements import requirement
from tests.store.rows import Writer, begin, event, log_of, new_task, queued, row_of, started

pytestmark = pytest.mark.anyio
SESSION = SessionId("s")


async def test_a_claim_raises_the_generation_and_says_where_the_log_ends(store: Store) -> None:
    pk = await queued(store, "t")
    claimed = await store.claim(pk, owner="w", take_over=False)
    assert claimed is not None
    assert (claimed.task.generation, claimed.last_rev, claimed.next_seq) == (1, 1, 2)
    assert claimed.task.attempts == 1
    await begin(store, claimed)
    row = await store.get_by_pk(pk)
    assert row is not None
    assert row.status is Status.WORKING


async def test_a_working_task_is_claimed_only_by_taking_over(store: Store) -> None:
    writer = await started(store)
    await writer.append_deltas(4)
    assert await store.claim(writer.pk, owner="w", take_over=False) is None
    claimed = await store.claim(writer.pk, owner="w", take_over=True)
    assert claimed is not None
    assert (claimed.task.generation, claimed.last_rev, claimed.next_seq) == (2, 2, 7)


@pytest.mark.parametrize("status", sorted(TERMINAL))
async def test_a_final_task_is_not_to_be_had(store: Store, status: Status) -> None:
    writer = await started(store)
    await writer.end(status)
    assert await store.claim(writer.pk, owner="w", take_over=True) is None
    assert await store.claim(writer.pk, owner="w", take_over=False) is None


async def test_a_task_that_is_gone_is_not_to_be_had(store: Store) -> None:
    assert await store.claim(TaskPk(404), owner="w", take_over=True) is None


@requirement("journal.fenced")
@pytest.mark.parametrize("is_deltas", [True, False])
async def test_a_takeover_fences_the_one_who_had_the_task(store: Store, *, is_deltas: bool) -> None:
    zombie = await started(store)
    claimed = await store.claim(zombie.pk, owner="w", take_over=True)
    assert claimed is not None
    before = await log_of(store, zombie.pk)
    with pytest.raises(StaleWriterError):
        await zombie.append(event("task.text.delta", 3), is_deltas=is_deltas)
    assert zombie.committed == []
    assert await log_of(store, zombie.pk) == before
    heir = Writer.of_claim(store, claimed)
    await heir.end(Status.FAILED)
    assert len(await log_of(store, zombie.pk)) == len(before) + 1


@requirement("session.order")
async def test_tasks_of_one_session_are_claimed_one_at_a_time_in_order(store: Store) -> None:
    first, second, third = [await queued(store, f"s_{n}", session_id=SESSION) for n in range(3)]
    round_ = await store.claim_next(owner="w", limit=9)
    assert [claim.task.pk for claim in round_.claims] == [first]
    writer = await begin(store, round_.claims[0])
    assert (await store.claim_next(owner="w", limit=9)).claims == []
    assert await store.claim(second, owner="w", take_over=False) is None
    await writer.end()
    round_ = await store.claim_next(owner="w", limit=9)
    assert [claim.task.pk for claim in round_.claims] == [second]
    writer = await begin(store, round_.claims[0])
    await writer.end(Status.CANCELED)
    assert [c.task.pk for c in (await store.claim_next(owner="w", limit=9)).claims] == [third]


@requirement("session.order")
async def test_a_new_task_never_overtakes_one_of_its_session_that_waits(store: Store) -> None:
    await queued(store, "waits", session_id=SESSION)
    created = await store.create(new_task(session_id=SESSION, may_start=True))
    assert not created.started


async def test_a_new_task_waits_while_its_session_is_busy(store: Store) -> None:
    await started(store, session_id=SESSION)
    created = await store.create(new_task(session_id=SESSION))
    assert (created.started, created.task.session_pos) == (False, 1)


async def test_the_oldest_tasks_of_different_sessions_are_claimed_first(store: Store) -> None:
    pks = [await queued(store, f"o_{n}") for n in range(4)]
    round_ = await store.claim_next(owner="w", limit=3)
    assert [claim.task.pk for claim in round_.claims] == pks[:3]
    assert round_.waiting == 1


async def test_what_is_claimed_is_not_claimed_again_by_the_same_worker(store: Store) -> None:
    await queued(store, "t")
    assert len((await store.claim_next(owner="w", limit=9)).claims) == 1
    assert (await store.claim_next(owner="w", limit=9)).claims == []


@requirement("task.cancel.any-phase")
async def test_a_waiting_task_whose_cancel_is_wanted_is_not_claimed_any_more(store: Store) -> None:
    pk = await queued(store, "t")
    await store.request(pk, IntentKind.CANCEL, actor="ann", at=1.0)
    assert (await store.claim_next(owner="w", limit=9)).claims == []
    assert await store.claim(pk, owner="w", take_over=False) is None
    claimed = await store.claim(pk, owner="w", take_over=True)
    assert claimed is not None
    assert claimed.task.cancel_requested


async def test_a_task_whose_cancel_is_wanted_takes_no_other_ones_place(store: Store) -> None:
    unwanted, wanted = await queued(store, "u_1"), await queued(store, "u_2")
    await store.request(unwanted, IntentKind.CANCEL, actor="ann", at=1.0)
    assert [c.task.pk for c in (await store.claim_next(owner="w", limit=1)).claims] == [wanted]


async def test_concurrent_claims_of_one_task_give_it_to_one(store: Store) -> None:
    pk = await queued(store, "t")
    got: list[Claimed] = []

    async def claim(n: int) -> None:
        if (claimed := await store.claim(pk, owner=f"w{n}", take_over=False)) is not None:
            await begin(store, claimed)
            got.append(claimed)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(claim, 1)
    assert len(got) == 1


async def test_a_task_given_back_frees_its_session(store: Store) -> None:
    writer = await started(store, session_id=SESSION)
    await writer.append(event("task.queued", 3), status=Status.QUEUED)
    (claim,) = (await store.claim_next(owner="w", limit=1)).claims
    assert claim.task.pk == writer.pk
    assert claim.task.generation == 2


async def test_only_a_claim_that_is_no_takeover_counts_as_an_attempt(store: Store) -> None:
    pk = await queued(store, "t")
    assert (await row_of(store, pk)).attempts == 0
    (claim,) = (await store.claim_next(owner="w", limit=1)).claims
    await begin(store, claim)
    await store.claim(pk, owner="w", take_over=True)
    assert (await row_of(store, pk)).attempts == 1


async def test_a_waiting_task_that_is_taken_over_keeps_its_place(store: Store) -> None:
    """Whoever took it may find that there is nothing to do, and leave it as it is."""
    first, second = await queued(store, "q_1"), await queued(store, "q_2")
    taken = await store.claim(first, owner="w", take_over=True)
    assert taken is not None
    claims = (await store.claim_next(owner="w", limit=9)).claims
    assert [claim.task.pk for claim in claims] == [first, second]
    with pytest.raises(StaleWriterError):
        await Writer.of_claim(store, taken).end(Status.CANCELED)


async def test_a_waiting_task_that_is_taken_over_and_ended_is_in_no_queue(store: Store) -> None:
    pk = await queued(store, "t", session_id=SESSION)
    follower = await queued(store, "u", session_id=SESSION)
    taken = await store.claim(pk, owner="w", take_over=True)
    assert taken is not None
    await Writer.of_claim(store, taken).end(Status.EXPIRED)
    assert [wake.task_pk for wake in await store.wakes(at=0.0, limit=9)] == [follower]
    claims = (await store.claim_next(owner="w", limit=9)).claims
    assert [claim.task.pk for claim in claims] == [follower]


async def test_a_claim_is_synced_to_disk_and_a_look_that_finds_nothing_writes_nothing(
    file_store: SqliteStore, tmp_path: Path
) -> None:
    running = await started(file_store)
    pk = await queued(file_store, "t")
    await running.append_deltas()  # not synced
    statements: list[str] = []
    await file_store._write(lambda db: db.set_trace_callback(statements.append))
    assert await file_store.claim(pk, owner="w", take_over=False) is not None
    assert "PRAGMA synchronous = FULL" in statements
    await running.append_deltas()
    statements.clear()
    await file_store.claim(running.pk, owner="w", take_over=True)
    assert "PRAGMA synchronous = FULL" in statements
    size = (tmp_path / "tasks.db-wal").stat().st_size
    assert (await file_store.claim_next(owner="w", limit=9)).claims == []
    assert (tmp_path / "tasks.db-wal").stat().st_size == size
