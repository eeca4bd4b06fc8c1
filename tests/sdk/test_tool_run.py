"""`client.tasks.run`: a task's calls are run, answered, and the task goes on; both kinds."""

import json

import anyio
import anyio.lowlevel
import httpx
import pydantic
import pytest

from agentlin_client import (
    ConflictError,
    OutputValidationError,
    TaskFailedError,
)
from agentlin_client.lib import async_tool_run, tool_run
from agentlin_client.lib.structured import OutputType
from agentlin_client.lib.task_run import TaskRun
from agentlin_client.types import AgentTaskEvent, TaskObject
from tests.sdk.conftest import Sdk
from tests.sdk.tool_tasks import (
    CALL,
    SUM,
    FakeTasks,
    Kit,
    TaskLog,
    add,
    answered,
    get_weather,
)
from tests.sdk.wire import stream

pytestmark = pytest.mark.anyio

WAIT_S = 5.0


@pytest.fixture(params=["sync", "async"])
def kit(request: pytest.FixtureRequest) -> Kit:
    return Kit(request.param)


def conflict() -> ConflictError:
    request = httpx.Request("POST", "http://127.0.0.1/v1/tasks/t/tool_results")
    return ConflictError("conflict", response=httpx.Response(409, request=request), body=None)


async def test_a_task_without_calls_is_followed_to_its_end(kit: Kit) -> None:
    log = TaskLog()
    tasks = FakeTasks(log.begin() + log.say("Hello.") + log.end())

    run = await kit.run(tasks, session_id="s")

    assert run.status == "completed"
    assert run.final_text == "Hello."
    assert run.parsed is None
    assert tasks.names == ["create"]
    asked = tasks.asked[0][1]
    assert asked["stream"] is True
    assert asked["session_id"] == "s"
    assert not asked["client_tools"]
    assert all(stream.is_closed for stream in tasks.streams)


async def test_calls_are_run_and_their_results_sent(kit: Kit) -> None:
    tasks = answered(CALL, SUM)

    run = await kit.run(tasks, tools=[get_weather, add])

    assert run.final_text == "Done."
    assert tasks.results() == [{"call_1": "18 degrees in Rome", "call_2": "3"}]
    assert [call.name for call in run.tool_calls] == ["get_weather", "add"]
    offered = [tool["function"]["name"] for tool in tasks.asked[0][1]["client_tools"]]
    assert offered == ["get_weather", "add"]


async def test_the_callers_own_client_tools_are_offered_too(kit: Kit) -> None:
    other = {"type": "function", "function": {"name": "other", "parameters": {}}}
    tasks = answered(CALL)
    await kit.run(tasks, tools=[get_weather], client_tools=[other])
    offered = [tool["function"]["name"] for tool in tasks.asked[0][1]["client_tools"]]
    assert offered == ["get_weather", "other"]


async def test_every_request_of_a_run_carries_the_callers_headers(kit: Kit) -> None:
    tasks = answered(CALL)
    await kit.run(tasks, tools=[get_weather], extra_headers={"X-A": "1"}, timeout=3.0)
    assert [asked["extra_headers"] for _, asked in tasks.asked] == [{"X-A": "1"}] * 2
    assert [asked["timeout"] for _, asked in tasks.asked] == [3.0] * 2


async def test_each_event_is_shown_once_and_in_order(kit: Kit) -> None:
    events: list[AgentTaskEvent] = []
    await kit.run(answered(CALL), tools=[get_weather], on_event=kit.hook(events.append))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[-1].type == "task.completed"


async def test_calls_of_others_are_left_to_them_after_ours_are_answered(kit: Kit) -> None:
    log = TaskLog()
    first = log.begin() + log.ask(CALL, ("call_9", "approve_payment", "{}"))
    tasks = FakeTasks(first, log.take("call_1"))

    run = await kit.run(tasks, tools=[get_weather])

    assert run.status == "input-required"
    assert run.task.input_required_call_ids == ["call_9"]
    assert tasks.results() == [{"call_1": "18 degrees in Rome"}]


async def test_a_run_stops_after_so_many_rounds_as_allowed(kit: Kit) -> None:
    log = TaskLog()
    first = log.begin() + log.ask(CALL)
    tasks = FakeTasks(first, log.take("call_1") + log.ask(SUM))
    run = await kit.run(tasks, tools=[get_weather, add], max_rounds=1)
    assert run.status == "input-required"
    assert run.task.input_required_call_ids == ["call_2"]


