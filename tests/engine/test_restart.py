"""What a new process makes of what the one before left behind."""

from pathlib import Path

import anyio
import pytest

from agentlin_server.domain.events import canceled
from agentlin_server.domain.status import Signal, Status
from agentlin_server.engine.limits import EngineLimits
from agentlin_server.models.script import Fail, Gate, Reasoning, Text, ToolCall
from tests.engine.harness import says, scripted, serving, text_of
from tests.engine.streams import collect, lines_of, types_of, validated
from tests.requirements import requirement

pytestmark = pytest.mark.anyio


def endless() -> Gate:
    return Gate(anyio.Event())


@requirement("task.restart", "journal.durable", "events.same-bytes")
async def test_a_task_that_ran_fails_clearly_and_keeps_every_byte_that_was_seen(
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
    async with serving(scripted([]), path=path) as service:
        ended = await service.ended(task)
        replayed = lines_of(await collect(service.reader, task.pk))
    assert replayed[: len(seen)] == seen
    assert ended["status"] == "failed"
    assert ended["error"]["data"]["reason"] == "server_restarted"
    assert [item["status"] for item in ended["output"]] == ["incomplete"] * 3
    assert ended["output"][1]["message_content"][0]["text"] == "So far"
    assert ended["output"][2]["arguments"] == '{"a":'


@requirement("task.restart", "session.order", "task.frozen")
async def test_what_waited_runs_with_the_agent_that_it_was_created_with(tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"
    limits = EngineLimits(running_max=1)
    async with serving(scripted([[endless()]]), path=path, limits=limits) as service:
        running = await service.submit("1", session="s")
        waiting = await service.submit("2", session="s")
    model = scripted([says("Two")])
    async with serving(model, path=path) as service:
        assert (await service.ended(running))["status"] == "failed"
        ended = await service.ended(waiting)
        assert "task.queued" in types_of(await collect(service.reader, waiting.pk))
    assert text_of(ended) == "Two"
    assert model.requests[0].messages[0]["content"] == "Be brief."


@requirement("task.restart")
async def test_a_task_whose_cancel_was_wanted_is_canceled(tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"
    async with serving(scripted([[Text("x"), endless()]]), path=path) as service:
        task = await service.submit()
        await service.wait_for(task, "task.text.delta")
        await service.store.request_cancel(task.pk, actor="ann", at=1.0)
    async with serving(scripted([]), path=path) as service:
        assert (await service.ended(task))["status"] == "canceled"


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
    async with serving(scripted([]), path=path) as service:
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
        takeover = service.engine._takeover
        assert await takeover.end(task.pk, Signal.CANCEL, canceled())
        ended = await service.ended(task)
        gate.set()
        await anyio.wait_all_tasks_blocked()
        assert service.engine.running == 0
        assert await service.reader.snapshot(await service.row(task)) == ended
        assert not await takeover.end(task.pk, Signal.CANCEL, canceled())
        validated(await collect(service.reader, task.pk))
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
