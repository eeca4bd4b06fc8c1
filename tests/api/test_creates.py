"""Creating without a stream: waits for the task, stays alive, survives the client."""

import json

import anyio
import pytest

from agentlin_server.engine.reader import TaskReader
from agentlin_server.models.script import Answer, Fail, Gate, Text
from tests.api.serving import Api, Scripted, serving
from tests.api.test_envelope import BODY, checked

pytestmark = pytest.mark.anyio


async def test_a_create_answers_with_the_final_task(api: Api) -> None:
    task = await api.create("one two three")
    assert task["status"] == "completed"
    assert task["output"][0]["message_content"][0]["text"] == "one two three"
    assert task == await api.task(task["id"])
    frames = await api.events(task["id"])
    assert frames[-1].event["task"] == task
    assert frames[-1].seq == task["sequence_number"]


async def test_a_create_waits_until_the_task_is_final(scripted: Scripted) -> None:
    gate = anyio.Event()
    async with scripted([Answer((Text("a"), Gate(gate), Text("b")))]) as api:
        async with api.watching(BODY) as waiting:
            await anyio.wait_all_tasks_blocked()
            assert waiting.status == 0
            gate.set()
            await waiting.begun()
            result = json.loads(await waiting.rest())["result"]
        assert waiting.headers["content-length"]
        assert result["output"][0]["message_content"][0]["text"] == "ab"


async def test_background_answers_at_once_and_stream_wins_over_it(scripted: Scripted) -> None:
    gate = anyio.Event()
    answer = Answer((Text("a"), Gate(gate)), repeat=True)
    async with scripted([answer]) as api:
        task = await api.create(background=True)
        assert task["status"] in {"created", "queued", "working"}
        async with api.streaming(background=True) as stream:
            await stream.begun()
            assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
        gate.set()
        frames = await api.events(task["id"], "?starting_after=2")
        assert frames[-1].type == "task.completed"


async def test_a_long_create_is_kept_alive_with_spaces(scripted: Scripted) -> None:
    gate = anyio.Event()
    async with (
        scripted([Answer((Gate(gate), Text("a")))], keep_alive_s=0.02) as api,
        api.watching(BODY) as waiting,
    ):
        await waiting.begun()
        assert waiting.status == 200
        assert waiting.headers["content-type"] == "application/json"
        assert "content-length" not in waiting.headers  # so: chunked
        assert [await waiting.chunk() for _ in range(3)] == [b" "] * 3
        gate.set()
        assert json.loads(await waiting.rest())["result"]["status"] == "completed"


async def test_so_is_one_whose_task_streams_all_the_time(scripted: Scripted) -> None:
    words = Text("x" * 40, chunks=1, delay_s=0.01)
    async with (
        scripted([Answer((words,))], keep_alive_s=0.05) as api,
        api.watching(BODY) as waiting,
    ):
        await waiting.begun()
        assert await waiting.chunk() == b" "
        body = await waiting.rest()
        assert body.startswith(b" ")
        assert json.loads(body)["result"]["output"][0]["message_content"][0]["text"] == "x" * 40


async def test_a_failed_task_is_200_with_its_own_error(scripted: Scripted) -> None:
    failing = Answer((Text("so far"), Fail("unavailable", "no luck", status=503)))
    async with scripted([failing]) as api:
        envelope = checked(await api.post(BODY), 200)
        assert "error" not in envelope
        task = envelope["result"]
        assert task["status"] == "failed"
        assert task["error"]["code"] == -32000
        assert task["error"]["message"] == "no luck"
        assert task["error"]["data"] == {"provider": "scripted", "status": 503, "retryable": True}
        assert task["output"][0]["status"] == "incomplete"
        assert checked(await api.get(f"/v1/tasks/{task['id']}"), 200)["result"] == task
        last = (await api.events(task["id"]))[-1]
        assert last.envelope["error"] == task["error"]
        assert last.event["error"] == task["error"]
        assert last.event["task"] == task


async def test_a_models_time_out_has_a_code_of_its_own(scripted: Scripted) -> None:
    async with scripted([Answer((Fail("timeout", "too slow"),))]) as api:
        assert (await api.create())["error"]["code"] == -32006


async def test_a_client_that_goes_does_not_stop_its_task(scripted: Scripted) -> None:
    gate = anyio.Event()
    async with scripted([Answer((Text("a"), Gate(gate), Text("b")), repeat=True)]) as api:
        async with api.watching(BODY | {"task_id": "waited"}):
            await anyio.wait_all_tasks_blocked()
        async with api.streaming(task_id="streamed") as stream:
            await stream.begun()
            await stream.chunk()
        gate.set()
        for task_id in ("waited", "streamed"):
            await api.get(f"/v1/tasks/{task_id}/events")
            task = await api.task(task_id)
            assert task["status"] == "completed"
            assert task["output"][0]["message_content"][0]["text"] == "ab"


async def test_a_retrieve_shows_open_items_with_their_text_so_far(scripted: Scripted) -> None:
    gate = anyio.Event()
    async with (
        scripted([Answer((Text("so "), Text("far"), Gate(gate)))]) as api,
        api.streaming(task_id="t") as stream,
    ):
        await stream.begun()
        while b'"far"' not in await stream.chunk():
            pass
        task = await api.task("t")
        assert task["status"] == "working"
        (item,) = task["output"]
        assert item["status"] == "in_progress"
        assert item["message_content"][0]["text"] == "so far"
        gate.set()


async def test_no_task_is_taken_while_the_server_stops(scripted: Scripted) -> None:
    async with serving() as api:
        await api.service.engine.drain()
        answer = await api.post(BODY)
        assert checked(answer, 503)["error"]["code"] == -32603
        assert int(answer.headers["retry-after"]) > 0


async def test_when_too_many_wait_a_create_is_429(scripted: Scripted) -> None:
    gate = anyio.Event()
    limits = {"running_max": 1, "waiting_max": 1}
    async with scripted([Answer((Gate(gate), Text("a")), repeat=True)], **limits) as api:
        first = await api.create(background=True)
        second = await api.create(background=True)
        assert second["status"] == "queued"
        answer = await api.post(BODY)
        assert checked(answer, 429)["error"]["code"] == -32014
        assert int(answer.headers["retry-after"]) > 0
        gate.set()
        for task in (first, second):
            assert (await api.events(task["id"]))[-1].type == "task.completed"


async def test_what_breaks_while_an_answer_is_awaited_is_an_envelope_too(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> object:
        raise RuntimeError("/secret/path")

    monkeypatch.setattr(TaskReader, "follow", broken)
    answer = await api.post(BODY)
    assert checked(answer, 500)["error"]["code"] == -32603
    assert "secret" not in answer.text
    assert answer.json()["error"]["data"]["error_id"] in caplog.text

    async def breaking(*_: object, **__: object) -> object:
        raise RuntimeError("/secret/path")
        yield ()

    monkeypatch.setattr(TaskReader, "follow", breaking)
    answer = await api.post(BODY)
    assert checked(answer, 500)["error"]["code"] == -32603
    assert "secret" not in answer.text
