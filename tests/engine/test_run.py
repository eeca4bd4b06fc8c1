"""One task from create to its end."""

import pytest

from agentlin_server.agent.spec import AgentSpec
from agentlin_server.domain.model import ReasoningDelta, RefusalDelta, TextDelta, Usage
from agentlin_server.models.script import Answer, Fail, Reasoning, Text, ToolCall
from tests.engine.harness import SPEC, says, scripted, serving, text_of
from tests.engine.streams import collect, lines_of, types_of
from tests.requirements import requirement

pytestmark = pytest.mark.anyio


@requirement("task.order", "task.deltas.one-per-chunk", "task.end.final", "task.numbers.gapless")
async def test_a_plain_answer_has_exactly_these_events() -> None:
    async with serving(scripted([says("One ", "two", ".")])) as service:
        task = await service.submit()
        assert (await service.ended(task))["status"] == "completed"
        assert types_of(await collect(service.reader, task.pk)) == [
            "task.created",
            "task.working",
            "task.tools_updated",
            "task.output_item.added",
            "task.content_part.added",
            "task.text.delta",
            "task.text.delta",
            "task.text.delta",
            "task.text.done",
            "task.content_part.done",
            "task.output_item.done",
            "task.completed",
        ]


@requirement("task.fold", "task.usage")
async def test_the_task_holds_reasoning_answer_usage_and_what_it_was_asked() -> None:
    answer = Answer([
        ReasoningDelta("Let me "), ReasoningDelta("see."), TextDelta("Yes."),
        Usage(input_tokens=5, cached_tokens=1, output_tokens=7, reasoning_tokens=3),
    ])  # fmt: skip
    async with serving(scripted([answer])) as service:
        task = await service.run([{"type": "text", "text": "Is it?"}], metadata={"a": 1})
    reasoning, message = task["output"]
    assert reasoning["content"] == [{"type": "reasoning_text", "text": "Let me see."}]
    assert (message["role"], text_of(task)) == ("assistant", "Yes.")
    assert task["usage"] == {
        "input_tokens": 5,
        "input_tokens_details": {"cached_tokens": 1},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 3},
        "total_tokens": 12,
        "model_calls": 1,
        "tool_calls": 0,
        "estimated": False,
    }
    assert task["metadata"] == {"a": 1}
    assert task["user_message_content"] == [{"type": "text", "text": "Is it?"}]
    assert task["error"] is None


@requirement("task.usage")
async def test_usage_that_the_provider_keeps_to_itself_is_estimated_and_flagged() -> None:
    async with serving(scripted([says("One ", "two.")])) as service:
        usage = (await service.run())["usage"]
    assert usage["estimated"]
    assert usage["input_tokens"] > 0
    assert usage["output_tokens"] > 0


@pytest.mark.parametrize("steps", [[], [Usage(1, 0, 0, 0)]])
async def test_an_empty_answer_is_an_empty_message(steps: list[Usage]) -> None:
    async with serving(scripted([steps])) as service:
        task = await service.run()
    (message,) = task["output"]
    assert (message["type"], message["status"]) == ("message", "completed")
    assert message["message_content"] == []
    assert task["status"] == "completed"


async def test_a_refusal_is_a_message_of_its_own_kind_of_part() -> None:
    async with serving(scripted([[TextDelta("Well. "), RefusalDelta("No.")]])) as service:
        task = await service.run()
    parts = [item["message_content"][0] for item in task["output"]]
    assert [part["type"] for part in parts] == ["output_text", "refusal"]


@requirement("task.call-ids")
async def test_a_tool_that_does_not_exist_is_answered_and_the_model_goes_on() -> None:
    model = scripted([
        [Text("I'll look. "), ToolCall("look", '{"a":1}', "call_1", 3), ToolCall("look", "{}", "")],
        [ToolCall("look", "{}", "call_1")],
        says("I can't."),
    ])  # fmt: skip
    async with serving(model) as service:
        task = await service.run()
    assert [item["type"] for item in task["output"]] == [
        "message", "tool_call", "tool_call", "tool_result", "tool_result",
        "tool_call", "tool_result", "message",
    ]  # fmt: skip
    calls = [item for item in task["output"] if item["type"] == "tool_call"]
    assert calls[0]["call_id"] == "call_1"
    assert calls[0]["arguments"] == '{"a":1}'
    assert len({call["call_id"] for call in calls}) == 3
    assert task["usage"]["model_calls"] == 3
    assert task["usage"]["tool_calls"] == 3
    last = model.requests[-1].messages
    assert [message["role"] for message in last] == [
        "system", "user", "assistant", "tool", "tool", "assistant", "tool",
    ]  # fmt: skip
    assert len(last[2]["tool_calls"]) == 2
    assert "no tool named 'look'" in last[3]["content"]
    assert text_of(task) == "I'll look. I can't."


