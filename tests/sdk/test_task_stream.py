"""client.tasks.stream: one stream, read as events, as text, or to the task at its end."""

from typing import Any

import httpx
import pytest

from agentlin_client import (
    APIConnectionError,
    TaskFailedError,
    TaskResponseError,
)
from agentlin_client.types import TaskCreateResponse, TaskObject
from tests.sdk import wire
from tests.sdk.conftest import Sdk
from tests.sdk.task_streams import Face, ended
from tests.types.stream_builder import StreamBuilder
from tests.types.streams import simple_stream

pytestmark = pytest.mark.anyio

LOG = simple_stream("Hel", "lo")
REQUEST = httpx.Request("POST", "http://127.0.0.1:9999/v1/tasks/t/cancel")


@pytest.fixture(params=["sync", "async"])
def face(request: pytest.FixtureRequest) -> Face:
    return Face(request.param)


async def test_the_events_are_those_of_the_stream_below(face: Face) -> None:
    stream = face.stream(face.source(LOG))
    events = await face.within(stream, lambda s: face.all(s.events))
    assert [event.to_dict() for event in events] == LOG


async def test_the_text_deltas_are_the_answer_as_it_grows(face: Face) -> None:
    stream = face.stream(face.source(LOG))
    assert await face.within(stream, lambda s: face.all(s.text_deltas)) == ["Hel", "lo"]
    assert stream.text == "Hello"


async def test_the_reasoning_deltas_are_the_reasoning_and_its_summary(face: Face) -> None:
    build = StreamBuilder()
    build.start()
    build.begin_call()
    item = build.add_reasoning()
    build.add_summary(item)
    build.text(item, "In ", "short", place="summary")
    build.add_part(item)
    build.text(item, "Well, ", "hm")
    build.finish(item)
    message = build.add_message()
    build.add_part(message)
    build.text(message, "Yes")
    build.finish(message)
    build.emit("task.completed")
    stream = face.stream(face.source(build.events))
    assert await face.all(stream.reasoning_deltas) == ["In ", "short", "Well, ", "hm"]
    assert await face.done(stream.final_text) == "Yes"


async def test_every_view_goes_on_where_the_one_before_stopped(face: Face) -> None:
    stream = face.stream(face.source(LOG))

    async def body(stream: Any) -> None:
        (first,) = await face.some(stream.events, 1)
        assert first.type == "task.created"
        (second,) = await face.some(stream, 1)
        assert second.type == "task.working"
        assert await face.some(stream.text_deltas, 1) == ["Hel"]
        assert await face.some(stream.text_deltas, 1) == ["lo"]
        assert (await face.some(stream.events, 1))[0].type == "task.text.done"
        rest = await face.all(stream.events)
        assert rest[-1].type == "task.completed"
        assert await face.all(stream.text_deltas) == []

    await face.within(stream, body)


async def test_the_task_grows_with_the_events_that_were_read(face: Face) -> None:
    stream = face.stream(face.source(LOG))
    assert not stream.task
    assert stream.task_id is None
    assert stream.last_event_id is None
    assert stream.text == ""
    await face.some(stream.text_deltas, 1)
    assert stream.task.status == "working"
    assert stream.task.output[0].message_content[0].text == "Hel"
    assert stream.text == "Hel"
    assert stream.task_id == "task_1"
    assert stream.last_event_id == "5-1"
    await face.done(stream.until_done())
    assert stream.task.status == "completed"
    assert stream.task.to_dict(mode="json") == LOG[-1]["task"]


async def test_the_final_task_and_text_need_no_loop_and_no_block(face: Face) -> None:
    stream = face.stream(face.source(LOG))
    task = await face.done(stream.final_task())
    assert isinstance(task, TaskObject)
    assert (task.id, task.status) == ("task_1", "completed")
    assert await face.done(stream.final_text) == "Hello"
    assert await face.done(stream.final_task()) is task


@pytest.mark.parametrize("status", ["failed", "expired", "canceled"])
async def test_a_task_that_ends_without_an_answer_is_returned_but_has_no_text(
    face: Face, status: str
) -> None:
    error = {"error": {"code": -32000, "message": "model failure"}} if status != "canceled" else {}
    stream = face.stream(face.source(ended(status, **error)))
    task = await face.done(stream.final_task())
    assert task.status == status
    with pytest.raises(TaskFailedError, match=status) as caught:
        await face.done(stream.final_text)
    assert caught.value.task is task


async def test_a_task_at_rest_is_returned_with_what_it_has_said(face: Face) -> None:
    build = StreamBuilder()
    build.start()
    build.begin_call()
    message = build.add_message()
    build.add_part(message)
    build.text(message, "May I?")
    build.finish(message)
    build.emit("task.paused")
    stream = face.stream(face.source(build.events))
    assert (await face.done(stream.final_task())).status == "paused"
    assert await face.done(stream.final_text) == "May I?"


async def test_nothing_is_sent_before_the_block_is_entered_and_then_once(face: Face) -> None:
    opened: list[Any] = []

    def open_it() -> Any:
        opened.append(face.source(LOG))
        return opened[-1]

    stream = face.stream(face.call(open_it))
    assert stream.task is None
    assert opened == []

    async def body(entered: Any) -> list[str]:
        assert entered is stream
        assert len(opened) == 1
        return await face.all(entered.text_deltas)

    assert await face.within(stream, body) == ["Hel", "lo"]
    assert await face.done(stream.final_text) == "Hello"
    assert len(opened) == 1
    assert opened[0].times_closed == 1


