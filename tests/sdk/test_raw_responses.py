"""`with_raw_response` and `with_streaming_response`: headers, bodies, and what is made of them."""

import contextlib
import inspect
import json
import subprocess
import sys
from types import NoneType
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from agentlin_client import (
    APIResponse,
    APIResponseValidationError,
    APITimeoutError,
    AsyncAPIResponse,
    AsyncStream,
    NotFoundError,
    Stream,
)
from agentlin_client.resources.async_tasks import AsyncTasks
from agentlin_client.types import TaskCreateResponse, TaskObject
from tests.sdk import wire
from tests.sdk.conftest import Sdk
from tests.sdk.raw import entered, first, pieces
from tests.sdk.server import SILENCE, WAIT_S, Answer

pytestmark = pytest.mark.anyio

HELLO: dict[str, Any] = {"stream": False, "user_message_content": "Hello"}
STREAM = HELLO | {"stream": True}
LOG = wire.log("Hel", "lo")
LINES = Answer(headers={"Content-Type": "text/plain"}, chunks=(b"one\ntw", b"o\n"))

ON_A_TASK: dict[str, dict[str, Any]] = {
    "retrieve": {},
    "info": {},
    "delete": {},
    "cancel": {},
    "pause": {},
    "resume": {},
    "submit_tool_results": {"tool_results": []},
}


async def test_a_raw_response_has_the_headers_and_the_model(sdk: Sdk) -> None:
    answer = wire.answer(wire.task())
    headers = {**answer.headers, "X-Request-ID": "req_9", "X-My-Header": "mine"}
    sdk.server.script(Answer(headers=headers, body=answer.body))
    response = await sdk.done(sdk.client().tasks.with_raw_response.create(**HELLO))
    assert type(response) is (APIResponse if sdk.kind == "sync" else AsyncAPIResponse)
    assert response.headers["x-my-header"] == "mine"
    assert response.request_id == "req_9"
    assert response.status_code == response.http_response.status_code == 200
    assert (response.method, str(response.url)) == ("POST", f"{sdk.server.base_url}/tasks")
    assert json.loads(response.http_request.content)["user_message_content"] == "Hello"
    assert response.http_version == "HTTP/1.1"
    assert response.elapsed.total_seconds() > 0
    assert response.is_closed
    assert response.retries_taken == 0
    created = await sdk.done(response.parse())
    assert isinstance(created, TaskCreateResponse)
    assert created.unwrap().status == "completed"
    assert await sdk.done(response.parse()) is created


@pytest.mark.parametrize("method", ON_A_TASK)
@pytest.mark.parametrize("way", ["with_raw_response", "with_streaming_response"])
async def test_every_method_has_its_model_in_the_response(sdk: Sdk, way: str, method: str) -> None:
    sdk.server.script(*[wire.answer(wire.task())] * 2)
    tasks, params = sdk.client().tasks, ON_A_TASK[method]
    plain = await sdk.done(getattr(tasks, method)("task_1", **params))
    prepared = getattr(getattr(tasks, way), method)("task_1", **params)
    if way == "with_raw_response":
        parsed = await sdk.done((await sdk.done(prepared)).parse())
    else:
        async with entered(prepared) as response:
            parsed = await sdk.done(response.parse())
    assert parsed == plain
    assert type(parsed) is type(plain)
    first, second = sdk.server.requests
    assert (first.method, first.target) == (second.method, second.target)
    assert first.headers == second.headers


async def test_a_raw_body_can_be_read_in_all_ways_and_as_often_as_you_like(sdk: Sdk) -> None:
    sdk.server.script(Answer(headers=wire.JSON, body='{"a":\n"é"}'.encode()))
    response = await sdk.done(sdk.client().tasks.with_raw_response.retrieve("t"))
    for _ in range(2):
        assert await sdk.done(response.read()) == '{"a":\n"é"}'.encode()
        assert await sdk.done(response.text()) == '{"a":\n"é"}'
        assert await sdk.done(response.json()) == {"a": "é"}
        assert await pieces(response.iter_bytes(4)) == [b'{"a"', b':\n"\xc3', b'\xa9"}']
        assert await pieces(response.iter_text(5)) == ['{"a":', '\n"é"}']
        assert await pieces(response.iter_lines()) == ['{"a":', '"é"}']