async def test_a_pause_is_waited_out(kit: Kit) -> None:
    log = TaskLog()
    first = log.begin() + log.end("paused")
    # `until=final` stays open through rests: whoever reads on waits for ever.
    rest = [*log.go_on(), *log.ask(CALL), LookupError("read on")]
    tasks = FakeTasks(first, rest, log.take("call_1") + log.say("Done.") + log.end())

    run = await kit.run(tasks, tools=[get_weather], extra_query={"a": "1"})

    assert run.final_text == "Done."
    asked = tasks.asked[1]
    assert asked[0] == "events"
    assert asked[1]["starting_after"] == first[-1]["sequence_number"]
    assert asked[1]["until"] == "final"
    assert [asked["extra_query"] for _, asked in tasks.asked] == [{"a": "1"}] * 3


async def test_a_server_with_nothing_more_to_say_of_a_paused_task_ends_the_run(kit: Kit) -> None:
    log = TaskLog()
    first = log.begin() + log.end("paused")
    run = await kit.run(FakeTasks(first, [], log.task))
    assert run.status == "paused"


async def test_a_task_that_ended_while_the_tools_ran_is_no_error(kit: Kit) -> None:
    log = TaskLog()
    first = log.begin() + log.ask(CALL)
    log.end("canceled")
    tasks = FakeTasks(first, conflict(), log.task)

    run = await kit.run(tasks, tools=[get_weather])

    assert run.status == "canceled"
    with pytest.raises(TaskFailedError):
        run.raise_for_status()
    with pytest.raises(TaskFailedError):
        _ = TaskRun(run.task, OutputType.of(int)).parsed
    with pytest.raises(TaskFailedError) as caught:
        _ = run.final_text
    assert caught.value.task is run.task


async def test_a_call_that_somebody_else_answered_is_not_run_again_for_the_others(kit: Kit) -> None:
    runs: list[str] = []

    def note(name: str) -> str:
        runs.append(name)
        return name

    log = TaskLog()
    first = log.begin() + log.ask(("a", "note", '{"name": "x"}'), ("b", "note", '{"name": "y"}'))
    log.take("a")
    tasks = FakeTasks(first, conflict(), log.task, log.take("b") + log.say("Done.") + log.end())

    run = await kit.run(tasks, tools=[note])

    assert run.final_text == "Done."
    assert sorted(runs) == ["x", "y"]
    assert tasks.results()[1] == {"b": "y"}


async def test_a_conflict_that_nothing_explains_is_raised(kit: Kit) -> None:
    log = TaskLog()
    first = log.begin() + log.ask(CALL)
    with pytest.raises(ConflictError):
        await kit.run(FakeTasks(first, conflict(), log.task), tools=[get_weather])


async def test_a_call_that_was_answered_is_not_answered_again(kit: Kit) -> None:
    log = TaskLog()
    first = log.begin() + log.ask(CALL)
    tasks = FakeTasks(first, [], log.task)  # a server that has not noticed
    run = await kit.run(tasks, tools=[get_weather])
    assert run.status == "input-required"
    assert tasks.names == ["create", "submit_tool_results", "retrieve"]


async def test_answers_without_a_stream_will_do(kit: Kit) -> None:
    log = TaskLog()
    log.begin()
    log.ask(CALL)
    first = log.task
    log.take("call_1")
    log.say("Done.")
    log.end()
    tasks = FakeTasks(first, log.task)
    run = await kit.run(tasks, tools=[get_weather])
    assert run.final_text == "Done."


async def test_a_stream_that_ends_without_the_task_is_completed_by_asking(kit: Kit) -> None:
    log = TaskLog()
    first = log.begin() + log.say("Hi.")
    log.end()
    run = await kit.run(FakeTasks(first, log.task))
    assert run.status == "completed"


async def test_rollouts_are_fetched_where_they_were_asked_for(kit: Kit) -> None:
    log = TaskLog()
    first = log.begin() + log.say("Hi.") + log.end()
    with_rollouts = log.task.model_copy(update={"rollouts": [{"rollout_id": "r"}]})
    run = await kit.run(FakeTasks(first, with_rollouts), return_rollout=True)
    assert run.task.rollouts == [{"rollout_id": "r"}]


