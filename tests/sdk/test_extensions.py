"""What the SDK can do beyond the interface's four methods: pause, resume, answer, follow on."""

import json
from copy import deepcopy
from types import MappingProxyType
from typing import Any

import pytest

from agentlin_client import APIConnectionError, AsyncStream, ConflictError, Omit, Stream, omit
from agentlin_client.types import ToolResultItem
from tests.sdk import wire
from tests.sdk.conftest import Sdk
from tests.sdk.server import Answer

pytestmark = pytest.mark.anyio

RESULT = {"type": "tool_result", "call_id": "c1", "message_content": "yes", "block_list": []}
RESTING = {"task.paused", "task.input_required"}


def with_rest(*deltas: str) -> list[dict[str, Any]]:
    """Return the log of a task that was paused before it said anything, and resumed."""
    log = wire.log(*deltas)
    stamp = log[0]["timestamp"]
    paused = {"type": "task.paused", "timestamp": stamp, "task": wire.task("paused")}
    queued = {"type": "task.queued", "timestamp": stamp}
    working = {"type": "task.working", "timestamp": stamp}
    bodies = [*log[:3], paused, queued, working, *log[3:]]
    return [
        {**body, "task_id": wire.TASK_ID, "sequence_number": n} for n, body in enumerate(bodies)
    ]


@pytest.mark.parametrize("method", ["pause", "resume"])
async def test_a_task_is_paused_and_resumed_by_a_post_without_body(sdk: Sdk, method: str) -> None:
    sdk.server.script(wire.answer(wire.task("working", pause_requested=method == "pause")))
    response = await sdk.done(
        getattr(sdk.client().tasks, method)("a/b", extra_headers={"X-A": "1"})
    )
    (request,) = sdk.server.requests
    assert (request.method, request.target) == ("POST", f"/v1/tasks/a%2Fb/{method}")
    assert request.body == b""
    assert request.headers["x-a"] == "1"
    assert type(response).__name__ == f"Task{method.title()}Response"
    assert response.unwrap().pause_requested is (method == "pause")


@pytest.mark.parametrize("method", ["pause", "resume"])
async def test_a_refusal_is_a_conflict_and_is_not_tried_again(sdk: Sdk, method: str) -> None:
    sdk.server.script(wire.refusal(409, -32009, "it is completed", x_should_retry="false"))
    with pytest.raises(ConflictError, match="it is completed"):
        await sdk.done(getattr(sdk.client().tasks, method)("t"))
    assert len(sdk.server.requests) == 1


async def test_answers_are_posted_and_the_settled_task_comes_back(sdk: Sdk) -> None:
    sdk.server.script(wire.answer(wire.task()))
    item = ToolResultItem.model_validate(RESULT | {"call_id": "c2"})
    response = await sdk.done(
        sdk.client().tasks.submit_tool_results(
            "t", tool_results=iter([RESULT, item]), request_id="r"
        )
    )
    (request,) = sdk.server.requests
    assert (request.method, request.target) == ("POST", "/v1/tasks/t/tool_results")
    assert json.loads(request.body) == {
        "tool_results": [RESULT, RESULT | {"call_id": "c2"}],
        "stream": False,
        "request_id": "r",
    }
    assert request.headers["accept"] == "application/json"
    assert type(response).__name__ == "TaskToolResultsResponse"
    assert response.unwrap().status == "completed"


async def test_what_answers_have_in_common_is_filled_in(sdk: Sdk) -> None:
    sdk.server.script(wire.answer(wire.task()))
    answers: list[Any] = [
        {"call_id": "c1", "message_content": "18 degrees"},
        {"call_id": "c2", "message_content": "a chart", "block_list": [{"chart": 1}], "id": "tr_2"},
        MappingProxyType({"call_id": "c3", "message_content": "", "mood": "good"}),
    ]
    before = deepcopy(answers[:2])
    await sdk.done(sdk.client().tasks.submit_tool_results("t", tool_results=answers))
    assert json.loads(sdk.server.requests[0].body)["tool_results"] == [
        {"type": "tool_result", "block_list": [], **answers[0]},
        {"type": "tool_result", **answers[1]},
        {"type": "tool_result", "block_list": [], **answers[2]},
    ]
    assert answers[:2] == before