async def test_a_response_parses_to_other_types_and_refuses_what_does_not_fit(sdk: Sdk) -> None:
    class Mine(BaseModel):
        result: TaskObject

    sdk.server.script(wire.answer(wire.task()))
    response = await sdk.done(sdk.client().tasks.with_raw_response.retrieve("t"))
    assert (await sdk.done(response.parse(to=Mine))).result.id == wire.TASK_ID
    assert (await sdk.done(response.parse(to=dict[str, Any])))["jsonrpc"] == "2.0"
    assert await sdk.done(response.parse(to=str)) == wire.envelope(wire.task()).decode()
    assert await sdk.done(response.parse(to=bytes)) == wire.envelope(wire.task())
    assert await sdk.done(response.parse(to=httpx.Response)) is response.http_response
    assert await sdk.done(response.parse(to=NoneType)) is None
    assert (await sdk.done(response.parse())).unwrap().id == wire.TASK_ID
    for wrong in (list[int], Stream if sdk.kind == "sync" else AsyncStream):
        with pytest.raises(APIResponseValidationError):
            await sdk.done(response.parse(to=wrong))


async def test_a_client_that_is_strict_has_strict_responses(sdk: Sdk) -> None:
    sdk.server.script(*[wire.answer({"id": 1})] * 2)
    client = sdk.client()
    response = await sdk.done(client.tasks.with_raw_response.retrieve("t"))
    assert (await sdk.done(response.parse())).result.id == 1
    strict = client.with_options(_strict_response_validation=True)
    response = await sdk.done(strict.tasks.with_raw_response.retrieve("t"))
    with pytest.raises(APIResponseValidationError):
        await sdk.done(response.parse())


async def test_a_raw_stream_is_left_unread_and_parses_to_one_that_connects_again(
    sdk: Sdk,
) -> None:
    sdk.server.script(wire.stream(LOG[:4], ending="cut"), wire.stream(LOG[4:]))
    response = await sdk.done(sdk.client().tasks.with_raw_response.create(**STREAM))
    assert not response.is_closed
    assert response.headers["content-type"] == "text/event-stream"
    stream = await sdk.done(response.parse())
    kind: Any = Stream if sdk.kind == "sync" else AsyncStream
    assert isinstance(stream, kind)
    for to in (None, kind, kind[Any]):
        assert await sdk.done(response.parse(to=to)) is stream
    events: list[Any] = []
    await sdk.drain(stream, events)
    assert [event.to_dict() for event in events] == LOG
    assert sdk.server.requests[1].headers["last-event-id"] == "3-1"


async def test_a_parsed_stream_that_breaks_before_its_first_event_is_asked_for_as_before(
    sdk: Sdk,
) -> None:
    sdk.server.script(wire.stream([], ending="cut"), wire.stream(LOG))
    turns = iter([{"role": "user", "content": "Hi"}])  # there once
    response = await sdk.done(
        sdk.client().tasks.with_raw_response.create(**STREAM, history_messages=turns)
    )
    events: list[Any] = []
    await sdk.drain(await sdk.done(response.parse()), events)
    assert [event.to_dict() for event in events] == LOG
    first, second = sdk.server.requests
    assert first.body == second.body
    assert json.loads(first.body)["history_messages"] == [{"role": "user", "content": "Hi"}]


