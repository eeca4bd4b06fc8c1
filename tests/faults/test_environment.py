"""A clock that jumps, a full disk, a locked database: the server goes on, and nothing is lost."""

import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest

from tests.faults import actions
from tests.faults.screenplay import Plan, PlanStep
from tests.faults.server import Faults
from tests.faults.subject import Subject
from tests.faults.world import World, living_world

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

DAY_S = 24 * 3600.0
SLOW = (PlanStep(words=60, delay_s=0.02),)
QUICK = (PlanStep(words=3),)


@asynccontextmanager
async def serving(folder: Path) -> AsyncGenerator[World]:
    with anyio.fail_after(60):
        async with living_world(folder, seed=1, faults=[Faults(busy_timeout_ms=100)]) as world:
            yield world
            assert world.epoch == 1, "it is still the same process"


def _follow(world: World, name: str, steps: Any, **params: Any) -> Subject:
    subject = actions.new_subject(world, Plan(name, steps), task_id=name, **params)
    world.follow(subject, is_creator=True, drops=False)
    return subject


async def _finish(world: World, *, is_quiet: bool = True) -> None:
    await actions.drive_all(world)
    await world.wait_readers()
    await actions.check_all(world, is_quiet=is_quiet)


async def _post(world: World, task_id: str) -> httpx.Response:
    """Send a create, without anything that would try again."""
    body = {"user_message_content": Plan(task_id, QUICK).message(), "task_id": task_id}
    async with httpx.AsyncClient(base_url=world.server.address) as client:
        return await client.post("/v1/tasks", json=body, headers={"Idempotency-Key": task_id})


@pytest.mark.parametrize("jump_s", [DAY_S, -DAY_S])
async def test_a_clock_that_jumps_expires_nothing_early_and_nothing_late(
    tmp_path: Path, jump_s: float
) -> None:
    async with serving(tmp_path) as world:
        patient = _follow(world, "patient", SLOW, timeout_s=60)
        hasty = _follow(world, "hasty", (PlanStep(words=3000, delay_s=0.02),), timeout_s=1.5)
        waiting = _follow(world, "waiting", QUICK, session_id="s")
        for subject in (patient, hasty):
            await subject.seen.wait_for("task.text.delta")
        world.server.levers.clock_s.value = jump_s
        later = _follow(world, "later", SLOW, timeout_s=60)
        with anyio.fail_after(15):
            await hasty.seen.wait_for("task.expired")
        await _finish(world)
        ends = [one.seen.final for one in (patient, hasty, waiting, later)]
        assert ends == ["completed", "expired", "completed", "completed"]


async def _refuses_and_recovers(world: World, lift: Any) -> None:
    """Creates are refused with a clear error while what is there can be read; then all is well."""
    refused = await _post(world, "refused")
    assert refused.status_code == 503
    error = refused.json()["error"]
    assert error["code"] == -32603
    assert str(world.server.folder) not in refused.text, "no path of the server's"
    done = await world.api.call("GET", "/before")
    assert done is not None
    assert done.task["status"] == "completed"
    await lift()
    taken = await _post(world, "refused")
    assert taken.status_code == 200
    assert taken.json()["result"]["status"] == "completed"


async def _goes_on(world: World, running: Subject) -> None:
    """The task that ran meanwhile goes on; clients saw nothing that the log does not have."""
    with anyio.fail_after(30):
        await _finish(world, is_quiet=False)
    assert running.seen.final == "completed"


async def test_a_full_disk_refuses_writes_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    async with serving(tmp_path) as world:
        _follow(world, "before", QUICK)
        running = _follow(world, "running", SLOW)
        await running.seen.wait_for("task.text.delta")

        async def make_room() -> None:
            world.server.levers.is_disk_full.value = 0

        world.server.levers.is_disk_full.value = 1
        await _refuses_and_recovers(world, make_room)
        await _goes_on(world, running)


async def test_a_locked_database_refuses_writes_and_goes_on_when_it_is_free(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as world:
        _follow(world, "before", QUICK)
        running = _follow(world, "running", SLOW)
        await running.seen.wait_for("task.text.delta")
        db = sqlite3.connect(world.server.db, isolation_level=None, check_same_thread=False)
        with closing(db) as other:
            await anyio.to_thread.run_sync(partial(_lock, other))

            async def free() -> None:
                other.execute("ROLLBACK")

            await _refuses_and_recovers(world, free)
        await _goes_on(world, running)


def _lock(other: sqlite3.Connection) -> None:
    other.execute("BEGIN EXCLUSIVE")
