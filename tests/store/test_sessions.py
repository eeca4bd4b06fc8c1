"""Sessions: who came before, and which tasks their context holds."""

import pytest

from agentlin_server.domain.ids import SessionId, Tenant
from agentlin_server.domain.ports import Store
from agentlin_server.domain.status import Status
from tests.requirements import requirement
from tests.store.rows import TENANT, Writer, done, item, new_task, started

pytestmark = pytest.mark.anyio
SESSION = SessionId("s")


async def ended(store: Store, task_id: str, status: Status = Status.COMPLETED) -> Writer:
    writer = await started(store, task_id, session_id=SESSION)
    await writer.end(status)
    return writer


@requirement("session.context")
async def test_the_final_tasks_before_a_place_come_oldest_first(store: Store) -> None:
    for n, status in enumerate(sorted({Status.COMPLETED, Status.FAILED, Status.CANCELED})):
        await ended(store, f"s_{n}", status)
    now = await started(store, "now", session_id=SESSION)
    later = await store.create(new_task("later", session_id=SESSION))
    assert later.task.session_pos == 4
    found = await store.session_tasks(TENANT, SESSION, before=3)
    assert [task.id for task in found] == ["s_0", "s_1", "s_2"]
    assert [t.id for t in await store.session_tasks(TENANT, SESSION, before=1)] == ["s_0"]
    await now.end()
    assert len(await store.session_tasks(TENANT, SESSION, before=4)) == 4
    assert await store.session_tasks(Tenant("theirs"), SESSION, before=9) == []


@requirement("session.context")
async def test_previous_task_id_names_the_last_task_that_the_context_holds(store: Store) -> None:
    await ended(store, "one")
    empty = await ended(store, "two", Status.FAILED)
    three = await store.create(new_task("three", session_id=SESSION))
    assert three.task.previous_task_id == "one", "a failed task without an item is left out"
    writer = Writer.of(store, three)
    await writer.append(done(3), items=[item()])
    await writer.end(Status.CANCELED)
    four = await store.create(new_task("four", session_id=SESSION))
    assert four.task.previous_task_id == "three"
    assert empty.pk != four.task.pk


@requirement("task.delete.context")
async def test_a_deleted_task_leaves_its_session(store: Store) -> None:
    one = await ended(store, "one")
    await ended(store, "two")
    three = await store.create(new_task("three", session_id=SESSION))
    await store.delete(one.pk, reserved_until=2_000.0)
    found = await store.session_tasks(TENANT, SESSION, before=three.task.session_pos)
    assert [task.id for task in found] == ["two"]


async def test_deleting_the_task_that_is_busy_frees_its_session(store: Store) -> None:
    busy = await started(store, session_id=SESSION)
    waiting = await store.create(new_task(session_id=SESSION))
    await store.delete(busy.pk, reserved_until=2_000.0)
    (claim,) = (await store.claim_next(owner="w", limit=1)).claims
    assert claim.task.pk == waiting.task.pk


async def test_a_session_without_tasks_is_forgotten(store: Store) -> None:
    one = await ended(store, "one")
    await store.delete(one.pk, reserved_until=2_000.0)
    again = await store.create(new_task("two", session_id=SESSION))
    assert (again.task.session_pos, again.started) == (0, True)