async def test_a_parsed_stream_stays_until_the_final_event_if_that_was_asked_for(sdk: Sdk) -> None:
    resting = wire.log("Hi", last="task.paused")
    last = resting[-1] | {"type": "task.canceled", "sequence_number": len(resting)}
    sdk.server.script(wire.stream(resting, ending="cut"), wire.stream([last]))
    response = await sdk.done(sdk.client().tasks.with_raw_response.events("t", until="final"))
    events: list[Any] = []
    await sdk.drain(await sdk.done(response.parse()), events)
    assert [event.type for event in events[-2:]] == ["task.paused", "task.canceled"]
    assert sdk.server.requests[1].target.endswith("/events?until=final")


@pytest.mark.parametrize("way", ["with_raw_response", "with_streaming_response"])
async def test_events_of_a_task_are_a_stream_with_their_place_in_it(sdk: Sdk, way: str) -> None:
    sdk.server.script(wire.stream(LOG[5:]))
    prepared = getattr(sdk.client().tasks, way).events("t", starting_after=3)
    response = prepared if way == "with_streaming_response" else await sdk.done(prepared)
    async with contextlib.AsyncExitStack() as stack:
        if way == "with_streaming_response":
            response = await stack.enter_async_context(entered(response))
        with pytest.raises(APIResponseValidationError, match="event 4 was expected"):
            await sdk.drain(await sdk.done(response.parse()), [])


async def test_the_answers_content_type_decides_what_is_parsed(sdk: Sdk) -> None:
    sdk.server.script(
        wire.answer(wire.task()),
        wire.stream(LOG),
        Answer(status=204),
        wire.answer(wire.task()),
    )
    tasks = sdk.client().tasks.with_streaming_response
    async with entered(tasks.create(**STREAM)) as response:
        assert isinstance(await sdk.done(response.parse()), TaskCreateResponse)
    async with entered(tasks.create(**HELLO)) as response:
        events: list[Any] = []
        await sdk.drain(await sdk.done(response.parse()), events)
        assert len(events) == len(LOG)
    async with entered(tasks.events("t")) as response:
        events = []
        await sdk.drain(await sdk.done(response.parse()), events)
        assert events == []
    async with entered(tasks.events("t")) as response:
        with pytest.raises(APIResponseValidationError, match="no stream of events"):
            await sdk.done(response.parse())


async def test_a_stream_can_be_read_as_text_but_not_parsed_to_a_model(sdk: Sdk) -> None:
    whole = b"".join(wire.frame(event) for event in LOG)
    sdk.server.script(wire.stream(LOG), wire.stream(LOG))
    tasks = sdk.client().tasks
    response = await sdk.done(tasks.with_raw_response.create(**STREAM))
    with pytest.raises(TypeError, match="stream of events"):
        await sdk.done(response.parse(to=TaskCreateResponse))
    assert await sdk.done(response.parse(to=str)) == whole.decode()
    events: list[Any] = []
    await sdk.drain(await sdk.done(response.parse()), events)  # what was read is there still
    assert [event.to_dict() for event in events] == LOG
    async with entered(tasks.with_streaming_response.create(**STREAM)) as response:
        lines = await pieces(response.iter_lines())
    assert lines == whole.decode().splitlines()
    assert len(sdk.server.requests) == 2


async def test_a_list_parses_to_a_page_that_fetches_the_next_ones(sdk: Sdk) -> None:
    sdk.server.script(
        wire.answer([wire.task(id="t3"), wire.task(id="t2")]),
        wire.answer([wire.task(id="t1")]),
        wire.answer([]),
    )
    response = await sdk.done(sdk.client().tasks.with_raw_response.list(limit=2))
    assert response.status_code == 200
    page = await sdk.done(response.parse())
    assert [task.id for task in page.result] == ["t3", "t2"]
    assert await sdk.done(response.parse()) is page
    assert [task.id for task in await pieces(page)] == ["t3", "t2", "t1"]
    assert sdk.server.requests[1].target == "/v1/tasks?limit=2&starting_after=t2"