async def test_without_a_block_the_first_use_sends_the_request(face: Face) -> None:
    assert await face.done(face.stream(face.call(lambda: face.source(LOG))).final_text) == "Hello"


async def test_a_server_that_answers_with_a_task_instead_of_events_is_fine(face: Face) -> None:
    body = {"jsonrpc": "2.0", "id": "r", "result": LOG[-1]["task"]}
    answer = TaskCreateResponse.model_validate(body)
    stream = face.stream(face.call(lambda: answer))
    assert await face.within(stream, lambda s: face.all(s.events)) == []
    assert stream.task is answer.result
    assert stream.task_id == "task_1"
    assert stream.last_event_id is None
    assert await face.done(stream.final_text) == "Hello"


async def test_an_answer_without_a_task_is_an_error_when_it_comes(face: Face) -> None:
    body = {"jsonrpc": "2.0", "id": "r", "error": {"code": -32000, "message": "No"}}
    answer = TaskCreateResponse.model_validate(body)
    with pytest.raises(TaskResponseError, match="No"):
        await face.within(face.stream(face.call(lambda: answer)), face.all)


async def test_a_stream_from_the_middle_builds_on_the_task_that_was_known(face: Face) -> None:
    base = TaskObject.model_validate(LOG[0]["task"] | {"sequence_number": 0})
    stream = face.stream(face.source(LOG[1:]), base=base)
    assert stream.task is base
    assert await face.some(stream.text_deltas, 1) == ["Hel"]
    assert stream.task.output[0].status == "in_progress"
    assert (await face.done(stream.final_task())).to_dict(mode="json") == LOG[-1]["task"]


async def test_a_stream_without_events_has_no_task(face: Face) -> None:
    with pytest.raises(TaskResponseError, match="no task"):
        await face.done(face.stream(face.source([])).final_task())


async def test_leaving_early_closes_the_stream_and_leaves_the_task_alone(face: Face) -> None:
    source = face.source(LOG)
    stream = face.stream(source)
    assert await face.within(stream, lambda s: face.some(s.text_deltas, 1)) == ["Hel"]
    assert source.times_closed == 1
    assert await face.all(stream.events) == []
    with pytest.raises(TaskResponseError, match="closed while task task_1 was working") as caught:
        await face.done(stream.final_task())
    assert caught.value.task is stream.task


async def test_an_error_in_the_block_closes_the_stream(face: Face) -> None:
    source = face.source(LOG)
    with pytest.raises(KeyError):
        await face.within(face.stream(source), lambda s: {}["nothing"])
    assert source.times_closed == 1


async def test_an_error_of_the_stream_is_passed_on_after_what_came_before(face: Face) -> None:
    broken = APIConnectionError(message="cut", request=REQUEST)
    stream = face.stream(face.source(LOG[:6], error=broken))
    with pytest.raises(APIConnectionError, match="cut"):
        await face.done(stream.final_text)
    assert stream.text == "Hel"


async def test_a_request_that_failed_can_be_sent_again(face: Face) -> None:
    answers: list[Any] = [face.source(LOG), APIConnectionError(request=REQUEST)]

    def open_it() -> Any:
        answer = answers.pop()
        if isinstance(answer, Exception):
            raise answer
        return answer

    stream = face.stream(face.call(open_it))
    with pytest.raises(APIConnectionError):
        await face.done(stream.final_text)
    assert await face.done(stream.final_text) == "Hello"


async def test_an_async_stream_can_be_closed_by_contextlib() -> None:
    face = Face("async")
    source = face.source(LOG)
    await face.stream(source).aclose()
    assert source.times_closed == 1


async def test_a_stream_that_is_closed_while_it_is_opened_is_closed_when_it_is_open() -> None:
    face, source = Face("sync"), Face("sync").source(LOG)

    def open_it() -> Any:
        stream.close()
        return source

    stream = face.stream(open_it)
    assert list(stream) == []
    assert source.times_closed == 1


# Over a real client and a real connection.


async def test_a_created_task_is_streamed_to_its_text(sdk: Sdk) -> None:
    log = wire.log("Hel", "lo")
    sdk.server.script(wire.stream(log))
    stream = sdk.client().tasks.stream(user_message_content="Hello")
    assert await sdk.done(stream.final_text) == "Hello"
    assert stream.task.usage is None
    assert stream.last_event_id == f"{len(log) - 1}-1"
    assert len(sdk.server.requests) == 1


async def test_a_stream_that_is_cut_goes_on_without_its_reader_noticing(sdk: Sdk) -> None:
    log = wire.log(*"abcdef")
    sdk.server.script(wire.stream(log[:7], ending="cut"), wire.stream(log[7:]))
    stream = sdk.client().tasks.stream(user_message_content="Hello")
    face = Face(sdk.kind)
    assert await face.within(stream, lambda s: face.all(s.text_deltas)) == list("abcdef")
    assert stream.text == "abcdef"
