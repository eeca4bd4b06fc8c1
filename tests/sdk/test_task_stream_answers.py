"""client.tasks.stream: what is left of an answer that did not come, and how misuse is told."""

from typing import Any

import pytest
from pydantic import BaseModel

from agentlin_client import OutputValidationError, TaskFailedError
from agentlin_client.lib.structured import OutputType
from agentlin_client.testing import FakeServer, cut, fail, refuse, say, say_json
from tests.sdk.task_streams import Face, ended
from tests.types.streams import simple_stream

pytestmark = pytest.mark.anyio

LOG = simple_stream("Hel", "lo")


class River(BaseModel):
    name: str
    length_km: int = 0


@pytest.fixture(params=["sync", "async"])
def face(request: pytest.FixtureRequest) -> Face:
    return Face(request.param)


async def streamed(face: Face, *steps: Any, **params: Any) -> Any:
    """Return the stream of a task that did these steps, read to its end."""
    server = FakeServer()
    server.script(list(steps))
    client = server.client() if face.is_sync else server.async_client()
    stream = client.tasks.stream(user_message_content="The longest river?", **params)
    await face.within(stream, lambda s: s.until_done())
    await face.done(client.close())
    return stream


@pytest.mark.parametrize("status", ["failed", "expired", "canceled"])
async def test_what_was_shown_stays_when_the_task_is_stopped(face: Face, status: str) -> None:
    error = {"error": {"code": -32000, "message": "model failure"}} if status != "canceled" else {}
    stream = face.stream(face.source(ended(status, **error)))
    shown = "".join(await face.all(stream.text_deltas))
    assert stream.text == shown == "half"
    assert stream.task.final_text == ""
    with pytest.raises(TaskFailedError):
        await face.done(stream.final_text)


async def test_of_a_task_that_fails_after_several_attempts_the_last_one_stays(face: Face) -> None:
    stream = await streamed(face, say("One", cut()), say("One two", fail("overloaded")))
    assert stream.text == "One two"


async def test_the_answer_is_parsed_as_the_type_that_was_asked_for(face: Face) -> None:
    river = River(name="Nile", length_km=6650)
    stream = await streamed(face, say_json(river), structured_output=River)
    assert await face.done(stream.parsed) == river
    stream = await streamed(face, say_json({"value": [1, 2]}), structured_output=list[int])
    assert await face.done(stream.parsed) == [1, 2]


async def test_the_answer_of_a_stream_of_events_can_be_parsed_too(face: Face) -> None:
    log = simple_stream('{"name": ', '"Nile", "length_km": 1}')
    stream = face.stream(face.source(log), output_type=OutputType.of(River))
    assert await face.done(stream.parsed) == River(name="Nile", length_km=1)
    assert await face.done(face.stream(face.source(LOG)).parsed) is None


async def test_an_answer_that_does_not_fit_or_is_not_there_says_so(face: Face) -> None:
    stream = await streamed(face, "The Nile.", structured_output=River)
    with pytest.raises(OutputValidationError, match="does not fit the type") as caught:
        await face.done(stream.parsed)
    assert caught.value.task is stream.task
    stream = await streamed(face, fail("overloaded"), structured_output=River)
    with pytest.raises(TaskFailedError):
        await face.done(stream.parsed)


async def test_a_refusal_is_told_instead_of_an_answer(face: Face) -> None:
    stream = await streamed(face, refuse("I can't."), structured_output=River)
    assert (stream.text, stream.refusal) == ("", "I can't.")
    with pytest.raises(OutputValidationError, match=r"the model refused: I can't\.") as caught:
        await face.done(stream.parsed)
    assert (caught.value.refusal, caught.value.task) == ("I can't.", stream.task)
    assert (await streamed(face, "Yes.")).refusal is None


async def test_a_stream_is_shown_by_its_task_and_status(face: Face) -> None:
    name = "TaskStream" if face.is_sync else "AsyncTaskStream"
    stream = face.stream(face.source(LOG))
    assert repr(stream) == f"{name}(task_id=None, status=None)"
    await face.done(stream.until_done())
    assert repr(stream) == f"{name}(task_id='task_1', status='completed')"


def test_blocking_code_is_told_what_to_do_with_an_async_stream() -> None:
    face = Face("async")
    stream = face.stream(face.source(LOG))
    with (
        pytest.raises(TypeError, match="AsyncTaskStream is for async code: write `async with`"),
        stream,
    ):
        pass
    for wrong in (stream, stream.events, stream.text_deltas, stream.reasoning_deltas):
        with pytest.raises(TypeError, match="is async: write `async for`, not `for`"):
            list(wrong)


async def test_async_code_is_told_what_to_do_with_a_blocking_stream() -> None:
    face = Face("sync")
    stream = face.stream(face.source(LOG))
    with pytest.raises(TypeError, match="TaskStream is for blocking code: write `with`"):
        async with stream:
            pass