async def test_a_refusal_is_raised_before_there_is_a_response(sdk: Sdk) -> None:
    refusal = wire.refusal(404, -32001, "Task not found", x_should_retry="false")
    sdk.server.script(refusal, refusal)
    tasks = sdk.client().tasks
    with pytest.raises(NotFoundError, match="Task not found"):
        await sdk.done(tasks.with_raw_response.retrieve("t"))
    with pytest.raises(NotFoundError, match="Task not found"):
        async with entered(tasks.with_streaming_response.retrieve("t")):
            pytest.fail("there is nothing to enter")


@pytest.mark.parametrize("task_id", ["", ".."])
async def test_a_call_that_can_not_be_made_is_refused(sdk: Sdk, task_id: str) -> None:
    tasks = sdk.client().tasks
    with pytest.raises(ValueError, match="task_id"):
        await sdk.done(tasks.with_raw_response.retrieve(task_id))
    with pytest.raises(ValueError, match="task_id"):
        async with entered(tasks.with_streaming_response.retrieve(task_id)):
            pytest.fail("there is nothing to enter")


async def test_a_response_knows_how_often_its_request_was_sent_again(sdk: Sdk) -> None:
    sdk.server.script(
        wire.refusal(503), Answer(headers=wire.JSON, body=b"{", ending="cut"), wire.answer({})
    )
    response = await sdk.done(
        sdk.client().tasks.with_raw_response.retrieve(
            "t", extra_headers={"x-stainless-retry-count": "7"}
        )
    )
    assert response.retries_taken == 2
    assert len(sdk.naps_s) == 2


async def test_a_streaming_response_is_requested_on_entering_and_read_as_it_comes(
    sdk: Sdk,
) -> None:
    sdk.server.script(Answer(chunks=(b"one\n", b"tw"), ending="hang"))
    prepared = sdk.client().tasks.with_streaming_response.retrieve("t")
    assert sdk.server.requests == []
    async with entered(prepared) as response:
        assert not response.is_closed
        with pytest.raises(RuntimeError, match="elapsed"):
            _ = response.elapsed
        assert await first(response.iter_lines()) == "one"
    assert response.is_closed
    assert sdk.server.client_left.wait(WAIT_S)


async def test_a_streaming_response_is_closed_also_if_its_block_fails(sdk: Sdk) -> None:
    sdk.server.script(Answer(chunks=(b"one",), ending="hang"))
    with pytest.raises(KeyError):
        async with entered(sdk.client().tasks.with_streaming_response.retrieve("t")):
            raise KeyError
    assert sdk.server.client_left.wait(WAIT_S)


async def test_a_streaming_response_that_was_read_gives_its_connection_back(sdk: Sdk) -> None:
    sdk.server.script(LINES, LINES)
    prepared = sdk.client().tasks.with_streaming_response.retrieve("t")
    for _ in range(2):  # each entering is a request
        async with entered(prepared) as response:
            assert await sdk.done(response.text()) == "one\ntwo\n"
    assert len(sdk.server.requests) == 2
    assert sdk.server.connections_accepted == 1


async def test_leaving_the_block_closes_the_stream_that_was_parsed_also_if_it_reconnected(
    sdk: Sdk,
) -> None:
    sdk.server.script(wire.stream(LOG[:2], ending="cut"), wire.stream(LOG[2:4], ending="hang"))
    prepared = sdk.client().tasks.with_streaming_response.create(**STREAM)
    async with entered(prepared) as response:
        stream = await sdk.done(response.parse())
        for event in LOG[:3]:
            assert (await sdk.next(stream)).to_dict() == event
        sdk.server.client_left.clear()
    assert sdk.server.client_left.wait(WAIT_S)
    assert stream.response.is_closed
    rest: list[Any] = []
    await sdk.drain(stream, rest)
    assert rest == []


