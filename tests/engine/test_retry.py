"""A provider's stream that breaks: the call is made again, what it left is incomplete."""

import pytest

from agentlin_server.models.script import Fail, Reasoning, Step, Text, ToolCall
from tests.engine.harness import says, scripted, serving, text_of
from tests.requirements import requirement

pytestmark = pytest.mark.anyio
CUT = Fail("stream", "cut")


@requirement("task.call-again", "task.unfinished-call")
async def test_a_cut_call_is_made_again_as_the_next_attempt_of_its_step() -> None:
    model = scripted([[Reasoning("hm"), Text("One "), CUT], says("Two")])
    async with serving(model) as service:
        task = await service.run()
    assert task["status"] == "completed"
    reasoning, cut, whole = task["output"]
    assert (reasoning["status"], cut["status"]) == ("incomplete", "incomplete")
    assert (whole["status"], whole["attempt"]) == ("completed", 2)
    assert whole["supersedes"] == reasoning["id"]
    assert "attempt" not in cut
    assert text_of(task) == "Two"
    assert task["usage"]["model_calls"] == 2
    assert model.requests[0].messages == model.requests[1].messages, "nothing incomplete is shown"


@requirement("task.call-again")
@pytest.mark.parametrize("cuts", [1, 2, 3])
async def test_a_call_is_made_again_twice_at_most(cuts: int) -> None:
    script: list[list[Step]] = [[Text(f"{n} "), CUT] for n in range(cuts)]
    model = scripted([*script, says("at last")])
    async with serving(model) as service:
        task = await service.run()
    assert len(model.calls) == min(cuts + 1, 3)
    if cuts <= 2:
        assert (task["status"], text_of(task)) == ("completed", "at last")
        assert task["output"][-1]["attempt"] == cuts + 1
    else:
        assert task["status"] == "failed"
        assert task["error"]["message"] == "cut"
        assert [item["status"] for item in task["output"]] == ["incomplete"] * 3
        assert [item.get("attempt", 1) for item in task["output"]] == [1, 2, 3]


async def test_a_call_that_is_cut_before_its_first_chunk_leaves_nothing_behind() -> None:
    async with serving(scripted([[CUT], [], says("ok")])) as service:
        task = await service.run()
    assert len(task["output"]) == 1
    assert task["status"] == "completed"


@requirement("task.call-again")
async def test_an_attempt_that_left_nothing_does_not_hide_what_the_one_before_left() -> None:
    async with serving(scripted([[Text("One"), CUT], [CUT], says("Three")])) as service:
        task = await service.run()
    cut, whole = task["output"]
    assert (whole["attempt"], whole["supersedes"]) == (3, cut["id"])


@requirement("task.call-ids", "task.unfinished-call")
async def test_a_cut_tool_call_never_runs_and_its_call_id_is_not_used_again() -> None:
    model = scripted([
        says("x"),
        [ToolCall("look", '{"a":', "call_1"), CUT],
        [ToolCall("look", '{"a":1}', "call_1")],
        says("done"),
    ])  # fmt: skip
    async with serving(model) as service:
        await service.run("first")
        task = await service.run("second")
    cut, call, result, _ = task["output"]
    assert (cut["status"], cut["arguments"]) == ("incomplete", '{"a":')
    assert call["call_id"] != "call_1"
    assert result["call_id"] == call["call_id"]
    assert task["usage"]["tool_calls"] == 1


async def test_a_later_call_that_is_cut_keeps_what_earlier_ones_did() -> None:
    model = scripted([[ToolCall("look")], [Text("half"), CUT], says("whole")])
    async with serving(model) as service:
        task = await service.run()
    assert [item["status"] for item in task["output"]] == [
        "completed", "completed", "incomplete", "completed",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["unavailable", "rate_limit", "request"])
async def test_only_a_broken_stream_is_retried_here(kind: str) -> None:
    """Other errors are the adapter's to retry, before the first token."""
    model = scripted([[Text("So"), Fail(kind)], says("never")])
    async with serving(model) as service:
        task = await service.run()
    assert (task["status"], len(model.calls)) == ("failed", 1)
