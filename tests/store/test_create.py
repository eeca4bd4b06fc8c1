"""Creating tasks: once per request, whatever is repeated."""

import anyio
import pytest

from agentlin_server.domain.errors import IdempotencyConflictError, QueueFullError, StorageError
from agentlin_server.domain.ids import SessionId, Tenant, UserId
from agentlin_server.domain.ports import Store
from agentlin_server.domain.records import TaskFilter
from agentlin_server.domain.status import Status
from tests.requirements import requirement
from tests.store.rows import SPEC, TENANT, key, log_of, new_task, started

pytestmark = pytest.mark.anyio


async def test_a_task_starts_at_once_if_a_worker_is_free(store: Store) -> None:
    new = new_task("t", metadata=b'{"a":1}', client_id="c")
    created = await store.create(new)
    assert (created.is_new, created.started) == (True, True)
    task = created.task
    assert (task.id, task.status, task.generation, task.attempts) == ("t", Status.WORKING, 1, 1)
    assert (task.user_id, task.client_id, task.metadata) == ("user_default", "c", b'{"a":1}')
    assert (task.created_at, task.finished_at, task.session_pos) == (1_000.0, None, 0)
    assert task.parent_id is task.previous_task_id is None
    assert await log_of(store, task.pk) == list(new.events_if_started)
    assert await store.get(TENANT, "t") == await store.get_by_pk(task.pk) == task


async def test_a_task_waits_if_no_worker_is_free(store: Store) -> None:
    new = new_task(may_start=False)
    created = await store.create(new)
    assert (created.is_new, created.started) == (True, False)
    assert (created.task.status, created.task.generation) == (Status.QUEUED, 0)
    assert await log_of(store, created.task.pk) == list(new.events_if_queued)


@requirement("create.idempotent")
async def test_the_same_task_id_and_body_is_the_same_task(store: Store) -> None:
    first = await store.create(new_task("t"))
    again = await store.create(new_task("t", at=1e9))
    assert (again.is_new, again.started) == (False, False)
    assert again.task == first.task
    assert len(await store.list(TaskFilter(tenant=TENANT))) == 1


@requirement("create.conflict")
async def test_the_same_task_id_with_another_body_is_a_conflict(store: Store) -> None:
    await store.create(new_task("t"))
    with pytest.raises(IdempotencyConflictError, match="'t'"):
        await store.create(new_task("t", body_hmac="another"))
    assert len(await store.list(TaskFilter(tenant=TENANT))) == 1


@requirement("create.idempotent")
async def test_the_same_key_and_body_is_the_same_task_however_long_ago(store: Store) -> None:
    named = {"idempotency": key("k"), "is_repeat": True, "body_hmac": "b"}
    first = await store.create(new_task("t1", **named))
    again = await store.create(new_task("t2", at=1e12, **named))
    assert (again.is_new, again.task.id) == (False, "t1")
    assert first.task == again.task
    assert await store.get(TENANT, "t2") is None


@requirement("create.conflict")
async def test_the_same_key_with_another_body_is_a_conflict(store: Store) -> None:
    await store.create(new_task(idempotency=key("k"), is_repeat=True))
    with pytest.raises(IdempotencyConflictError, match="Idempotency-Key"):
        await store.create(new_task(idempotency=key("k"), is_repeat=True))


@requirement("create.idempotent")
async def test_concurrent_creates_with_one_key_make_one_task(store: Store) -> None:
    made: list[tuple[str, bool]] = []

    async def create(n: int) -> None:
        named = {"idempotency": key("k"), "is_repeat": True, "body_hmac": "b"}
        created = await store.create(new_task(f"racing_{n}", **named))
        made.append((created.task.id, created.is_new))

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            for n in range(8):
                group.start_soon(create, n)
    assert len(made) == 8
    assert len({task_id for task_id, _ in made}) == 1
    assert sum(is_new for _, is_new in made) == 1


@requirement("create.counted-retry")
async def test_a_counted_retry_finds_a_task_until_its_record_expires(store: Store) -> None:
    at = {"idempotency": key("r", "retry", expires_at=1_600.0), "body_hmac": "b"}
    await store.create(new_task("t1", **at))
    within = await store.create(new_task("t2", at=1_599.9, is_repeat=True, **at))
    assert (within.task.id, within.is_new) == ("t1", False)
    after = await store.create(new_task("t3", at=1_600.0, is_repeat=True, **at))
    assert (after.task.id, after.is_new) == ("t3", True)


