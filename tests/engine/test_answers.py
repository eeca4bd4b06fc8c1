"""Questions to the client: the task rests, takes each answer once, and goes on."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from agentlin_server.domain.errors import (
    AnswerConflictError,
    InvalidRequestError,
    TaskNotPausableError,
    TaskNotWaitingError,
)
from agentlin_server.domain.records import TaskRow
from agentlin_server.domain.status import Status
from agentlin_server.engine.answers import Answered, ToolAnswer
from agentlin_server.models.script import Text, ToolCall
from tests.engine.harness import Service, results_of, says, scripted, serving, text_of, with_tools
from tests.engine.streams import collect, types_of, validated
from tests.engine.tools import NotingTool
from tests.requirements import requirement

pytestmark = pytest.mark.anyio
ASK = with_tools(client=["ask"])


def asks(*call_ids: str) -> list[Any]:
    return [Text("Well? "), *(ToolCall("ask", '{"q": 1}', call_id) for call_id in call_ids)]


def answer(call_id: str, text: str = "yes") -> ToolAnswer:
    return ToolAnswer(call_id=call_id, message_content=text)


async def waiting(service: Service, task: TaskRow) -> dict[str, Any]:
    """Wait until the task asks; return it as its readers see it then."""
    at_rest = validated(await collect(service.reader, task.pk, until_final=False))
    assert at_rest["status"] == "input-required"
    return at_rest


async def take(service: Service, task: TaskRow, *answers: ToolAnswer) -> Answered:
    return await service.engine.answer(await service.row(task), answers, actor="ann")


@requirement("input.rest", "input.answer")
async def test_a_task_asks_rests_and_goes_on_with_the_answer() -> None:
    model = scripted([asks("call_1"), says("Fine.")])
    async with serving(model) as service:
        task = await service.submit(spec=ASK)
        at_rest = await waiting(service, task)
        assert at_rest["input_required"]["call_id"] == "call_1"
        assert at_rest["input_required_call_ids"] == ["call_1"]
        assert service.engine.running == 0
        answered = await take(service, task, answer("call_1"))
        assert answered.after_seq == at_rest["sequence_number"]
        ended = await service.ended(task)
        news = types_of(await collect(service.reader, task.pk, after=answered.after_seq))
    assert text_of(ended) == "Well? Fine."
    result = ended["output"][2]
    assert result["message_content"] == [{"type": "text", "text": "yes"}]
    assert (result["answered_by"], result["answered_at"][:4]) == ("ann", "2023")
    assert news[:6] == [
        "task.output_item.added",
        "task.tool_result.delta",
        "task.tool_result.done",
        "task.output_item.done",
        "task.queued",
        "task.working",
    ]
    assert model.requests[1].messages[-1]["content"] == "yes"


@requirement("input.mixed")
async def test_ordinary_calls_of_the_step_are_run_first() -> None:
    tool = NotingTool()
    calls = [ToolCall("ask", "{}", "call_1"), ToolCall("note", "{}", "call_2")]
    model = scripted([calls, says("Fine.")])
    async with serving(model, tools=[tool]) as service:
        task = await service.submit(spec=with_tools(tool, client=["ask"]))
        at_rest = await waiting(service, task)
        assert results_of(at_rest) == {"call_2": ["note did call_2"]}
        assert at_rest["input_required_call_ids"] == ["call_1"]
        await take(service, task, answer("call_1"))
        await service.ended(task)
    ids = [m.get("tool_call_id") for m in model.requests[1].messages[-2:]]
    assert ids == ["call_1", "call_2"]


@requirement("input.partial")
async def test_partial_answers_are_taken_and_the_rest_is_asked_again() -> None:
    model = scripted([asks("call_1", "call_2", "call_3"), says("Fine.")])
    async with serving(model) as service:
        task = await service.submit(spec=ASK)
        await waiting(service, task)
        partial = await take(service, task, answer("call_2"))
        assert partial.task.status is Status.INPUT_REQUIRED
        at_rest = await waiting(service, task)
        assert at_rest["input_required_call_ids"] == ["call_1", "call_3"]
        assert at_rest["input_required"]["call_id"] == "call_1"
        await take(service, task, answer("call_1"), answer("call_3"))
        ended = await service.ended(task)
    assert set(results_of(ended)) == {"call_1", "call_2", "call_3"}


@requirement("input.answer")
async def test_the_same_answer_again_changes_nothing_another_one_is_a_conflict() -> None:
    model = scripted([asks("call_1", "call_2"), says("Fine.")])
    async with serving(model) as service:
        task = await service.submit(spec=ASK)
        await waiting(service, task)
        first = await take(service, task, answer("call_1"))
        before = await service.reader.snapshot(await service.row(task))
        again = await take(service, task, answer("call_1"))
        assert again.after_seq == first.after_seq, "a retry is streamed what its first try was"
        with pytest.raises(AnswerConflictError):
            await take(service, task, answer("call_1", "no"))
        assert await service.reader.snapshot(await service.row(task)) == before
        await take(service, task, answer("call_1"), answer("call_2"))
        ended = await service.ended(task)
        await take(service, task, answer("call_2"))
        assert await service.reader.snapshot(await service.row(task)) == ended
        with pytest.raises(AnswerConflictError):
            await take(service, task, answer("call_2", "no"))


@requirement("input.answer")
async def test_an_answer_to_a_call_that_was_never_asked_is_refused_whole() -> None:
    async with serving(scripted([asks("call_1"), says("Fine.")])) as service:
        task = await service.submit(spec=ASK)
        before = await waiting(service, task)
        with pytest.raises(InvalidRequestError) as caught:
            await take(service, task, answer("call_1"), answer("call_9"))
        assert caught.value.problems[0]["loc"] == ["tool_results", 1, "call_id"]
        assert await waiting(service, task) == before


@requirement("input.answer")
async def test_of_answers_at_the_same_time_each_counts_once() -> None:
    ids = [f"call_{n}" for n in range(6)]
    model = scripted([asks(*ids), says("Fine.")])
    async with serving(model) as service:
        task = await service.submit(spec=ASK)
        await waiting(service, task)
        async with anyio.create_task_group() as group:
            for call_id in [*ids, *ids]:
                group.start_soon(take, service, task, answer(call_id))
        ended = await service.ended(task)
    assert {call_id: len(texts) for call_id, texts in results_of(ended).items()} == dict.fromkeys(
        ids, 1
    )
    assert len(model.calls) == 2


async def test_a_canceled_task_takes_no_answers_any_more() -> None:
    async with serving(scripted([asks("call_1")])) as service:
        task = await service.submit(spec=ASK)
        await waiting(service, task)
        await service.engine.cancel(await service.row(task), actor="ann")
        assert (await service.ended(task))["input_required_call_ids"] == []
        with pytest.raises((TaskNotWaitingError, InvalidRequestError)):
            await take(service, task, answer("call_1"))


@requirement("input.restart")
async def test_a_question_outlives_its_process(tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"
    async with serving(scripted([asks("call_1", "call_2")]), path=path) as service:
        task = await service.submit(spec=ASK)
        await waiting(service, task)
        await take(service, task, answer("call_1"))
    model = scripted([says("Fine.")])
    async with serving(model, path=path) as service:
        assert (await waiting(service, task))["input_required_call_ids"] == ["call_2"]
        await take(service, task, answer("call_2"))
        assert text_of(await service.ended(task)) == "Well? Fine."
    assert [m["role"] for m in model.requests[0].messages[-3:]] == ["assistant", "tool", "tool"]


@requirement("session.on-busy")
async def test_a_new_message_takes_the_place_of_an_unanswered_question() -> None:
    model = scripted([asks("call_1"), says("Moved on.")])
    async with serving(model) as service:
        task = await service.submit(spec=ASK, session="s")
        await waiting(service, task)
        following = await service.submit("something else", session="s")
        assert (await service.ended(task))["status"] == "canceled"
        assert text_of(await service.ended(following)) == "Moved on."
    roles = [m["role"] for m in model.requests[1].messages]
    assert roles == ["system", "user", "assistant", "tool", "user"], "no call without a result"


@requirement("task.pause.between-steps")
async def test_a_pause_outlives_a_question_that_was_reached_first() -> None:
    tool = NotingTool(gate=(gate := anyio.Event()))
    calls = [ToolCall("ask", "{}", "call_1"), ToolCall("note", "{}", "call_2")]
    async with serving(scripted([calls, says("Fine.")]), tools=[tool]) as service:
        task = await service.submit(spec=with_tools(tool, client=["ask"]))
        with anyio.fail_after(5):
            await tool.started.wait()
        await service.engine.pause(await service.row(task), actor="ann")
        gate.set()
        await waiting(service, task)
        again = await service.engine.pause(await service.row(task), actor="ann")
        assert (again.status, again.pause_requested) == (Status.INPUT_REQUIRED, True)
        await take(service, task, answer("call_1"))
        await service.wait_for(task, "task.paused")
        await service.engine.resume(await service.row(task), actor="ann")
        assert text_of(await service.ended(task)) == "Fine."


async def test_a_task_that_waits_for_an_answer_can_not_be_paused() -> None:
    async with serving(scripted([asks("call_1")])) as service:
        task = await service.submit(spec=ASK)
        await waiting(service, task)
        with pytest.raises(TaskNotPausableError, match="input-required"):
            await service.engine.pause(await service.row(task), actor="ann")