async def test_methods_of_http_have_raw_and_streaming_responses(sdk: Sdk) -> None:
    client = sdk.client()
    names = ("get", "post", "put", "patch", "delete")
    sdk.server.script(*[Answer(headers=wire.JSON, body=b'{"a": 1}')] * 2 * len(names))
    for name in names:
        raw = getattr(client.with_raw_response, name)
        response = await sdk.done(raw("/foo", cast_to=dict[str, int]))
        assert await sdk.done(response.parse()) == {"a": 1}
        streaming = getattr(client.with_streaming_response, name)
        async with entered(streaming("/foo", cast_to=dict[str, int])) as response:
            assert not response.is_closed
            assert await sdk.done(response.parse()) == {"a": 1}
    assert [r.method.lower() for r in sdk.server.requests[::2]] == [*names]
    sdk.server.script(wire.stream(LOG))
    response = await sdk.done(client.with_raw_response.get("/foo", stream=True))
    events: list[Any] = []
    await sdk.drain(await sdk.done(response.parse()), events)
    assert len(events) == len(LOG)


async def test_the_client_has_the_raw_and_streaming_tasks_too(sdk: Sdk) -> None:
    client = sdk.client()
    sdk.server.script(*[wire.answer(wire.task())] * 2)
    response = await sdk.done(client.with_raw_response.tasks.create(**HELLO))
    assert (await sdk.done(response.parse())).unwrap().id == wire.TASK_ID
    async with entered(client.with_streaming_response.tasks.create(**HELLO)) as response:
        assert (await sdk.done(response.parse())).unwrap().id == wire.TASK_ID


async def test_the_api_that_is_shown_is_that_of_the_plain_methods(sdk: Sdk) -> None:
    tasks = sdk.client().tasks
    helpers = {"stream", "run", "wait", "with_raw_response", "with_streaming_response"}
    plain = {name for name in dir(AsyncTasks) if not name.startswith("_")} - helpers
    for way in (tasks.with_raw_response, tasks.with_streaming_response):
        assert {name for name in dir(way) if not name.startswith("_")} == plain
        for name in plain:
            ours = inspect.signature(getattr(way, name)).parameters
            assert ours == inspect.signature(getattr(tasks, name)).parameters


async def test_the_wrong_kind_of_block_is_told_the_right_one(sdk: Sdk) -> None:
    prepared = sdk.client().tasks.with_streaming_response.retrieve("t")
    wrong, right = ("async with", "with") if sdk.kind == "sync" else ("with", "async with")
    enter = "__aenter__" if sdk.kind == "sync" else "__enter__"
    with pytest.raises(TypeError, match=f"write `{right}`, not `{wrong}`"):
        getattr(prepared, enter)


async def test_a_response_shows_its_status_and_what_is_in_it(sdk: Sdk) -> None:
    sdk.server.script(wire.answer(wire.task()))
    response = await sdk.done(sdk.client().tasks.with_raw_response.retrieve("t"))
    name = "APIResponse" if sdk.kind == "sync" else "AsyncAPIResponse"
    assert repr(response) == f"{name}(200 Scripted, TaskRetrieveResponse)"


async def test_a_server_that_says_nothing_is_a_time_out_on_entering(sdk: Sdk) -> None:
    sdk.server.script(SILENCE)
    client = sdk.client(timeout=0.05, max_retries=0)
    with pytest.raises(APITimeoutError):
        async with entered(client.tasks.with_streaming_response.retrieve("t")):
            pytest.fail("there is nothing to enter")


@pytest.mark.parametrize("kind", ["Client", "AsyncClient"])
def test_nothing_of_it_is_loaded_before_it_is_used(kind: str) -> None:
    code = (
        f"import sys; from agentlin_client import {kind}; client = {kind}(); client.tasks\n"
        "print(*[name for name in sys.modules if 'raw' in name and 'agentlin' in name])\n"
        "client.with_raw_response.tasks.create, client.with_streaming_response.get\n"
        "print(*{'httpx', 'pydantic', 'agentlin_client.types'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=30
    )
    assert done.stdout.split() == []