async def test_an_equal_create_that_is_no_retry_is_a_task_of_its_own(store: Store) -> None:
    at = {"idempotency": key("r", "retry", expires_at=1_600.0), "body_hmac": "b"}
    await store.create(new_task("t1", **at))
    second = await store.create(new_task("t2", **at))
    assert second.is_new
    retried = await store.create(new_task("t3", is_repeat=True, **at))
    assert retried.task.id == "t2", "a retry attaches to the newest"


async def test_routes_keep_keys_apart(store: Store) -> None:
    await store.create(new_task("t1", idempotency=key("k", "create"), body_hmac="b"))
    looking = {"idempotency": key("k", "retry"), "is_repeat": True, "body_hmac": "b"}
    assert (await store.create(new_task("t2", **looking))).is_new


@requirement("store.tenant")
async def test_tenants_share_neither_ids_nor_keys_nor_sessions(store: Store) -> None:
    theirs = Tenant("theirs")
    named = {"idempotency": key("k"), "is_repeat": True, "session_id": SessionId("s")}
    ours = await store.create(new_task("t", body_hmac="b1", user_id=UserId("ann"), **named))
    other = await store.create(new_task("t", body_hmac="b2", tenant=theirs, **named))
    assert other.is_new
    assert other.task.pk != ours.task.pk
    assert other.started, "a session of another tenant is another session"
    assert (ours.task.user_id, other.task.user_id) == ("ann", "user_default")
    assert await store.get(theirs, "t") == other.task
    assert await store.list(TaskFilter(tenant=theirs)) == [other.task]
    await store.delete(ours.task.pk, reserved_until=2_000.0)
    assert await store.spec(theirs, ours.task.spec_hash) == SPEC
    with pytest.raises(StorageError):
        await store.spec(TENANT, ours.task.spec_hash)
    again = await store.create(new_task("u", tenant=theirs, body_hmac="b2", **named))
    assert again.task == other.task


async def test_a_task_without_user_is_its_sessions(store: Store) -> None:
    session = SessionId("s")
    await store.create(new_task(session_id=session, user_id=UserId("ann")))
    second = await store.create(new_task(session_id=session))
    third = await store.create(new_task(session_id=session, user_id=UserId("bob")))
    assert (second.task.user_id, third.task.user_id) == ("ann", "bob")


async def test_the_request_is_the_first_fact_of_the_log(store: Store) -> None:
    created = await store.create(new_task("t"))
    (first,) = await store.read(created.task.pk, after_seq=-1, bytes_max=1)
    assert first.facts == [{"user_message_content": "to t"}]


@requirement("task.frozen")
async def test_equal_agents_are_stored_once_and_kept_while_a_task_needs_them(store: Store) -> None:
    one, two = await started(store), await started(store)
    assert await store.spec(TENANT, "hash of the spec") == SPEC
    await store.delete(one.pk, reserved_until=0.0)
    assert await store.spec(TENANT, "hash of the spec") == SPEC
    await store.delete(two.pk, reserved_until=0.0)
    with pytest.raises(StorageError, match="missing"):
        await store.spec(TENANT, "hash of the spec")


async def test_an_unknown_task_is_none(store: Store) -> None:
    writer = await started(store)
    assert await store.get(TENANT, "nobody") is None
    assert await store.get(Tenant("theirs"), "task_1") is None
    await store.delete(writer.pk, reserved_until=0.0)
    assert await store.get_by_pk(writer.pk) is None


@requirement("create.queue-full")
async def test_a_task_that_would_have_to_wait_is_refused_when_too_many_do(store: Store) -> None:
    busy = SessionId("s")
    await started(store, session_id=busy)
    await store.create(new_task("waits", session_id=busy, waiting_max=1))
    for may_start in (True, False):
        with pytest.raises(QueueFullError):
            await store.create(
                new_task("too_many", session_id=busy, may_start=may_start, waiting_max=1)
            )
    assert await store.get(TENANT, "too_many") is None
    again = await store.create(new_task("waits", session_id=busy, waiting_max=1))
    assert not again.is_new, "a repeat finds its task however full the queue is"
    assert (await store.create(new_task(waiting_max=0))).started, "who need not wait is taken"