async def test_leaving_by_an_error_does_not_cancel_the_task(kit: Kit) -> None:
    def boom(event: object) -> None:
        raise LookupError

    tasks = answered(CALL)
    with pytest.raises(LookupError):
        await kit.run(tasks, tools=[get_weather], on_event=boom)
    assert tasks.names == ["create"]
    assert tasks.streams[0].is_closed


async def test_leaving_by_an_error_cancels_the_task_where_that_is_wanted(kit: Kit) -> None:
    def boom(event: object) -> None:
        raise LookupError

    tasks = FakeTasks(TaskLog().begin(), canceled())
    with pytest.raises(LookupError):
        await kit.run(tasks, on_event=boom, cancel_on_close=True)
    assert tasks.asked[1] == ("cancel", {"task_id": "task_1"})


async def test_a_run_that_came_to_its_end_cancels_nothing(kit: Kit) -> None:
    tasks = answered(CALL)
    await kit.run(tasks, tools=[get_weather], cancel_on_close=True)
    assert tasks.names == ["create", "submit_tool_results"]


def canceled() -> TaskObject:
    log = TaskLog()
    log.begin()
    log.end("canceled")
    return log.task


async def test_a_run_that_is_canceled_cancels_its_task_where_that_is_wanted() -> None:
    async def hang() -> None:
        await anyio.sleep_forever()

    log = TaskLog()
    tasks = FakeTasks(log.begin() + log.ask(("a", "hang", "{}")), conflict())
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: Kit("async").run(tasks, tools=[hang], cancel_on_close=True))
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    assert tasks.names == ["create", "cancel"]


class Weather(pydantic.BaseModel):
    city: str
    degrees: int = 0


async def test_the_answer_is_parsed_as_the_type_that_was_asked_for(kit: Kit) -> None:
    log = TaskLog()
    tasks = FakeTasks(log.begin() + log.say('{"city": "Rome", "degrees": 18}') + log.end())
    run = await kit.run(tasks, structured_output=Weather)
    assert run.parsed == Weather(city="Rome", degrees=18)
    assert run.parsed is run.parsed
    assert tasks.asked[0][1]["structured_output"]["required"] == ["city", "degrees"]


async def test_an_answer_that_is_not_there_yet_says_so(kit: Kit) -> None:
    log = TaskLog()
    tasks = FakeTasks(log.begin() + log.ask(CALL))
    run = await kit.run(tasks, structured_output=Weather)
    with pytest.raises(OutputValidationError, match="is input-required: it has no answer yet"):
        _ = run.parsed
    assert run.final_text == ""


async def test_over_the_wire_a_run_is_two_requests(sdk: Sdk) -> None:
    log = TaskLog()
    sdk.server.script(stream(log.begin() + log.ask(CALL, SUM)))
    sdk.server.script(stream(log.take("call_1", "call_2") + log.say("18 and 3.") + log.end()))
    kit, tasks = Kit(sdk.kind), sdk.client().tasks
    run = tool_run.run if kit.is_sync else async_tool_run.run

    with anyio.fail_after(WAIT_S):
        done = await sdk.done(
            run(
                tasks,
                user_message_content="Weather?",
                tools=[get_weather, add],
                structured_output=Weather,
                extra_headers={"X-Tenant": "t"},
            )
        )

    assert done.final_text == "18 and 3."
    created, submitted = sdk.server.requests
    body = json.loads(created.body)
    assert [tool["function"]["name"] for tool in body["client_tools"]] == ["get_weather", "add"]
    assert body["structured_output"] == OutputType.of(Weather).schema
    assert submitted.target == "/v1/tasks/task_1/tool_results"
    assert submitted.headers["x-tenant"] == "t"
    assert json.loads(submitted.body)["tool_results"] == [
        {
            "type": "tool_result",
            "call_id": "call_1",
            "message_content": "18 degrees in Rome",
            "block_list": [],
        },
        {"type": "tool_result", "call_id": "call_2", "message_content": "3", "block_list": []},
    ]


async def test_over_the_wire_without_tools_nothing_is_said_of_them(sdk: Sdk) -> None:
    log = TaskLog()
    sdk.server.script(stream(log.begin() + log.say("Hi.") + log.end()))
    run = tool_run.run if sdk.kind == "sync" else async_tool_run.run
    with anyio.fail_after(WAIT_S):
        await sdk.done(run(sdk.client().tasks, user_message_content="Hello"))
    assert (
        not {"client_tools", "structured_output"} & json.loads(sdk.server.requests[0].body).keys()
    )
