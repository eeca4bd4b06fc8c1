"""A graceful stop: steps finish within the grace, the rest is put back, nothing is lost."""

from pathlib import Path

import anyio
import pytest

from agentlin_server.domain.status import Status
from agentlin_server.domain.tool import Effect
from agentlin_server.engine.limits import EngineLimits
from agentlin_server.models.script import Gate, Text, ToolCall
from tests.engine.harness import says, scripted, serving, text_of, with_tools
from tests.engine.streams import collect, types_of
from tests.engine.tools import NotingTool
from tests.requirements import requirement

pytestmark = pytest.mark.anyio
CALL = ToolCall("note", "{}", "call_1")


@requirement("server.drain")
async def test_a_step_is_finished_and_the_next_process_makes_the_one_after_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "tasks.db"
    tool = NotingTool(gate=(gate := anyio.Event()))
    async with serving(scripted([[CALL]]), path=path, tools=[tool]) as service:
        task = await service.submit(spec=with_tools(tool))
        with anyio.fail_after(5):
            await tool.started.wait()
            async with anyio.create_task_group() as group:
                group.start_soon(service.engine.drain)
                await anyio.wait_all_tasks_blocked()
                gate.set()
        row = await service.row(task)
        assert (row.status, row.attempts) == (Status.QUEUED, 0)
    async with serving(scripted([says("Done")]), path=path, tools=[tool]) as service:
        ended = await service.ended(task)
        batches = await collect(service.reader, task.pk)
    assert text_of(ended) == "Done"
    assert tool.ended == ["call_1"]
    assert types_of(batches).count("task.queued") == 1
    assert {item["status"] for item in ended["output"]} == {"completed"}


@requirement("server.drain")
async def test_a_call_that_takes_too_long_is_cut_off_and_made_again(tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"
    limits = EngineLimits(stop_grace_s=0.01)
    model = scripted([[Text("half"), Gate(anyio.Event())]])
    async with serving(model, path=path, limits=limits) as service:
        task = await service.submit()
        await service.wait_for(task, "task.text.delta")
        with anyio.fail_after(5):
            await service.engine.drain()
        assert (await service.row(task)).status is Status.QUEUED
        assert model.calls[0].outcome == "closed_early"
    async with serving(scripted([says("whole")]), path=path) as service:
        ended = await service.ended(task)
    assert [item["status"] for item in ended["output"]] == ["incomplete", "completed"]
    assert text_of(ended) == "whole"


@requirement("server.drain", "tool.unsafe-once")
@pytest.mark.parametrize(("effect", "runs"), [(Effect.UNSAFE, 1), (Effect.READ, 2)])
async def test_a_tool_that_takes_too_long_is_stopped_as_by_a_crash(
    tmp_path: Path, effect: Effect, runs: int
) -> None:
    path = tmp_path / "tasks.db"
    tool = NotingTool(effect=effect, gate=(gate := anyio.Event()))
    limits = EngineLimits(stop_grace_s=0.01)
    async with serving(scripted([[CALL]]), path=path, tools=[tool], limits=limits) as service:
        task = await service.submit(spec=with_tools(tool))
        with anyio.fail_after(5):
            await tool.started.wait()
            await service.engine.drain()
    gate.set()
    async with serving(scripted([says("Done")]), path=path, tools=[tool]) as service:
        assert text_of(await service.ended(task)) == "Done"
    assert len(tool.begun) == runs


@requirement("server.drain")
async def test_readers_are_let_go_so_that_they_come_back_to_the_next_process() -> None:
    limits = EngineLimits(stop_grace_s=0.01)
    async with serving(scripted([[Text("x"), Gate(anyio.Event())]]), limits=limits) as service:
        task = await service.submit()
        seen: list[str] = []

        async def read() -> None:
            seen.extend(types_of(await collect(service.reader, task.pk)))

        with anyio.fail_after(5):
            async with anyio.create_task_group() as group:
                group.start_soon(read)
                await service.wait_for(task, "task.text.delta")
                await service.engine.drain()
        assert seen[-1] == "task.queued"
