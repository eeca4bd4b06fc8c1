"""Nothing outlives its owner: no background task, no lock, no tail, no slot, no thread."""

import asyncio
import gc
import threading
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import anyio
import pytest

from agentlin_client.types.fold import TaskFold
from agentlin_server.domain.ids import LOCAL_TENANT
from agentlin_server.domain.records import TaskFilter, TaskRow
from agentlin_server.domain.status import Status
from agentlin_server.engine.hub import Tail
from agentlin_server.engine.limits import EngineLimits
from agentlin_server.engine.log import TaskLog
from agentlin_server.engine.run import TaskRun
from tests.engine.fates import FATES, FATES_BY_TIME, REST_MAX_S, Fate, Play, Stage
from tests.engine.harness import Service, serving
from tests.requirements import requirement

pytestmark = pytest.mark.anyio

LIMITS: Final = EngineLimits(
    cancel_grace_s=0.2, stop_grace_s=0.1, paused_max_s=REST_MAX_S, input_required_max_s=REST_MAX_S
)
PER_TASK: Final = (Tail, TaskFold, TaskLog, TaskRun)
"""What is made for a task that is run or read; a final one needs none of them."""


@asynccontextmanager
async def playing(path: Path, limits: EngineLimits = LIMITS) -> AsyncGenerator[Play]:
    """Run a service on a file, with an audience that leaves with the context."""
    stage = Stage()
    async with (
        serving(stage.model, path=path, limits=limits, tools=stage.tools) as service,
        anyio.create_task_group() as audience,
    ):
        yield Play(service, stage, audience)


def per_task_objects() -> Sequence[Any]:
    gc.collect()
    return [one for one in gc.get_objects() if isinstance(one, PER_TASK)]


def store_threads() -> set[threading.Thread]:
    return {one for one in threading.enumerate() if one.name.startswith("agentlin-")}


def timers() -> Sequence[Any]:
    """Return what the event loop is to call later for the engine, sleeping tasks aside."""
    scheduled: Sequence[asyncio.TimerHandle] = vars(asyncio.get_running_loop())["_scheduled"]
    called = [getattr(one._callback, "__module__", "") for one in scheduled if not one.cancelled()]
    return [module for module in called if module.startswith("agentlin_server")]


async def wait_ended(own: set["asyncio.Task[Any]"]) -> None:
    """Wait until no asyncio task is left besides these."""
    with anyio.fail_after(10):
        while others := asyncio.all_tasks() - own:
            await asyncio.wait(others)


async def wait_forgotten() -> None:
    """Wait until nothing of a task is in memory; a thread that just ends may hold it a moment."""
    with anyio.move_on_after(5):
        while per_task_objects():  # noqa: ASYNC110 - the garbage collector sets no event
            await anyio.sleep(0.01)
    assert per_task_objects() == []


async def assert_nothing_is_held(service: Service) -> None:
    engine, hub = service.engine, service.hub
    assert engine.running == 0
    assert engine._dispatcher.running == 0
    assert engine._shop.wishes.pauses == set()
    assert engine._control.takeover._locks._locks == {}
    assert (hub.size, len(service.reader._pages)) == (0, 0)
    assert hub._pacer.is_idle
    assert timers() == []
    await wait_forgotten()


@asynccontextmanager
async def leaving_nothing(path: Path, limits: EngineLimits = LIMITS) -> AsyncGenerator[Play]:
    """Run a service whose tasks all end in the context; then look for what they left behind."""
    stage = Stage()
    async with serving(stage.model, path=path, limits=limits, tools=stage.tools) as service:
        own = asyncio.all_tasks()
        async with anyio.create_task_group() as audience:
            yield Play(service, stage, audience)
        await wait_ended(own)
        await assert_nothing_is_held(service)
        outcomes = {call.outcome for call in stage.model.calls}
        assert outcomes <= {"finished", "failed", "closed_early"}


@requirement("server.leaves-nothing")
@pytest.mark.parametrize("fate", [*FATES, *FATES_BY_TIME], ids=lambda fate: fate.__name__)
async def test_a_task_leaves_nothing_behind(fate: Fate, tmp_path: Path) -> None:
    async with leaving_nothing(tmp_path / "tasks.db") as play:
        for number in range(2):
            await fate(play, str(number))
    assert play.seen_to_the_end >= 2


@requirement("server.leaves-nothing")
async def test_many_tasks_at_once_leave_nothing_behind(tmp_path: Path) -> None:
    """There are fewer slots than tasks, so that all kinds of ends meet in the queue as well."""
    limits = replace(LIMITS, running_max=8)
    async with leaving_nothing(tmp_path / "tasks.db", limits) as play:
        async with anyio.create_task_group() as group:
            for number in range(3):
                for fate in FATES:
                    group.start_soon(fate, play, f"{fate.__name__} {number}")
        for fate in FATES_BY_TIME:
            await fate(play, fate.__name__)
    assert play.seen_to_the_end >= 3 * len(FATES)


async def all_tasks(play: Play) -> Sequence[TaskRow]:
    return await play.service.store.list(TaskFilter(tenant=LOCAL_TENANT, limit=100))


async def busy(play: Play) -> None:
    """Have a task in each state that is not final."""
    await play.speaking("1", session="s")
    await play.submit("says 1", session="s")
    await play.working("waits 2")
    await play.working("sleeps 3")
    await play.asking("4")
    await play.paused("5")


@requirement("server.leaves-nothing", "server.drain")
async def test_a_drain_leaves_nothing_running_and_nobody_reading(tmp_path: Path) -> None:
    async with leaving_nothing(tmp_path / "tasks.db") as play:
        await busy(play)
        play.stage.gates["sleeps 3"].set()
        with anyio.fail_after(5):
            await play.service.engine.drain()
        tasks = await all_tasks(play)
        at_rest = {Status.QUEUED, Status.INPUT_REQUIRED, Status.PAUSED}
        assert {task.status for task in tasks} == at_rest
    assert play.seen_to_the_end == len(tasks)


@requirement("server.leaves-nothing")
async def test_a_stopped_service_leaves_neither_tasks_nor_threads(tmp_path: Path) -> None:
    before, threads = asyncio.all_tasks(), store_threads()
    with anyio.fail_after(20):
        async with playing(tmp_path / "tasks.db") as play:
            await busy(play)
            play.stage.gates["sleeps 3"].set()
            assert store_threads() > threads
            play.service.group.cancel_scope.cancel()
            play.audience.cancel_scope.cancel()
    assert asyncio.all_tasks() == before
    assert store_threads() == threads
    assert play.service.hub.size == 0
    assert {call.outcome for call in play.stage.model.calls} == {"finished", "closed_early"}


@requirement("server.leaves-nothing", "task.restart")
async def test_a_recovery_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"
    with anyio.fail_after(20):
        async with playing(path) as play:
            await busy(play)
            play.stage.gates["sleeps 3"].set()
            play.audience.cancel_scope.cancel()
        async with leaving_nothing(path) as play:
            for task in await all_tasks(play):
                if task.status is Status.WORKING:
                    await play.wait_for(task, "task.queued")
                await play.service.engine.delete(task, actor="ann")
            assert await all_tasks(play) == []
