"""Tool calls: run at once, recorded before they start, never the end of their task."""

import anyio
import pytest

from agentlin_server.domain.tool import Effect
from agentlin_server.models.script import Text, ToolCall
from tests.engine.harness import results_of, says, scripted, serving, text_of, with_tools
from tests.engine.streams import collect, types_of
from tests.engine.tools import NotingTool
from tests.requirements import requirement

pytestmark = pytest.mark.anyio


async def test_a_tool_is_run_and_the_model_reads_its_result() -> None:
    tool = NotingTool()
    model = scripted([[ToolCall("note", '{"a": 1}', "call_1")], says("Done")])
    async with serving(model, tools=[tool]) as service:
        ended = await service.run(spec=with_tools(tool))
    assert text_of(ended) == "Done"
    assert tool.begun[0].arguments == {"a": 1}
    assert tool.keys == [f"{ended['id']}:call_1"]
    assert results_of(ended) == {"call_1": ["note did call_1"]}
    assert model.calls[1].request.messages[-1] == {
        "role": "tool",
        "tool_call_id": "call_1",
        "content": "note did call_1",
    }
    assert model.calls[0].request.tools[0]["function"]["name"] == "note"


async def test_the_calls_of_a_step_run_at_once_and_count_in_the_order_of_the_calls() -> None:
    first_gate = anyio.Event()
    slow, quick = NotingTool("slow", gate=first_gate), NotingTool("quick")
    model = scripted(
        [[ToolCall("slow", "{}", "call_1"), ToolCall("quick", "{}", "call_2")], says("Done")]
    )
    async with serving(model, tools=[slow, quick]) as service:
        task = await service.submit(spec=with_tools(slow, quick))
        with anyio.fail_after(5):
            await slow.started.wait()
            await quick.started.wait()
        await service.wait_for(task, "task.tool_result.done")
        first_gate.set()
        ended = await service.ended(task)
    results = [item["call_id"] for item in ended["output"] if item["type"] == "tool_result"]
    assert results == ["call_1", "call_2"]
    assert (slow.ended, quick.ended) == (["call_1"], ["call_2"])
    assert [m["tool_call_id"] for m in model.calls[1].request.messages[-2:]] == [
        "call_1",
        "call_2",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [("{", "valid JSON"), ("[1]", "list"), ("3", "int")],
)
async def test_a_call_with_unusable_arguments_is_told_so(arguments: str, said: str) -> None:
    tool = NotingTool()
    model = scripted([[ToolCall("note", arguments, "call_1")], says("Sorry")])
    async with serving(model, tools=[tool]) as service:
        ended = await service.run(spec=with_tools(tool))
    assert ended["status"] == "completed"
    assert said in results_of(ended)["call_1"][0]
    assert not tool.begun


@pytest.mark.parametrize("result", [ValueError("no such city"), [{"type": "x", "y": object()}]])
async def test_a_tool_that_raises_or_returns_garbage_does_not_end_its_task(result: object) -> None:
    tool = NotingTool(result=result)
    model = scripted([[ToolCall("note", "{}", "call_1")], says("So be it")])
    async with serving(model, tools=[tool]) as service:
        ended = await service.run(spec=with_tools(tool))
    assert text_of(ended) == "So be it"
    assert results_of(ended)["call_1"][0].startswith("The tool 'note' failed")


async def test_an_unknown_tool_is_answered_with_the_names_of_those_there_are() -> None:
    tool = NotingTool()
    model = scripted([[ToolCall("nope", "{}", "call_1")], says("Oh")])
    async with serving(model, tools=[tool]) as service:
        ended = await service.run(spec=with_tools(tool, client=["ask"]))
    assert "note, ask" in results_of(ended)["call_1"][0]


@requirement("task.cancel.any-phase")
async def test_a_cancel_stops_a_running_tool_and_its_result_ends_incomplete() -> None:
    tool = NotingTool(gate=anyio.Event())
    model = scripted([[Text("Wait. "), ToolCall("note", "{}", "call_1")]])
    async with serving(model, tools=[tool]) as service:
        task = await service.submit(spec=with_tools(tool))
        with anyio.fail_after(5):
            await tool.started.wait()
            await service.engine.cancel(await service.row(task), actor="ann")
        ended = await service.ended(task)
    assert ended["status"] == "canceled"
    assert tool.stopped == ["call_1"]
    assert [item["status"] for item in ended["output"]] == ["completed", "completed", "incomplete"]


async def test_the_start_of_a_tool_is_in_the_log_before_it_runs() -> None:
    tool = NotingTool(effect=Effect.READ, gate=anyio.Event())
    model = scripted([[ToolCall("note", "{}", "call_1")]])
    async with serving(model, tools=[tool]) as service:
        task = await service.submit(spec=with_tools(tool))
        with anyio.fail_after(5):
            await tool.started.wait()
        stored = await service.store.read(task.pk, after_seq=-1, bytes_max=10**6)
        lines = [line for segment in stored for line in segment.lines]
        assert b'"type":"tool_result"' in lines[-1]
        await service.engine.cancel(await service.row(task), actor="ann")
        await service.ended(task)


async def test_the_tools_are_announced_once(anyio_backend: object) -> None:
    tool = NotingTool()
    model = scripted([[ToolCall("note", "{}", "call_1")], says("Done")])
    async with serving(model, tools=[tool]) as service:
        task = await service.submit(spec=with_tools(tool))
        batches = await collect(service.reader, task.pk)
    assert types_of(batches).count("task.tools_updated") == 1