@requirement("task.steps.limit")
async def test_a_task_that_never_stops_calling_tools_fails_with_its_budget() -> None:
    model = scripted([Answer([ToolCall("look")], repeat=True)])
    async with serving(model) as service:
        spec = AgentSpec(model="scripted/m", step_max=3)
        task = await service.run(spec=spec)
    assert len(model.calls) == 3
    assert task["status"] == "failed"
    assert task["error"]["code"] == -32000
    assert task["error"]["data"] == {"budget": {"name": "steps", "limit": 3}}
    assert {item["status"] for item in task["output"]} == {"completed"}


@pytest.mark.parametrize(
    ("kind", "code", "retryable"),
    [("authentication", -32000, False), ("rate_limit", -32000, True), ("timeout", -32006, True)],
)
async def test_a_model_that_fails_fails_the_task_with_its_reason(
    kind: str, code: int, *, retryable: bool
) -> None:
    fail = Fail(kind, "no luck", status=418, retry_after_s=7.0)
    async with serving(scripted([[Text("So f"), fail]])) as service:
        task = await service.run()
    assert task["status"] == "failed"
    assert task["error"] == {
        "code": code,
        "message": "no luck",
        "data": {
            "provider": "scripted",
            "status": 418,
            "retryable": retryable,
            "retry_after_s": 7.0,
        },
    }
    (message,) = task["output"]
    assert message["status"] == "incomplete"
    assert message["message_content"][0]["text"] == "So f"


async def test_a_bug_of_ours_fails_the_task_without_its_traceback() -> None:
    def broken(request: object) -> Answer:
        raise ZeroDivisionError("secret detail")

    from agentlin_server.models.scripted import ScriptedModel

    async with serving(ScriptedModel(broken)) as service:
        task = await service.run()
    assert task["error"]["code"] == -32603
    assert "secret" not in str(task["error"])
    assert task["error"]["data"]["error_id"] in task["error"]["message"]


@requirement("task.frozen")
async def test_sampling_and_limits_of_the_frozen_agent_reach_the_model() -> None:
    model = scripted([says("x")])
    spec = AgentSpec(model="scripted/m", sampling={"temperature": 0.5}, output_tokens_max=9)
    async with serving(model) as service:
        await service.run(spec=spec)
    (request,) = model.requests
    assert (request.model, request.sampling, request.output_tokens_max) == (
        "m", {"temperature": 0.5}, 9,
    )  # fmt: skip


@requirement("task.deltas.one-per-chunk", "task.deltas.add-up")
async def test_deltas_with_logprobs_are_events_like_any_other() -> None:
    logprob = {"token": "a", "logprob": -0.1, "bytes": [97], "top_logprobs": []}
    chunks = [TextDelta("a", (logprob,)), TextDelta("b"), TextDelta("c", (logprob,))]
    async with serving(scripted([chunks])) as service:
        task = await service.submit()
        done = await service.ended(task)
        deltas = [t for t in types_of(await collect(service.reader, task.pk)) if "delta" in t]
    assert len(deltas) == 3
    part = done["output"][0]["message_content"][0]
    assert (part["text"], len(part["logprobs"])) == ("abc", 2)


async def test_the_journal_of_a_task_without_reader_is_the_one_with_reader() -> None:
    async with serving(scripted([says("a", "b"), says("a", "b")])) as service:
        watched, alone = await service.submit("1"), await service.submit("2")
        await service.ended(watched)
        await service.ended(alone)
        lines = lines_of(await collect(service.reader, watched.pk))
        assert len(lines) == len(lines_of(await collect(service.reader, alone.pk)))
        assert service.engine.running == 0
        assert service.hub.size == 0, "the hub drops what nobody writes or reads"
        assert SPEC.developer_prompt


async def test_a_long_reasoning_before_a_tool_call_stays_before_it() -> None:
    async with serving(scripted([[Reasoning("r"), ToolCall("x")], says("ok")])) as service:
        task = await service.run()
    assert [item["type"] for item in task["output"]] == [
        "reasoning", "tool_call", "tool_result", "message",
    ]  # fmt: skip
