"""Input-required: answering the calls of a task, by tool_results."""

from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from agentlin_server.models.script import Answer, Gate, Text, ToolCall
from tests.api.frames import Frame, read_frames
from tests.api.serving import Api, Scripted, serving
from tests.api.test_envelope import checked
from tests.requirements import requirement

pytestmark = pytest.mark.anyio

TOOLS = [{"type": "function", "function": {"name": "ask", "parameters": {"type": "object"}}}]
ONE = Answer((Text("Hm."), ToolCall("ask", '{"q":1}', call_id="c1")), results=0)
TWO = Answer((ToolCall("ask", call_id="c1"), ToolCall("ask", call_id="c2")), results=0)
SECRET = "s3cret-of-the-input"


def result(call_id: str = "c1", text: str = "yes", **fields: Any) -> dict[str, Any]:
    blocks = [{"type": "text", "text": text}]
    return {
        "type": "tool_result",
        "call_id": call_id,
        "message_content": text,
        "block_list": blocks,
        **fields,
    }


def after(results: int, *steps: Any) -> Answer:
    return Answer(steps or (Text("Good."),), results=results)


async def asked(api: Api, **params: Any) -> dict[str, Any]:
    """Create a task that comes to wait for its client."""
    task = await api.create(task_id="t", session_id="s", client_tools=TOOLS, **params)
    assert task["status"] == "input-required", task
    return task


async def answer(api: Api, *results: Any, task_id: str = "t", **params: Any) -> httpx.Response:
    body = {"tool_results": list(results), **params}
    return await api.post(body, path=f"/v1/tasks/{task_id}/tool_results")


def resumed(response: httpx.Response) -> list[Frame]:
    """Read a stream that begins somewhere in the log."""
    assert response.status_code == 200, response.text
    first = int(response.content.partition(b"-")[0].removeprefix(b"id: "))
    return read_frames(response.content, resumed_after=first - 1)


@requirement("input.answer")
async def test_a_call_of_a_client_tool_waits_for_the_client(scripted: Scripted) -> None:
    async with scripted([ONE, after(1)]) as api:
        task = await asked(api)
        assert task["input_required_call_ids"] == ["c1"]
        call = task["output"][-1]
        assert task["input_required"] == call
        assert (call["name"], call["arguments"], call["call_id"]) == ("ask", '{"q":1}', "c1")
        frames = await api.events("t")
        assert frames[-1].type == "task.input_required"
        assert frames[-1].event["task"] == task == await api.task("t")

        done = checked(await answer(api, result()), 200)["result"]
        assert (done["id"], done["status"]) == ("t", "completed")
        given = done["output"][2]
        assert given["message_content"] == given["block_list"] == [{"type": "text", "text": "yes"}]
        assert given["answered_by"]
        assert given["answered_at"]
        assert done["output"][3]["message_content"][0]["text"] == "Good."
        assert done["input_required_call_ids"] == []
        types = [f.type for f in (await api.events("t"))[len(frames) :]]
        assert types[:6] == [
            "task.output_item.added", "task.tool_result.delta", "task.tool_result.done",
            "task.output_item.done", "task.queued", "task.working",
        ]  # fmt: skip


@requirement("input.answer")
async def test_a_stream_begins_at_the_first_new_event(scripted: Scripted) -> None:
    async with scripted([ONE, after(1)]) as api:
        task = await asked(api)
        response = await answer(api, result(), stream=True, request_id="r", background=True)
        assert response.headers["content-type"].startswith("text/event-stream")
        frames = resumed(response)
        assert frames[0].seq == task["sequence_number"] + 1
        assert frames[0].event["item"]["type"] == "tool_result"
        assert frames[0].envelope["id"] == "r"
        assert frames[-1].type == "task.completed"


async def test_in_the_background_it_is_answered_at_once(scripted: Scripted) -> None:
    gate = anyio.Event()
    async with scripted([ONE, after(1, Gate(gate), Text("Good."))]) as api:
        await asked(api)
        task = checked(await answer(api, result(), background=True), 200)["result"]
        assert task["status"] in {"queued", "working"}
        gate.set()
        assert (await api.events("t", "?until=final"))[-1].type == "task.completed"


async def test_a_long_wait_is_kept_alive(scripted: Scripted) -> None:
    gate = anyio.Event()
    script = [ONE, after(1, Gate(gate), Text("Good."))]
    async with scripted(script, keep_alive_s=0.02) as api:
        await asked(api)
        body = {"tool_results": [result()]}
        async with api.watching(body, path="/v1/tasks/t/tool_results") as waiting:
            await waiting.begun()
            assert await waiting.chunk() == b" "
            gate.set()
            assert b'"status":"completed"' in await waiting.rest()


@requirement("input.partial")
async def test_some_of_the_calls_may_be_answered_first(scripted: Scripted) -> None:
    async with scripted([TWO, after(2)]) as api:
        task = await asked(api)
        assert task["input_required_call_ids"] == ["c1", "c2"]
        task = checked(await answer(api, result("c2")), 200)["result"]
        assert task["status"] == "input-required"
        assert task["input_required_call_ids"] == ["c1"]
        assert task["input_required"]["call_id"] == "c1"
        frames = resumed(await answer(api, result("c1"), stream=True))
        assert frames[0].seq == task["sequence_number"] + 1
        assert frames[-1].type == "task.completed"


@requirement("input.repeat")
async def test_the_same_answer_again_changes_nothing(scripted: Scripted) -> None:
    async with scripted([TWO, after(2)]) as api:
        await asked(api)
        partial = checked(await answer(api, result("c1")), 200)["result"]
        assert checked(await answer(api, result("c1")), 200)["result"] == partial
        first = resumed(await answer(api, result("c1"), result("c2"), stream=True))
        done = await api.task("t")
        assert done["status"] == "completed"
        for again in (("c1",), ("c2",), ("c1", "c2")):
            answered = await answer(api, *map(result, again))
            assert checked(answered, 200)["result"] == done
        streamed = resumed(await answer(api, result("c2"), stream=True))
        assert [f.event for f in streamed] == [f.event for f in first]


