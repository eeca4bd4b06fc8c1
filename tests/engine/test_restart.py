"""What a new process makes of what the one before left behind: every task goes on by itself."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from agentlin_server.domain.events import canceled
from agentlin_server.domain.records import IntentKind
from agentlin_server.domain.status import Signal, Status
from agentlin_server.domain.tool import Effect
from agentlin_server.engine.limits import EngineLimits
from agentlin_server.models.script import Answer, Fail, Gate, Reasoning, Text, ToolCall
from tests.engine.harness import results_of, says, scripted, serving, text_of, with_tools
from tests.engine.streams import collect, lines_of, types_of, validated
from tests.engine.tools import NotingTool
from tests.requirements import requirement

pytestmark = pytest.mark.anyio


def endless() -> Gate:
    return Gate(anyio.Event())


@requirement("task.restart", "journal.durable", "events.same-bytes", "task.call-again")
async def test_a_task_that_ran_goes_on_and_keeps_every_byte_that_was_seen(
    tmp_path: Path,
) -> None:
    path = tmp_path / "tasks.db"
    steps = [Reasoning("Hm. "), Text("So "), Text("far"), ToolCall("look", '{"a":'), endless()]
    async with serving(scripted([steps]), path=path) as service:
        task = await service.submit()
        await service.wait_for(task, "task.tool_call_arguments.delta")
        batches = service.reader.follow(task.pk, after_seq=-1, until_final=True, idle_s=5)
        seen: list[bytes] = []
        async for batch in batches:
            seen += lines_of([batch])
            if b"tool_call_arguments.delta" in seen[-1]:
                break
        await batches.aclose()
    model = scripted([says("Whole", " again")])
    async with serving(model, path=path) as service:
        ended = await service.ended(task)
        batches = await collect(service.reader, task.pk)
        replayed = lines_of(batches)
    assert replayed[: len(seen)] == seen
    assert (ended["status"], text_of(ended)) == ("completed", "Whole again")
    *old, new = ended["output"]
    assert [item["status"] for item in old] == ["incomplete"] * 3
    assert old[1]["message_content"][0]["text"] == "So far"
    assert old[2]["arguments"] == '{"a":'
    assert (new["attempt"], new["supersedes"]) == (2, old[0]["id"])
    assert [m["role"] for m in model.requests[0].messages] == ["system", "user"]
    kinds = [kind for kind in types_of(batches) if kind.count(".") == 1]
    assert kinds == [
        "task.created",
        "task.working",
        "task.tools_updated",
        "task.queued",
        "task.working",
        "task.completed",
    ]
    assert ended["usage"]["model_calls"] >= 1


@requirement("task.restart", "session.order", "task.frozen")
async def test_what_waited_runs_with_the_agent_that_it_was_created_with(tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"
    limits = EngineLimits(running_max=1)
    async with serving(scripted([[endless()]]), path=path, limits=limits) as service:
        running = await service.submit("1", session="s")
        waiting = await service.submit("2", session="s")
    model = scripted([says("One"), says("Two")])
    async with serving(model, path=path) as service:
        assert text_of(await service.ended(running)) == "One"
        ended = await service.ended(waiting)
        assert "task.queued" in types_of(await collect(service.reader, waiting.pk))
    assert text_of(ended) == "Two"
    assert model.requests[0].messages[0]["content"] == "Be brief."


@requirement("task.restart")
async def test_a_finished_step_is_not_made_again(tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"
    tool = NotingTool()
    call = ToolCall("note", "{}", "call_1")
    async with serving(scripted([[call], [Text("x"), endless()]]), path=path, tools=[tool]) as one:
        task = await one.submit(spec=with_tools(tool))
        await one.wait_for(task, "task.text.delta")
    model = scripted([says("Done")])
    async with serving(model, path=path, tools=[tool]) as service:
        ended = await service.ended(task)
        rollouts = await service.store.rollouts(task.pk)
    assert tool.ended == ["call_1"]
    assert [m["role"] for m in model.requests[0].messages] == [
        "system",
        "user",
        "assistant",
        "tool",
    ]
    assert results_of(ended) == {"call_1": ["note did call_1"]}
    assert [(one.n, one.parent_n, one.step) for one in rollouts] == [(0, None, 1), (1, 0, 2)]


@requirement("tool.unsafe-once")
async def test_an_unsafe_tool_that_was_running_is_not_run_again(tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"
    tool = NotingTool("pay", gate=anyio.Event())
    call = ToolCall("pay", "{}", "call_1")
    async with serving(scripted([[call]]), path=path, tools=[tool]) as service:
        task = await service.submit(spec=with_tools(tool))
        with anyio.fail_after(5):
            await tool.started.wait()
    model = scripted([says("I will check.")])
    async with serving(model, path=path, tools=[tool]) as service:
        ended = await service.ended(task)
    assert tool.keys == [f"{task.id}:call_1"]
    assert "outcome" in model.requests[0].messages[-1]["content"] or (
        "unknown" in model.requests[0].messages[-1]["content"]
    )
    assert [(i["type"], i["status"]) for i in ended["output"]] == [
        ("tool_call", "completed"),
        ("tool_result", "incomplete"),
        ("tool_result", "completed"),
        ("message", "completed"),
    ]


@requirement("tool.unsafe-once")
@pytest.mark.parametrize("effect", [Effect.READ, Effect.IDEMPOTENT])
async def test_a_repeatable_tool_that_was_running_runs_again_under_the_same_key(
    tmp_path: Path, effect: Effect
) -> None:
    path = tmp_path / "tasks.db"
    gate = anyio.Event()
    tool = NotingTool("look", effect, gate=gate)
    call = ToolCall("look", "{}", "call_1")
    async with serving(scripted([[call]]), path=path, tools=[tool]) as service:
        task = await service.submit(spec=with_tools(tool))
        with anyio.fail_after(5):
            await tool.started.wait()
    gate.set()
    async with serving(scripted([says("Done")]), path=path, tools=[tool]) as service:
        ended = await service.ended(task)
    assert tool.keys == [f"{task.id}:call_1"] * 2
    assert results_of(ended) == {"call_1": ["look did call_1"]}


@requirement("task.restart")
async def test_a_result_that_was_written_before_the_crash_stands(tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"
    quick = NotingTool("quick")
    slow = NotingTool("slow", Effect.READ, gate=(gate := anyio.Event()))
    calls = [ToolCall("slow", "{}", "call_1"), ToolCall("quick", "{}", "call_2")]
    spec = with_tools(quick, slow)
    async with serving(scripted([calls]), path=path, tools=[quick, slow]) as service:
        task = await service.submit(spec=spec)
        await service.wait_for(task, "task.tool_result.done")
    gate.set()
    model = scripted([says("Done")])
    async with serving(model, path=path, tools=[quick, slow]) as service:
        await service.ended(task)
    assert (quick.ended, slow.ended) == (["call_2"], ["call_1"])
    assert [m.get("tool_call_id") for m in model.requests[0].messages[-2:]] == ["call_1", "call_2"]


@requirement("task.poison")
async def test_a_task_that_dies_with_its_process_three_times_fails(tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"
    ended: dict[str, Any] = {}
    async with serving(scripted([[Text("x"), endless()]]), path=path) as service:
        task = await service.submit()
        await service.wait_for(task, "task.text.delta")
    for n in range(2):
        async with serving(scripted([[Text("x"), endless()]]), path=path) as service:
            with anyio.fail_after(5):
                while (await service.row(task)).attempts < n + 2:
                    await anyio.lowlevel.checkpoint()
                await service.wait_for(task, "task.text.delta")
    async with serving(scripted([says("ok")]), path=path) as service:
        ended = await service.ended(task)
        assert (await service.run())["status"] == "completed"
    assert ended["status"] == "failed"
    assert ended["error"]["data"]["reason"] == "crashed_repeatedly"
    assert "3 times" in ended["error"]["message"]


@requirement("task.poison")
async def test_steps_that_were_done_in_between_take_the_suspicion_away(tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"
    tool = NotingTool()
    spec = with_tools(tool)
    first = scripted([[Text("x"), endless()]])
    async with serving(first, path=path, tools=[tool]) as service:
        task = await service.submit(spec=spec)
        await service.wait_for(task, "task.text.delta")
    for n in range(4):
        steps = [[ToolCall("note", "{}", f"call_{n}")], [Text("y"), endless()]]
        async with serving(scripted(steps), path=path, tools=[tool]) as service:
            with anyio.fail_after(5):
                while len(tool.ended) <= n or (await service.row(task)).attempts > 0:
                    await anyio.lowlevel.checkpoint()
    async with serving(scripted([says("ok")]), path=path, tools=[tool]) as service:
        assert text_of(await service.ended(task)) == "ok"


@requirement("task.restart")
async def test_a_great_many_unfinished_tasks_go_on_under_the_usual_limit(tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"
    blocked = scripted([Answer([Text("x"), endless()], repeat=True)])
    async with serving(blocked, path=path, limits=EngineLimits(running_max=200)) as service:
        tasks = [await service.submit(str(n)) for n in range(200)]
        for task in tasks:
            await service.wait_for(task, "task.text.delta")
    running, peak = 0, 0

    async def enter() -> None:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await anyio.lowlevel.checkpoint()
        running -= 1

    model = scripted([Answer([Gate(enter), Text("done")], repeat=True)])
    async with serving(model, path=path, limits=EngineLimits(running_max=7)) as service:
        for task in tasks:
            assert text_of(await service.ended(task)) == "done"
    assert peak <= 7


@requirement("task.restart")
@pytest.mark.parametrize("kind", [IntentKind.CANCEL, IntentKind.DELETE])
async def test_what_was_wanted_of_a_task_is_done(tmp_path: Path, kind: IntentKind) -> None:
    path = tmp_path / "tasks.db"
    async with serving(scripted([[Text("x"), endless()]]), path=path) as service:
        task = await service.submit()
        await service.wait_for(task, "task.text.delta")
        await service.store.request(task.pk, kind, actor="ann", at=1.0)
    async with serving(scripted([]), path=path) as service:
        if kind is IntentKind.CANCEL:
            assert (await service.ended(task))["status"] == "canceled"
        else:
            with anyio.fail_after(5):
                while await service.store.get_by_pk(task.pk) is not None:
                    await anyio.lowlevel.checkpoint()


@requirement("task.restart")
async def test_a_resume_that_was_recorded_is_done(tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"
    tool = NotingTool(gate=(gate := anyio.Event()))
    call = ToolCall("note", "{}", "call_1")
    async with serving(scripted([[call]]), path=path, tools=[tool]) as service:
        task = await service.submit(spec=with_tools(tool))
        with anyio.fail_after(5):
            await tool.started.wait()
        await service.engine.pause(await service.row(task), actor="ann")
        gate.set()
        await service.wait_for(task, "task.paused")
        await service.store.request(task.pk, IntentKind.RESUME, actor="ann", at=1.0)
    async with serving(scripted([says("on")]), path=path, tools=[tool]) as service:
        assert text_of(await service.ended(task)) == "on"


@requirement("task.restart")
async def test_a_claim_that_never_came_to_work_is_lost_to_nobody(tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"
    async with serving(scripted([[endless()]]), path=path) as service:
        service.engine._dispatcher.stop_claiming()
        await service.submit("1", session="s")
        waiting = await service.submit("2", session="s")
        first = await service.store.get(waiting.tenant, waiting.previous_task_id or "")
        assert first is not None
        await service.engine.cancel(first, actor="ann")
        (claim,) = (await service.store.claim_next(owner="died at once", limit=1)).claims
        assert claim.task.pk == waiting.pk
    async with serving(scripted([says("ok")]), path=path) as service:
        assert (await service.ended(waiting))["status"] == "completed"


@requirement("task.unfinished-call")
async def test_items_that_were_done_before_the_call_ended_become_incomplete(
    tmp_path: Path,
) -> None:
    path = tmp_path / "tasks.db"
    steps = [Reasoning("thought"), Text("said"), Reasoning("again"), endless()]
    async with serving(scripted([[ToolCall("look")], steps]), path=path) as service:
        task = await service.submit()
        with anyio.fail_after(5):
            while len((await service.reader.snapshot(await service.row(task)))["output"]) < 5:
                await anyio.lowlevel.checkpoint()
    async with serving(scripted([[Fail("request")]]), path=path) as service:
        ended = await service.ended(task)
    assert [(item["type"], item["status"]) for item in ended["output"]] == [
        ("tool_call", "completed"),
        ("tool_result", "completed"),
        ("reasoning", "incomplete"),
        ("message", "incomplete"),
        ("reasoning", "incomplete"),
    ]


@requirement("journal.fenced")
async def test_a_takeover_fences_a_run_in_the_middle_of_its_answer() -> None:
    gate = anyio.Event()
    model = scripted([[Text("mine"), Gate(gate), Text(" no more")]])
    async with serving(model) as service:
        task = await service.submit()
        await service.wait_for(task, "task.text.delta")
        takeover = service.engine._recovery.takeover
        await takeover.end(task.pk, Signal.CANCEL, lambda _: canceled())
        ended = await service.ended(task)
        gate.set()
        await anyio.wait_all_tasks_blocked()
        assert service.engine.running == 0
        assert await service.reader.snapshot(await service.row(task)) == ended
        await takeover.end(task.pk, Signal.CANCEL, lambda _: canceled())
        assert validated(await collect(service.reader, task.pk)) == ended
    assert model.calls[0].outcome == "closed_early"


async def test_a_damaged_log_does_not_keep_the_server_from_starting(tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"
    async with serving(scripted([[endless()]]), path=path) as service:
        damaged = await service.submit()
        await service.store._write(  # pyright: ignore[reportAttributeAccessIssue]
            lambda db: db.execute("UPDATE journal SET events = CAST('{' AS BLOB)")
        )
    async with serving(scripted([says("ok")]), path=path) as service:
        assert (await service.run())["status"] == "completed"
        assert (await service.row(damaged)).status is Status.WORKING


@requirement("task.restart")
async def test_a_final_task_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"
    async with serving(scripted([says("a"), [Fail("request")]]), path=path) as service:
        tasks = [await service.submit(str(n)) for n in range(2)]
        before = [await service.ended(task) for task in tasks]
    async with serving(scripted([]), path=path) as service:
        assert [await service.ended(task) for task in tasks] == before
