"""Sessions: one task at a time, and what the next one knows of those before."""

import anyio
import pytest

from agentlin_server.agent.toolresult import no_such_tool
from agentlin_server.domain.status import Status
from agentlin_server.models.script import Fail, Gate, Text, ToolCall
from tests.engine.harness import says, scripted, serving
from tests.engine.streams import collect, lines_of
from tests.requirements import requirement

pytestmark = pytest.mark.anyio


@requirement("session.order")
async def test_tasks_of_one_session_run_one_after_the_other_those_of_others_beside() -> None:
    gate = anyio.Event()
    model = scripted([[Gate(gate), Text("one")], says("other"), says("two"), says("three")])
    async with serving(model) as service:
        first = await service.submit("1", session="s")
        second = await service.submit("2", session="s")
        third = await service.submit("3", session="s")
        other = await service.submit("4", session="another")
        assert (await service.ended(other))["status"] == "completed"
        assert (await service.row(second)).status is Status.QUEUED
        assert len(model.calls) == 2
        gate.set()
        for task in (first, second, third):
            assert (await service.ended(task))["status"] == "completed"
    texts = [request.messages[-1]["content"] for request in model.requests]
    assert texts == ["1", "4", "2", "3"]


@requirement("session.context")
async def test_a_task_knows_the_turns_of_its_session_and_nothing_incomplete() -> None:
    model = scripted([
        says("Hello Ann."),
        [Text("half an ans"), Fail("authentication")],
        [ToolCall("look", "{}", "call_x")], says("No such thing."),
        says("You are Ann."),
    ])  # fmt: skip
    async with serving(model) as service:
        for text in ("I am Ann.", "fails", "look!"):
            await service.run(text, session="s")
        last = await service.submit("Who am I?", session="s")
        await service.ended(last)
        assert last.session_pos == 3
    assert [
        (m["role"], m.get("content") or m["tool_calls"][0]["function"]["name"])
        for m in model.requests[-1].messages
    ] == [
        ("system", "Be brief."),
        ("user", "I am Ann."),
        ("assistant", "Hello Ann."),
        ("user", "look!"),
        ("assistant", "look"),
        ("tool", no_such_tool("look", [])),
        ("assistant", "No such thing."),
        ("user", "Who am I?"),
    ]  # fmt: skip


@requirement("session.context")
async def test_history_that_the_session_knows_is_not_repeated_and_thoughts_come_last() -> None:
    model = scripted([says("Hello."), says("ok")])
    async with serving(model) as service:
        first = await service.run("Hi", session="s")
        history = [
            first["output"][0],
            {"role": "user", "content": "from elsewhere"},
            {"type": "message", "id": "msg_x", "role": "assistant", "message_content": "I see"},
        ]
        thoughts = [{"role": "assistant", "content": "Let me think"}]
        await service.run("now", session="s", history_messages=history, thought_messages=thoughts)
    assert [(m["role"], m["content"]) for m in model.requests[-1].messages] == [
        ("system", "Be brief."),
        ("user", "Hi"),
        ("assistant", "Hello."),
        ("user", "from elsewhere"),
        ("assistant", "I see"),
        ("user", "now"),
        ("assistant", "Let me think"),
    ]


@requirement("task.delete.context")
async def test_a_deleted_turn_is_forgotten() -> None:
    model = scripted([says("a"), says("b"), says("c")])
    async with serving(model) as service:
        first = await service.submit("secret", session="s")
        await service.ended(first)
        await service.run("kept", session="s")
        await service.engine.delete(await service.row(first), actor="ann")
        await service.run("now", session="s")
    assert "secret" not in str(model.requests[-1].messages)
    assert "kept" in str(model.requests[-1].messages)


async def test_previous_task_id_names_the_turn_before() -> None:
    async with serving(scripted([says("a"), says("b")])) as service:
        first = await service.run("1", session="s")
        second = await service.run("2", session="s")
    assert first["previous_task_id"] is None
    assert second["previous_task_id"] == first["id"]
    assert first["session_id"] == second["session_id"] == "s"


async def test_a_replay_says_what_was_said_also_after_an_earlier_task_is_gone() -> None:
    async with serving(scripted([says("a"), says("b")])) as service:
        first = await service.submit(session="s")
        await service.ended(first)
        second = await service.submit(session="s")
        live = await collect(service.reader, second.pk)
        await service.engine.delete(await service.row(first), actor="ann")
        assert lines_of(await collect(service.reader, second.pk)) == lines_of(live)
        assert (await service.row(second)).previous_task_id == first.id