@requirement("input.repeat")
async def test_many_equal_answers_at_once_are_one(scripted: Scripted) -> None:
    async with scripted([ONE, after(1)]) as api:
        await asked(api)
        answered: list[dict[str, Any]] = []

        async def send() -> None:
            answered.append(checked(await answer(api, result()), 200)["result"])

        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(send)
        assert [task["status"] for task in answered] == ["completed"] * 20
        results = [i for i in answered[0]["output"] if i["type"] == "tool_result"]
        assert len(results) == 1
        assert answered[0]["usage"]["model_calls"] == 2


@requirement("input.conflict")
async def test_another_answer_to_an_answered_call_is_409(scripted: Scripted) -> None:
    async with scripted([TWO, after(2)]) as api:
        await asked(api)
        checked(await answer(api, result("c1")), 200)
        for other in (result("c1", "no"), result("c1", block_list=[])):
            assert checked(await answer(api, other), 409)["error"]["code"] == -32012
        # Nothing of a body that holds a conflict is taken.
        mixed = await answer(api, result("c2"), result("c1", "no"))
        assert checked(mixed, 409)["error"]["code"] == -32012
        assert (await api.task("t"))["input_required_call_ids"] == ["c2"]


@requirement("input.conflict")
async def test_a_call_that_the_task_does_not_wait_for_is_422(scripted: Scripted) -> None:
    async with scripted([ONE, after(1)]) as api:
        await asked(api)
        error = checked(await answer(api, result(), result(SECRET)), 422)["error"]
        assert error["data"][0]["loc"] == ["tool_results", 1, "call_id"]
        assert (await api.task("t"))["input_required_call_ids"] == ["c1"]


@requirement("input.conflict")
async def test_late_answers_are_refused(scripted: Scripted) -> None:
    async with scripted([ONE]) as api:
        await asked(api)
        await api.post({}, path="/v1/tasks/t/cancel")
        assert checked(await answer(api, result()), 409)["error"]["code"] == -32009
        assert (await api.task("t"))["status"] == "canceled"


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({}, ["tool_results"]),
        ({"tool_results": None}, ["tool_results"]),
        ({"tool_results": []}, ["tool_results"]),
        ({"tool_results": SECRET}, ["tool_results"]),
        ({"tool_results": [SECRET]}, ["tool_results", 0]),
        ({"tool_results": [{"type": SECRET}]}, ["tool_results", 0]),
        ({"tool_results": [result(call_id=5)]}, ["tool_results", 0, "call_id"]),  # type: ignore[arg-type]
        ({"tool_results": [result(message_content=5)]}, ["tool_results", 0, "message_content"]),
        ({"tool_results": [result(block_list=None)]}, ["tool_results", 0, "block_list"]),
        ({"tool_results": [result(), result()]}, ["tool_results", 1, "call_id"]),
        ({"tool_results": [result()], "stream": "yes"}, ["stream"]),
        ({"tool_results": [result()], "request_id": "r" * 513}, ["request_id"]),
        ({"tool_result": [result()]}, ["tool_result"]),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_a_wrong_body_is_422_and_is_not_echoed(
    scripted: Scripted, body: dict[str, Any], loc: list[Any]
) -> None:
    async with scripted([ONE]) as api:
        await asked(api)
        response = await api.post(body, path="/v1/tasks/t/tool_results")
        error = checked(response, 422)["error"]
        assert error["data"][0]["loc"][: len(loc)] == loc
        assert SECRET not in response.text
        assert (await api.task("t"))["status"] == "input-required"


async def test_content_that_the_model_cannot_take_is_400(scripted: Scripted) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    async with scripted([ONE]) as api:
        await asked(api)
        refused = await answer(api, result(message_content=[image]))
        assert checked(refused, 400)["error"]["code"] == -32005


@pytest.mark.parametrize(
    ("functions", "at"),
    [
        ([{"name": "a", "parameters": {}}, {"name": "a", "parameters": {}}], 1),
        ([{"name": "no good", "parameters": {}}], 0),
        ([{"name": "", "parameters": {}}], 0),
        ([{"name": "x" * 65, "parameters": {}}], 0),
        ([{"name": "ledger_record", "parameters": {}}], 0),
    ],
    ids=str,
)
async def test_tools_that_could_not_be_told_apart_are_422(
    tmp_path: Path, functions: list[dict[str, Any]], at: int
) -> None:
    async with serving(ledger_dir=tmp_path) as api:
        tools = [{"type": "function", "function": function} for function in functions]
        refused = await api.post({"user_message_content": "Hi", "client_tools": tools})
        error = checked(refused, 422)["error"]
        assert error["data"][0]["loc"][:3] == ["client_tools", at, "function"]


async def test_what_a_task_waits_for_outlives_a_restart(tmp_path: Path) -> None:
    script = tmp_path / "script.yaml"
    script.write_text(
        "- {results: 0, steps: [{tool_call: {name: ask, call_id: c1}}]}\n"
        "- {results: 1, text: Good.}\n"
    )
    settings = {"db": str(tmp_path / "a.db"), "script": script, "model": "scripted/m"}
    async with serving(**settings) as api:
        waiting = await asked(api)
    async with serving(**settings) as api:
        assert await api.task("t") == waiting
        assert checked(await answer(api, result()), 200)["result"]["status"] == "completed"
    async with serving(**settings) as api:
        assert checked(await answer(api, result()), 200)["result"]["status"] == "completed"