async def test_answers_may_be_given_in_the_background(sdk: Sdk) -> None:
    sdk.server.script(wire.answer(wire.task("queued")))
    tasks = sdk.client().tasks
    await sdk.done(
        tasks.submit_tool_results("t", tool_results=[RESULT], background=True, request_id=omit)
    )
    assert json.loads(sdk.server.requests[0].body) == {
        "tool_results": [RESULT],
        "stream": False,
        "background": True,
    }


async def test_answers_may_be_followed_by_the_new_events(sdk: Sdk) -> None:
    log = wire.log("Good")[2:]
    sdk.server.script(wire.stream(log))
    stream = await sdk.done(
        sdk.client().tasks.submit_tool_results("t", tool_results=[RESULT], stream=True)
    )
    assert isinstance(stream, Stream | AsyncStream)
    assert sdk.server.requests[0].headers["accept"] == "text/event-stream"
    events: list[Any] = []
    await sdk.drain(stream, events)
    assert [event.to_dict() for event in events] == log


async def test_answers_that_got_lost_are_sent_again_as_they_were(sdk: Sdk) -> None:
    sdk.server.script(wire.refusal(503), wire.answer(wire.task()))
    await sdk.done(sdk.client().tasks.submit_tool_results("t", tool_results=iter([RESULT])))
    first, second = sdk.server.requests
    assert first.body == second.body
    assert second.headers["x-stainless-retry-count"] == "1"


@pytest.mark.parametrize("method", ["pause", "resume", "submit_tool_results"])
@pytest.mark.parametrize("task_id", ["", ".", ".."])
async def test_an_id_that_would_change_the_path_is_a_value_error(
    sdk: Sdk, method: str, task_id: str
) -> None:
    params = {"tool_results": [RESULT]} if method == "submit_tool_results" else {}
    with pytest.raises(ValueError, match="task_id"):
        await sdk.done(getattr(sdk.client().tasks, method)(task_id, **params))
    assert sdk.server.requests == []


@pytest.mark.parametrize("after", [omit, None, 3, "3-1"], ids=str)
async def test_events_until_final_stay_while_the_task_rests(
    sdk: Sdk, after: int | str | Omit | None
) -> None:
    log = with_rest("a")[4 if after else 0 :]
    sdk.server.script(wire.stream(log))
    events: list[Any] = []
    tasks = sdk.client().tasks
    await sdk.drain(await sdk.done(tasks.events("t", starting_after=after, until="final")), events)
    assert [event.to_dict() for event in events] == log
    number = "&starting_after=3" if after == 3 else ""
    assert sdk.server.requests[0].target == f"/v1/tasks/t/events?until=final{number}"


@pytest.mark.parametrize("until", [{}, {"until": "final"}], ids=str)
async def test_only_without_until_final_may_a_stream_end_at_rest(
    sdk: Sdk, until: dict[str, Any]
) -> None:
    log = with_rest("a")
    to_rest = log[: next(n for n, e in enumerate(log, 1) if e["type"] in RESTING)]
    sdk.server.script(wire.stream(to_rest))
    stream = await sdk.done(sdk.client(max_retries=0).tasks.events("t", **until))
    events: list[Any] = []
    if until:
        with pytest.raises(APIConnectionError, match="after event 3-1"):
            await sdk.drain(stream, events)
    else:
        await sdk.drain(stream, events)
    assert [event.to_dict() for event in events] == to_rest


async def test_a_final_task_without_new_events_is_an_empty_stream(sdk: Sdk) -> None:
    sdk.server.script(Answer(status=204))
    events: list[Any] = []
    tasks = sdk.client().tasks
    await sdk.drain(await sdk.done(tasks.events("t", starting_after=9, until="final")), events)
    assert events == []
