"""Pause and resume: between steps, once, whatever comes in between."""

from pathlib import Path

import anyio
import pytest

from agentlin_server.domain.errors import (
    TaskNotFoundError,
    TaskNotPausableError,
    TaskNotResumableError,
)
from agentlin_server.domain.records import IntentKind
from agentlin_server.domain.status import Status
from agentlin_server.domain.tool import Effect
from agentlin_server.models.script import Gate, Text, ToolCall
from tests.engine.harness import results_of, says, scripted, serving, text_of, with_tools
from tests.engine.streams import collect, types_of, validated
from tests.engine.tools import NotingTool
from tests.requirements import requirement

pytestmark = pytest.mark.anyio
CALL = ToolCall("note", "{}", "call_1")


@requirement("task.pause.between-steps")
async def test_a_task_pauses_after_the_results_of_its_step_and_goes_on_when_resumed() -> None:
    gate = anyio.Event()
    tool = NotingTool(gate=gate)
    model = scripted([[CALL], says("Done")])
    async with serving(model, tools=[tool]) as service:
        task = await service.submit(spec=with_tools(tool))
        with anyio.fail_after(5):
            await tool.started.wait()
        asked = await service.engine.pause(await service.row(task), actor="ann")
        assert (asked.status, asked.pause_requested) == (Status.WORKING, True)
        gate.set()
        at_rest = validated(await collect(service.reader, task.pk, until_final=False))
        assert at_rest["status"] == "paused"
        assert results_of(at_rest) == {"call_1": ["note did call_1"]}
        assert len(model.calls) == 1
        again = await service.engine.pause(await service.row(task), actor="ann")
        assert (again.status, again.pause_requested) == (Status.PAUSED, False)
        await service.engine.resume(again, actor="ann")
        ended = await service.ended(task)
        batches = await collect(service.reader, task.pk)
    assert text_of(ended) == "Done"
    assert tool.ended == ["call_1"]
    kinds = [kind for kind in types_of(batches) if kind.count(".") == 1]
    assert kinds == [
        "task.created",
        "task.working",
        "task.tools_updated",
        "task.paused",
        "task.queued",
        "task.working",
        "task.completed",
    ]


async def test_a_queued_task_can_be_paused_before_it_begins() -> None:
    gate = anyio.Event()
    model = scripted([[Gate(gate), Text("One")], says("Two")])
    async with serving(model) as service:
        first = await service.submit("1", session="s")
        second = await service.submit("2", session="s")
        await service.engine.pause(await service.row(second), actor="ann")
        gate.set()
        await service.ended(first)
        at_rest = validated(await collect(service.reader, second.pk, until_final=False))
        assert (at_rest["status"], at_rest["output"]) == ("paused", [])
        await service.engine.resume(await service.row(second), actor="ann")
        assert text_of(await service.ended(second)) == "Two"


async def test_a_resume_before_the_pause_took_effect_withdraws_it() -> None:
    gate = anyio.Event()
    tool = NotingTool(gate=gate)
    async with serving(scripted([[CALL], says("Done")]), tools=[tool]) as service:
        task = await service.submit(spec=with_tools(tool))
        with anyio.fail_after(5):
            await tool.started.wait()
        await service.engine.pause(await service.row(task), actor="ann")
        resumed = await service.engine.resume(await service.row(task), actor="ann")
        assert not resumed.pause_requested
        again = await service.engine.resume(await service.row(task), actor="ann")
        assert not again.pause_requested
        gate.set()
        await service.ended(task)
        assert "task.paused" not in types_of(await collect(service.reader, task.pk))


async def test_a_withdrawal_at_the_last_moment_is_found_by_the_pause_itself() -> None:
    gate = anyio.Event()
    tool = NotingTool(gate=gate)
    async with serving(scripted([[CALL], says("Done")]), tools=[tool]) as service:
        task = await service.submit(spec=with_tools(tool))
        with anyio.fail_after(5):
            await tool.started.wait()
        await service.engine.pause(await service.row(task), actor="ann")
        await service.store.request(task.pk, IntentKind.RESUME, actor="elsewhere", at=0.0)
        gate.set()
        assert (await service.ended(task))["status"] == "completed"
        assert "task.paused" not in types_of(await collect(service.reader, task.pk))


async def test_an_end_that_is_reached_first_wins() -> None:
    gate = anyio.Event()
    async with serving(scripted([[Text("So"), Gate(gate)]])) as service:
        task = await service.submit()
        await service.wait_for(task, "task.text.delta")
        await service.engine.pause(await service.row(task), actor="ann")
        gate.set()
        assert (await service.ended(task))["status"] == "completed"
        row = await service.row(task)
        assert not row.pause_requested
        with pytest.raises(TaskNotPausableError, match="completed"):
            await service.engine.pause(row, actor="ann")
        with pytest.raises(TaskNotResumableError, match="completed"):
            await service.engine.resume(row, actor="ann")


async def test_nobody_can_resume_what_was_never_paused() -> None:
    async with serving(scripted([[Gate(anyio.Event())]])) as service:
        task = await service.submit()
        with pytest.raises(TaskNotResumableError, match="nobody asked"):
            await service.engine.resume(task, actor="ann")


async def test_a_paused_task_holds_its_session_and_can_be_canceled() -> None:
    model = scripted([[CALL], says("Next")])
    tool = NotingTool(gate=(gate := anyio.Event()))
    async with serving(model, tools=[tool]) as service:
        task = await service.submit(spec=with_tools(tool), session="s")
        with anyio.fail_after(5):
            await tool.started.wait()
        await service.engine.pause(await service.row(task), actor="ann")
        gate.set()
        await service.wait_for(task, "task.paused")
        following = await service.submit("next", session="s")
        assert following.status is Status.QUEUED
        canceled = await service.engine.cancel(await service.row(task), actor="ann")
        assert canceled.status is Status.CANCELED
        assert text_of(await service.ended(following)) == "Next"


async def test_a_pause_outlives_its_process(tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"
    tool = NotingTool("look", effect=Effect.READ, gate=anyio.Event())
    call = ToolCall("look", "{}", "call_1")
    async with serving(scripted([[call]]), tools=[tool], path=path) as service:
        task = await service.submit(spec=with_tools(tool))
        with anyio.fail_after(5):
            await tool.started.wait()
        await service.engine.pause(await service.row(task), actor="ann")
    tool = NotingTool("look", effect=Effect.READ)
    async with serving(scripted([says("Done")]), tools=[tool], path=path) as service:
        await service.wait_for(task, "task.paused")
        assert tool.ended == ["call_1"]
        await service.engine.resume(await service.row(task), actor="ann")
        assert text_of(await service.ended(task)) == "Done"


@requirement("task.delete")
async def test_a_deleted_task_can_be_neither_paused_nor_resumed() -> None:
    async with serving(scripted([says("So")])) as service:
        task = await service.submit()
        await service.ended(task)
        await service.engine.delete(await service.row(task), actor="ann")
        with pytest.raises(TaskNotFoundError):
            await service.engine.pause(task, actor="ann")
        with pytest.raises(TaskNotFoundError):
            await service.engine.resume(task, actor="ann")
