"""`tasks.stream` and `tasks.run`, with each kind of client, against a real server."""

import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

import anyio
import pytest

from agentlin_client import TaskFailedError
from agentlin_client.types import ToolResultItem
from tests.e2e.processes import ServerProcess
from tests.e2e.sdk_clients import KINDS, Face, scripted_server

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SCRIPT = """
- {match: quick, repeat: true, text: "Said at once.", chunks: words}
- {match: slow, repeat: true, steps: [{text: so far, chunks: words}, {delay_s: 3600}]}
- {match: fail, repeat: true, steps: [{text: so far}, {error: {kind: request, message: refused}}]}
- match: weather
  results: 0
  repeat: true
  steps:
    - {text: "I look it up. ", chunks: words}
    - {tool_call: {name: weather, arguments: {city: Rome}}}
    - {tool_call: {name: weather, arguments: {city: Oslo}}}
- {match: weather, results: 2, repeat: true, text: "Rome is warmer.", chunks: words}
- match: broken
  results: 0
  repeat: true
  steps: [{tool_call: {name: weather, arguments: {town: Rome}}}]
- {match: broken, results: 1, repeat: true, text: "I could not find out."}
- match: other
  results: 0
  repeat: true
  steps: [{tool_call: {name: theirs, arguments: {}}}]
"""
TIME_S = 30.0
WAIT_S = 5.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with scripted_server(tmp_path_factory.mktemp("helpers"), SCRIPT) as server:
        yield server


@pytest.fixture(params=KINDS)
async def face(request: pytest.FixtureRequest, server: ServerProcess) -> AsyncIterator[Face]:
    face = Face(request.param, f"{server.address}/v1")
    with anyio.fail_after(TIME_S):
        yield face
        await face.close()


def said(run: Any) -> list[str]:
    """Return the texts of the results that a run's tools had."""
    items = [item for item in run.task.output if isinstance(item, ToolResultItem)]
    return ["".join(part.text for part in cast("Any", item.message_content)) for item in items]


async def first_delta(face: Face, stream: Any) -> str:
    """Enter a stream, leave it after its first piece of text, and return that."""
    if face.kind == "sync":
        with stream:
            return next(stream.text_deltas)
    async with stream:
        return await anext(stream.text_deltas)


async def test_a_stream_shows_the_text_the_events_and_the_task(face: Face) -> None:
    tasks = face.client().tasks
    stream = tasks.stream(user_message_content="quick", metadata={"a": 1})
    assert "".join(await face.all(stream.text_deltas)) == "Said at once."
    task = await face.done(stream.final_task())
    assert (task.status, task.metadata) == ("completed", {"a": 1})
    assert task == (await face.done(tasks.retrieve(task.id))).unwrap()
    text = stream.final_text
    assert (await face.done(text)) == "Said at once."

    events = await face.all(tasks.stream(user_message_content="quick").events)
    assert [event.sequence_number for event in events] == list(range(len(events)))


async def test_a_failed_task_raises_where_its_answer_is_wanted(face: Face) -> None:
    stream = face.client().tasks.stream(user_message_content="fail")
    assert (await face.done(stream.final_task())).status == "failed"
    with pytest.raises(TaskFailedError, match="refused") as caught:
        await face.done(stream.final_text)
    assert caught.value.task.output[0].status == "incomplete"


@pytest.mark.parametrize("cancels", [True, False])
async def test_a_task_that_is_left_early_goes_on_unless_it_should_not(
    face: Face, *, cancels: bool
) -> None:
    tasks = face.client().tasks
    stream = tasks.stream(user_message_content="slow", cancel_on_close=cancels)
    assert await first_delta(face, stream) == "so "
    task = (await face.done(tasks.retrieve(stream.task_id))).unwrap()
    assert task.status == ("canceled" if cancels else "working")
    await face.done(tasks.cancel(task.id))


async def test_a_run_makes_the_calls_of_a_step_at_once_and_goes_on_with_their_results(
    face: Face,
) -> None:
    both = threading.Barrier(2)

    def weather(city: str) -> str:
        """Tell the weather of a city.

        Args:
            city: Its name.
        """
        both.wait(WAIT_S)  # breaks unless the other call is made meanwhile
        return f"warm in {city}"

    tasks = face.client().tasks
    run = await face.done(tasks.run(user_message_content="weather", tools=[weather]))
    assert run.final_text == "Rome is warmer."
    assert [call.name for call in run.tool_calls] == ["weather", "weather"]
    assert said(run) == ["warm in Rome", "warm in Oslo"]
    assert run.task == (await face.done(tasks.retrieve(run.task.id))).unwrap()


@pytest.mark.parametrize("kind", KINDS[1:])
async def test_coroutines_are_run_at_once_too(kind: str, server: ServerProcess) -> None:
    face, running, both = Face(kind, f"{server.address}/v1"), list[str](), anyio.Event()

    async def weather(city: str) -> str:
        running.append(city)
        if len(running) == 2:
            both.set()
        await both.wait()
        return "warm"

    with anyio.fail_after(TIME_S):
        run = await face.client().tasks.run(user_message_content="weather", tools=[weather])
        await face.close()
    assert run.final_text == "Rome is warmer."


async def test_what_goes_wrong_in_a_tool_is_told_to_the_model(face: Face) -> None:
    def weather(city: str) -> str:
        raise AssertionError("is not called with arguments that do not fit")

    tasks = face.client().tasks
    run = await face.done(tasks.run(user_message_content="broken", tools=[weather]))
    assert run.final_text == "I could not find out."
    (told,) = said(run)
    assert "city" in told


async def test_a_call_that_a_person_rejects_is_not_made(face: Face) -> None:
    def weather(city: str) -> str:
        return f"warm in {city}"

    asked: list[str] = []

    def decide(call: Any) -> bool:
        asked.append(call.arguments)
        return "Rome" in call.arguments

    run = await face.done(
        face.client().tasks.run(
            user_message_content="weather", tools=[weather], on_tool_call=decide
        )
    )
    rome, oslo = said(run)
    assert rome == "warm in Rome"
    assert "warm" not in oslo
    assert len(asked) == 2


async def test_a_run_stops_at_a_call_that_is_not_its_own(face: Face) -> None:
    theirs: Any = {
        "type": "function",
        "function": {"name": "theirs", "parameters": {"type": "object", "properties": {}}},
    }
    run = await face.done(
        face.client().tasks.run(user_message_content="other", client_tools=[theirs])
    )
    assert run.status == "input-required"
    assert run.task.input_required.name == "theirs"
