"""Bounds, idempotency and shutdown: what the engine takes on, and what it leaves."""

from pathlib import Path

import anyio
import pytest

from agentlin_server.domain.errors import (
    IdempotencyConflictError,
    QueueFullError,
    ShuttingDownError,
)
from agentlin_server.domain.ids import LOCAL_TENANT, TaskId
from agentlin_server.domain.records import TaskFilter
from agentlin_server.domain.status import Status
from agentlin_server.engine.limits import EngineLimits
from agentlin_server.models.script import Answer, Gate, Text
from tests.engine.harness import Clock, says, scripted, serving, submission
from tests.requirements import requirement

pytestmark = pytest.mark.anyio


@requirement("create.queue-full")
async def test_a_create_beyond_the_limit_of_waiting_tasks_is_refused() -> None:
    gate = anyio.Event()
    model = scripted([Answer([Gate(gate), Text("x")], repeat=True)])
    async with serving(model, limits=EngineLimits(running_max=2, waiting_max=2)) as service:
        tasks = [await service.submit(str(n)) for n in range(4)]
        assert [task.status for task in tasks] == ["working", "working", "queued", "queued"]
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(QueueFullError) as caught:
            await service.submit("5")
        assert caught.value.retry_after_s > 0
        assert service.engine.running == 2
        gate.set()
        for task in tasks:
            await service.ended(task)
        await service.run("again there is room")


async def test_as_many_tasks_run_at_once_as_are_allowed_and_no_more() -> None:
    running, peak, gate = 0, 0, anyio.Event()

    async def enter() -> None:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await gate.wait()
        running -= 1

    model = scripted([Answer([Gate(enter), Text("x")], repeat=True)])
    async with serving(model, limits=EngineLimits(running_max=3)) as service:
        tasks = [await service.submit(str(n)) for n in range(8)]
        await anyio.wait_all_tasks_blocked()
        assert running == 3
        gate.set()
        for task in tasks:
            assert (await service.ended(task))["status"] == "completed"
    assert (running, peak) == (0, 3)


@requirement("server.drain")
async def test_a_stopping_server_ends_what_runs_and_leaves_what_waits(tmp_path: Path) -> None:
    gate, path = anyio.Event(), tmp_path / "tasks.db"
    limits = EngineLimits(running_max=1, stop_grace_s=5)
    model = scripted([[Gate(gate), Text("one")], says("must not begin")])
    async with serving(model, path=path, limits=limits) as service:
        running, waiting = await service.submit("1"), await service.submit("2")
        await anyio.wait_all_tasks_blocked()
        with anyio.fail_after(5):
            async with anyio.create_task_group() as group:
                group.start_soon(service.engine.drain)
                await anyio.wait_all_tasks_blocked()
                with pytest.raises(ShuttingDownError):
                    await service.submit("3")
                gate.set()
        assert (await service.ended(running))["status"] == "completed"
        assert (await service.row(waiting)).status is Status.QUEUED
    async with serving(scripted([says("two")]), path=path) as service:
        assert (await service.ended(waiting))["status"] == "completed"


@requirement("server.drain")
async def test_a_stopping_server_does_not_wait_for_ever() -> None:
    limits = EngineLimits(stop_grace_s=0.01)
    async with serving(scripted([[Gate(anyio.Event())]]), limits=limits) as service:
        task = await service.submit()
        await service.wait_for(task, "task.tools_updated")
        with anyio.fail_after(5):
            await service.engine.drain()
        assert (await service.row(task)).status is Status.QUEUED
        assert service.engine.running == 0


@requirement("create.idempotent")
async def test_a_repeated_create_is_the_same_task_and_one_model_call() -> None:
    model = scripted([says("x")])
    async with serving(model) as service:
        for named in ({"idempotency_key": "k"}, {"idempotency_key": "k", "retry_count": 1}):
            task, is_new = await service.engine.submit(submission("Hi", **named))
            await service.ended(task)
            assert is_new == ("retry_count" not in named)
    assert len(model.calls) == 1


@requirement("create.conflict", "create.idempotent")
async def test_a_task_id_belongs_to_one_body() -> None:
    async with serving(scripted([says("x")])) as service:
        first = await service.submit("Hi", task_id=TaskId("t"))
        again, is_new = await service.engine.submit(submission("Hi", task_id=TaskId("t")))
        assert (again.pk, is_new) == (first.pk, False)
        with pytest.raises(IdempotencyConflictError):
            await service.submit("Ho", task_id=TaskId("t"))
        await service.ended(first)


@requirement("create.counted-retry")
async def test_a_counted_retry_attaches_within_ten_minutes_of_the_same_caller() -> None:
    clock = Clock()
    model = scripted([Answer([Text("x")], repeat=True)])
    async with serving(model, clock=clock) as service:
        first = await service.submit("Hi")
        clock.now += 599
        retried, _ = await service.engine.submit(submission("Hi", retry_count=1))
        stranger, _ = await service.engine.submit(submission("Hi", retry_count=1, caller="bob"))
        plain, _ = await service.engine.submit(submission("Hi"))
        clock.now += 601
        late, _ = await service.engine.submit(submission("Hi", retry_count=2))
        assert retried.pk == first.pk
        assert len({first.pk, stranger.pk, plain.pk, late.pk}) == 4
        for task in (first, stranger, plain, late):
            await service.ended(task)


@requirement("task.detached")
async def test_a_caller_who_leaves_in_the_middle_of_a_create_strands_no_task() -> None:
    model = scripted([Answer([Text("x")], repeat=True)])
    async with serving(model) as service:
        for n in range(6):
            async with anyio.create_task_group() as group:
                group.start_soon(service.submit, str(n))
                for _ in range(n):
                    await anyio.lowlevel.checkpoint()
                group.cancel_scope.cancel()
        tasks = await service.store.list(TaskFilter(tenant=LOCAL_TENANT))
        for task in tasks:
            assert (await service.ended(task))["status"] == "completed"
        assert tasks
        await service.run("and the slots are free")


async def test_a_create_before_the_engine_serves_waits() -> None:
    model = scripted([says("x")])
    async with serving(model) as service:
        service.engine._dispatcher._group, group = None, service.engine._dispatcher._group
        task = await service.submit()
        assert task.status is Status.QUEUED
        service.engine._dispatcher._group = group
        service.engine._dispatcher.wake()
        assert (await service.ended(task))["status"] == "completed"


@requirement("create.queue-full")
async def test_one_busy_session_fills_the_queue_but_no_free_slot() -> None:
    gate = anyio.Event()
    model = scripted([Answer([Gate(gate), Text("x")], repeat=True)])
    async with serving(model, limits=EngineLimits(running_max=9, waiting_max=2)) as service:
        tasks = [await service.submit(str(n), session="s") for n in range(3)]
        with pytest.raises(QueueFullError):
            await service.submit("4", session="s")
        tasks.append(await service.submit("beside", session="another"))
        gate.set()
        for task in tasks:
            await service.ended(task)
        assert service.engine._dispatcher.running == 0
