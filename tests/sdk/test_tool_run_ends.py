"""`client.tasks.run`: how it ends without an answer, and what is refused at once; both kinds."""

import asyncio
import json

import anyio
import httpx
import pydantic
import pytest

from agentlin_client import (
    APIConnectionError,
    APIResponseValidationError,
    ConflictError,
    InternalServerError,
    NotFoundError,
    OutputValidationError,
)
from agentlin_client.lib import FunctionTool
from agentlin_client.testing import FakeServer, refuse
from agentlin_client.types import TaskObject
from tests.sdk import wire
from tests.sdk.conftest import Sdk
from tests.sdk.tool_tasks import CALL, FakeTasks, Kit, TaskLog, add, answered, get_weather

pytestmark = pytest.mark.anyio

WAIT_S = 5.0


class Weather(pydantic.BaseModel):
    city: str


@pytest.fixture(params=["sync", "async"])
def kit(request: pytest.FixtureRequest) -> Kit:
    return Kit(request.param)


def conflict() -> ConflictError:
    request = httpx.Request("POST", "http://127.0.0.1/v1/tasks")
    return ConflictError("conflict", response=httpx.Response(409, request=request), body=None)


def canceled() -> TaskObject:
    log = TaskLog()
    log.begin()
    log.end("canceled")
    return log.task


async def test_a_tool_that_was_canceled_from_within_is_answered_and_the_other_is_run(
    kit: Kit,
) -> None:
    def broken() -> str:
        raise asyncio.CancelledError("the upload was canceled")

    async def broken_async() -> str:
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        future.cancel("the upload was canceled")
        return await future

    tool = (broken if kit.is_sync else broken_async, {"name": "broken"})
    tasks = answered(("call_1", "broken", "{}"), ("call_2", "get_weather", '{"city": "Rome"}'))
    run = await kit.run(tasks, tools=[tool, get_weather])
    assert run.final_text == "Done."
    told = "broken failed: CancelledError: the upload was canceled"
    assert tasks.results() == [{"call_1": told, "call_2": "18 degrees in Rome"}]


@pytest.mark.parametrize(
    ("error", "cancels"),
    [
        (APIConnectionError(request=conflict().request), True),
        (APIResponseValidationError(httpx.Response(200, request=conflict().request), None), True),
        (InternalServerError("broken", response=conflict().response, body=None), True),
        (KeyboardInterrupt(), True),
        (conflict(), False),  # the id is another task's
        (FileNotFoundError(), False),  # nothing was sent
    ],
    ids=lambda value: type(value).__name__,
)
async def test_a_create_without_an_answer_may_have_made_a_task_that_is_to_be_canceled(
    kit: Kit, error: Exception, *, cancels: bool
) -> None:
    gone = NotFoundError("gone", response=conflict().response, body=None)
    tasks = FakeTasks(error, gone)
    with pytest.raises(type(error)):
        await kit.run(tasks, task_id="bill-7", cancel_on_close=True)
    assert tasks.asked[1:] == ([("cancel", {"task_id": "bill-7"})] if cancels else [])


async def test_a_stream_that_breaks_before_its_first_event_is_of_a_task_to_cancel(kit: Kit) -> None:
    broken = APIConnectionError(request=conflict().request)
    tasks = FakeTasks([broken], canceled())
    with pytest.raises(APIConnectionError):
        await kit.run(tasks, task_id="bill-7", cancel_on_close=True)
    assert tasks.asked[1:] == [("cancel", {"task_id": "bill-7"})]


async def test_over_the_wire_the_client_knows_the_id_of_the_task_to_cancel(sdk: Sdk) -> None:
    sdk.server.script(*[wire.stream([], ending="cut")] * 3, wire.answer(wire.task("canceled")))
    tasks = sdk.client(max_retries=2).tasks
    with pytest.raises(APIConnectionError), anyio.fail_after(WAIT_S):
        await sdk.done(tasks.run(user_message_content="Hello", cancel_on_close=True))
    task_id = json.loads(sdk.server.requests[0].body)["task_id"]
    assert sdk.server.requests[-1].target == f"/v1/tasks/{task_id}/cancel"


async def test_a_wrong_answer_comes_with_its_task(kit: Kit) -> None:
    log = TaskLog()
    tasks = FakeTasks(log.begin() + log.say("Sorry!") + log.end())
    run = await kit.run(tasks, structured_output=Weather)
    with pytest.raises(OutputValidationError) as caught:
        _ = run.parsed
    assert (caught.value.task, caught.value.refusal) == (run.task, None)
    assert run.refusal is None


async def test_a_refusal_is_told_instead_of_an_answer(sdk: Sdk) -> None:
    server = FakeServer()
    server.script(refuse("I can't."))
    client = server.client() if sdk.kind == "sync" else server.async_client()
    run = await sdk.done(
        client.tasks.run(user_message_content="Weather?", structured_output=Weather)
    )
    assert (run.status, run.final_text, run.refusal) == ("completed", "", "I can't.")
    with pytest.raises(OutputValidationError, match=r"the model refused: I can't\.") as caught:
        _ = run.parsed
    assert (caught.value.refusal, caught.value.task) == ("I can't.", run.task)
    await sdk.done(client.close())


async def test_a_run_is_shown_in_a_line_and_in_notebooks_as_its_task(kit: Kit) -> None:
    run = await kit.run(answered(CALL), tools=[get_weather])
    assert repr(run) == "TaskRun(id='task_1', status='completed', text='Done.')"
    assert run._repr_html_() == run.task._repr_html_()
    log = TaskLog()
    long = await kit.run(FakeTasks(log.begin() + log.say("word " * 99) + log.end()))
    assert repr(long).endswith("word word ...')")
    assert len(repr(long)) < 120


async def test_what_can_t_be_is_said_before_anything_is_sent(sdk: Sdk) -> None:
    tasks = sdk.client().tasks
    given = {"user_message_content": "Hello"}
    with pytest.raises(TypeError, match=r"tools takes a list: tools=\[get_weather\]"):
        await sdk.done(tasks.run(tools=get_weather, **given))
    with pytest.raises(TypeError, match=r"tools takes a list: tools=\[add\]"):
        await sdk.done(tasks.run(tools=FunctionTool.of(add), **given))
    misspelt = r"tasks\.run\(\) has no parameter 'sesion_id': did you mean 'session_id'\?"
    with pytest.raises(TypeError, match=misspelt):
        await sdk.done(tasks.run(sesion_id="s", **given))
    with pytest.raises(TypeError, match="no parameter 'max_round': did you mean 'max_rounds'"):
        await sdk.done(tasks.run(max_round=1, **given))
    with pytest.raises(TypeError, match=r"tasks\.stream\(\) has no parameter 'sesion_id'"):
        tasks.stream(sesion_id="s", **given)
    with pytest.raises(TypeError, match=r"tasks\.stream\(\) has no parameter 'xyzzy'$"):
        tasks.stream(xyzzy=1, **given)
    assert sdk.server.requests == []
