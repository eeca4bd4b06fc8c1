"""Every method of `client.tasks`, with each kind of client, against a real server."""

from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import anyio
import httpx
import pytest

from agentlin_client import (
    BadRequestError,
    ConflictError,
    NotFoundError,
    UnprocessableEntityError,
)
from agentlin_client.lib import final_text
from agentlin_client.types import TaskCreateResponse, TaskObject, TaskTextDeltaEvent
from agentlin_client.types.fold import TaskFold
from tests.e2e.processes import ServerProcess
from tests.e2e.sdk_clients import KINDS, Face, scripted_server

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SCRIPT = """
- {match: quick, repeat: true, text: "Said at once.", chunks: words}
- {match: slow, repeat: true, steps: [{text: so far}, {delay_s: 3600}]}
- {match: fail, repeat: true, steps: [{text: so far}, {error: {kind: request, message: refused}}]}
- match: ask
  results: 0
  repeat: true
  steps:
    - {tool_call: {name: age, call_id: call_a}}
    - {tool_call: {name: name, call_id: call_n}}
- {match: ask, results: 2, repeat: true, text: "Thank you."}
- match: two steps
  results: 0
  repeat: true
  steps: [{text: so far}, {delay_s: 0.3}, {tool_call: {name: nothing}}]
- {match: two steps, results: 1, repeat: true, text: "After the pause."}
"""
TIME_S = 30.0
FUNCTION: dict[str, Any] = {"type": "object", "properties": {}}
TOOLS: list[Any] = [
    {"type": "function", "function": {"name": name, "parameters": FUNCTION}}
    for name in ("age", "name")
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with scripted_server(tmp_path_factory.mktemp("tasks"), SCRIPT) as server:
        yield server


@pytest.fixture(params=KINDS)
async def face(request: pytest.FixtureRequest, server: ServerProcess) -> AsyncIterator[Face]:
    face = Face(request.param, f"{server.address}/v1")
    with anyio.fail_after(TIME_S):
        yield face
        await face.close()


async def create(face: Face, tasks: Any, message: str, **params: Any) -> TaskObject:
    given = {"stream": False, "user_message_content": message} | params
    return (await face.done(tasks.create(**given))).unwrap()


def result(call_id: str, text: str) -> dict[str, Any]:
    return {
        "type": "tool_result",
        "call_id": call_id,
        "message_content": text,
        "block_list": [{"type": "text", "text": text}],
    }


# ------------------------------------------------------------------------------ create, retrieve


async def test_a_task_is_created_waited_for_and_found_again(face: Face) -> None:
    tasks = face.client().tasks
    created = await face.done(
        tasks.create(
            stream=False, user_message_content="quick", request_id="req_7", metadata={"a": 1}
        )
    )
    assert isinstance(created, TaskCreateResponse)
    assert (created.id, created.error) == ("req_7", None)
    task = created.unwrap()
    assert (task.status, task.metadata) == ("completed", {"a": 1})
    assert final_text(task) == "Said at once."
    for method in (tasks.retrieve, tasks.info):
        assert (await face.done(method(task.id))).unwrap() == task


async def test_the_events_of_a_task_fold_to_the_task(face: Face) -> None:
    tasks = face.client().tasks
    stream = await face.done(tasks.create(stream=True, user_message_content="quick"))
    events = await face.events(stream)
    deltas = [event.delta for event in events if isinstance(event, TaskTextDeltaEvent)]
    assert "".join(deltas) == "Said at once."
    assert len(deltas) == 3
    fold = TaskFold()
    for event in events:
        fold.apply(event.to_dict())
    task = (await face.done(tasks.retrieve(stream.task_id))).unwrap()
    assert TaskObject.model_validate(fold.snapshot()) == task
    replayed = await face.events(tasks.events(task.id))
    assert replayed == events
    for start in (4, "4-1", events[4].sequence_number):
        assert await face.events(tasks.events(task.id, starting_after=start)) == events[5:]
    assert await face.events(tasks.events(task.id, starting_after=stream.last_event_id)) == []


async def test_a_task_in_the_background_is_waited_for(face: Face) -> None:
    tasks = face.client().tasks
    task = await create(face, tasks, "quick", background=True)
    assert task.status in {"created", "queued", "working", "completed"}
    done = await face.done(tasks.wait(task.id, timeout=TIME_S))
    assert (done.id, done.status) == (task.id, "completed")


async def test_a_task_that_fails_is_an_answer_like_any_other(face: Face) -> None:
    task = await create(face, face.client().tasks, "fail")
    assert task.status == "failed"
    assert task.error is not None
    assert (task.error.code, task.error.message) == (-32000, "refused")


async def test_a_list_goes_from_page_to_page_by_itself(face: Face) -> None:
    tasks, session = face.client().tasks, f"sess_{uuid4().hex}"
    ids = [(await create(face, tasks, "quick", session_id=session)).id for _ in range(7)][::-1]
    pager = tasks.list(session_id=session, limit=3)
    assert [task.id for task in await face.all(pager)] == ids
    page = await face.done(tasks.list(session_id=session, limit=3))
    assert [task.id for task in page.result] == ids[:3]
    page = await face.done(page.get_next_page())
    assert [task.id for task in page.result] == ids[3:6]
    newer = await face.done(tasks.list(session_id=session, limit=2, ending_before=ids[4]))
    assert [task.id for task in newer.result] == ids[2:4]
    assert await face.all(tasks.list(session_id=session, status=["failed", "canceled"])) == []
    older = tasks.list(session_id=session, status="completed", starting_after=ids[4])
    assert [task.id for task in await face.all(older)] == ids[5:]


# --------------------------------------------------------------------- pause, cancel, delete, wait


async def test_a_task_is_paused_and_resumed(face: Face) -> None:
    tasks = face.client().tasks
    stream = await face.done(tasks.create(stream=True, user_message_content="two steps"))
    event = await face.next(stream)
    while not isinstance(event, TaskTextDeltaEvent):
        event = await face.next(stream)
    paused = (await face.done(tasks.pause(event.task_id))).unwrap()
    assert paused.status == "paused" or paused.pause_requested
    rest = await face.events(stream)
    assert rest[-1].type == "task.paused"
    task = await face.done(tasks.wait(event.task_id, timeout=TIME_S))
    assert task.status == "paused"
    assert (await face.done(tasks.resume(task.id))).unwrap().id == task.id
    task = await face.done(tasks.wait(task.id, until="final", timeout=TIME_S))
    assert final_text(task) == "After the pause."
    with pytest.raises(ConflictError) as caught:
        await face.done(tasks.resume(task.id))
    assert caught.value.code == -32009


async def test_waiting_for_a_task_ends_in_time_and_the_task_goes_on(face: Face) -> None:
    tasks = face.client().tasks
    task = await create(face, tasks, "slow", background=True)
    with pytest.raises(TimeoutError) as caught:
        await face.done(tasks.wait(task.id, timeout=0.2))
    assert caught.value.task.id == task.id  # type: ignore[attr-defined] - it is a TaskWaitTimeoutError
    assert (await face.done(tasks.retrieve(task.id))).unwrap().status == "working"
    canceled = (await face.done(tasks.cancel(task.id))).unwrap()
    assert canceled.status == "canceled"
    assert (await face.done(tasks.wait(task.id))).status == "canceled"


async def test_a_task_is_canceled_once_and_deleted_for_good(face: Face) -> None:
    tasks = face.client().tasks
    task = await create(face, tasks, "slow", background=True)
    for _ in range(2):
        assert (await face.done(tasks.cancel(task.id))).unwrap().status == "canceled"
    deleted = (await face.done(tasks.delete(task.id))).unwrap()
    assert (deleted.id, deleted.status) == (task.id, "canceled")
    for method in (tasks.retrieve, tasks.cancel, tasks.delete, tasks.events):
        with pytest.raises(NotFoundError) as caught:
            await face.done(method(task.id))
        assert (caught.value.status_code, caught.value.code) == (404, -32001)
    completed = await create(face, tasks, "quick")
    with pytest.raises(ConflictError) as conflict:
        await face.done(tasks.cancel(completed.id))
    assert (conflict.value.status_code, conflict.value.code) == (409, -32002)


# --------------------------------------------------------------------------------- tool results


async def test_a_stream_until_final_outlasts_a_rest_and_its_answers(face: Face) -> None:
    tasks = face.client().tasks
    task = await create(face, tasks, "ask", client_tools=TOOLS)
    assert task.status == "input-required"
    assert task.input_required is not None
    assert task.input_required.call_id == "call_a"
    stream = await face.done(tasks.events(task.id, until="final"))
    events = [await face.next(stream)]
    while events[-1].type != "task.input_required":
        events.append(await face.next(stream))
    answers = [result("call_a", "42"), result("call_n", "Ada")]
    await face.done(tasks.submit_tool_results(task.id, tool_results=answers, background=True))
    events += await face.events(stream)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[-1].type == "task.completed"
    assert events == await face.events(tasks.events(task.id))


async def test_answers_are_taken_one_by_one_and_streamed_on(face: Face) -> None:
    tasks = face.client().tasks
    task = await create(face, tasks, "ask", client_tools=TOOLS)
    answered = await face.done(
        tasks.submit_tool_results(task.id, tool_results=[result("call_n", "Ada")])
    )
    assert answered.unwrap().input_required.call_id == "call_a"
    for _ in range(2):  # the same answer again is fine
        again = tasks.submit_tool_results(task.id, tool_results=[result("call_n", "Ada")])
        assert (await face.done(again)).unwrap().status == "input-required"
    with pytest.raises(ConflictError) as other:
        await face.done(tasks.submit_tool_results(task.id, tool_results=[result("call_n", "Eve")]))
    assert other.value.code == -32012
    with pytest.raises(UnprocessableEntityError):
        await face.done(tasks.submit_tool_results(task.id, tool_results=[result("call_x", "?")]))
    before = again = (await face.done(tasks.retrieve(task.id))).unwrap()
    stream = tasks.submit_tool_results(task.id, tool_results=[result("call_a", "42")], stream=True)
    events = await face.events(stream)
    assert events[0].sequence_number == before.sequence_number + 1
    assert events[-1].type == "task.completed"
    assert final_text(events[-1].task) == "Thank you."


# ----------------------------------------------------------------------------- sameness, errors


async def test_the_same_request_makes_one_task(face: Face) -> None:
    tasks, key, task_id = face.client().tasks, f"key-{uuid4().hex}", f"t_{uuid4().hex}"
    headers = {"Idempotency-Key": key}
    first = await create(face, tasks, "quick", extra_headers=headers)
    assert await create(face, tasks, "quick", extra_headers=headers) == first
    with pytest.raises(ConflictError) as caught:
        await create(face, tasks, "quick, another", extra_headers=headers)
    assert caught.value.code == -32012

    named = await create(face, tasks, "quick", task_id=task_id)
    assert await create(face, tasks, "quick", task_id=task_id) == named
    streamed = tasks.create(stream=True, user_message_content="quick", task_id=task_id)
    assert (await face.events(streamed))[-1].task == named
    with pytest.raises(ConflictError) as caught:
        await create(face, tasks, "quick, another", task_id=task_id)
    assert caught.value.code == -32012
    assert named.id == task_id != first.id


async def test_a_refusal_says_what_was_wrong(face: Face) -> None:
    tasks = face.client().tasks
    with pytest.raises(UnprocessableEntityError) as invalid:
        await create(face, tasks, "quick", task_id="not an id")
    (mistake,) = invalid.value.data  # type: ignore[misc] - a list of one
    assert mistake["loc"][-1] == "task_id"
    assert invalid.value.request_id == invalid.value.response.headers["x-request-id"]
    assert "not an id" not in str(invalid.value)
    with pytest.raises(UnprocessableEntityError, match="stop_tools"):
        await create(face, tasks, "quick", extra_body={"stop_tool": ["a"]})
    with pytest.raises(BadRequestError) as unsupported:
        await create(face, tasks, "quick", structured_output={"type": "object"})
    assert (unsupported.value.status_code, unsupported.value.code) == (400, -32004)
    for task_id in ("", ".."):
        with pytest.raises(ValueError, match="task_id"):
            await face.done(tasks.retrieve(task_id))
    assert face.naps_s == [], "nothing of it was tried again"


async def test_answers_come_raw_or_unread_with_their_headers(face: Face) -> None:
    client = face.client()
    raw = await face.done(
        client.tasks.with_raw_response.create(
            stream=False, user_message_content="quick", request_id="req_9"
        )
    )
    assert raw.headers["x-request-id"] == "req_9"
    task = (await face.done(raw.parse())).unwrap()
    page = await face.done((await face.done(client.tasks.with_raw_response.list(limit=1))).parse())
    assert len(page.result) == 1
    raw = await face.done(client.tasks.with_raw_response.events(task.id))
    events = await face.events(raw.parse())
    assert events[-1].task == task
    streaming = client.tasks.with_streaming_response.events(task.id)
    lines = await _lines(face, streaming)
    assert [line for line in lines if line.startswith("event: ")] == [
        f"event: {event.type}" for event in events
    ]


async def _lines(face: Face, streaming: Any) -> list[str]:
    if face.kind == "sync":
        with streaming as response:
            return list(response.iter_lines())
    async with streaming as response:
        return [line async for line in response.iter_lines()]


async def test_endpoints_without_a_method_are_called_by_their_paths(
    face: Face, server: ServerProcess
) -> None:
    client = face.client()
    bare = client.with_options(base_url=server.address)
    health = await face.done(bare.get("/healthz", cast_to=httpx.Response))
    assert health.status_code == 200
    described = await face.done(bare.get("openapi.json", cast_to=dict[str, Any]))
    assert "/v1/tasks" in described["paths"]
    body = {"user_message_content": "quick", "stream": False}
    created = await face.done(client.post("/tasks", body=body, cast_to=TaskCreateResponse))
    task_id = created.unwrap().id
    events = await face.events(client.get(f"/tasks/{task_id}/events", stream=True))
    assert events[-1].type == "task.completed"
    gone = await face.done(client.delete(f"/tasks/{task_id}", cast_to=dict[str, Any]))
    assert gone["result"]["id"] == task_id
    with pytest.raises(NotFoundError) as caught:
        await face.done(client.get("/nowhere", cast_to=str))
    assert caught.value.code == -32601
