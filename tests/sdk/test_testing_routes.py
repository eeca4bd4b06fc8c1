"""`FakeServer` answers as the contract has it: every path, every error."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from agentlin_client import (
    ConflictError,
    NotFoundError,
    UnprocessableEntityError,
)
from agentlin_client.testing import (
    FakeServer,
    FakeTransport,
    call,
    delay,
    event,
    hang,
    parallel,
    say,
)
from tests.sdk.fakes import Fake, check_logs, items_of, types_of

pytestmark = pytest.mark.anyio

ASK = [call("ask", {"q": 1}), lambda task: say(f"So {task.results['ask']}.")]

JSON = {"content-type": "application/json"}


@pytest.fixture(params=["sync", "async"])
async def fake(request: pytest.FixtureRequest) -> AsyncIterator[Fake]:
    fake = Fake(request.param)
    yield fake
    await fake.close()
    check_logs(list(fake.fake.tasks.values()))


def result(call_id: str, content: Any = "yes") -> dict[str, Any]:
    return {"type": "tool_result", "call_id": call_id, "message_content": content, "block_list": []}


async def test_answers_continue_the_same_task_and_only_new_events_are_streamed(fake: Fake) -> None:
    asked = await fake.create(ASK)
    assert (asked.status, asked.input_required.call_id) == ("input-required", "call_1")
    tasks = fake.client().tasks
    stream = await fake.done(
        tasks.submit_tool_results(asked.id, tool_results=[result("call_1")], stream=True)
    )
    events: list[Any] = []
    await fake.drain(stream, events)
    assert events[0].sequence_number == asked.sequence_number + 1
    assert events[0].item.answered_by == "client"
    task = fake.fake.last_task
    assert types_of(task)[-9:-7] == ["queued", "working"]
    assert items_of(task)[-1] == ("msg_1", "completed", "So yes.")
    again = await fake.done(tasks.submit_tool_results(asked.id, tool_results=[result("call_1")]))
    assert again.unwrap().status == "completed"
    with pytest.raises(ConflictError) as conflict:
        await fake.done(tasks.submit_tool_results(asked.id, tool_results=[result("call_1", "no")]))
    assert conflict.value.code == -32012


async def test_some_answers_leave_the_others_pending(fake: Fake) -> None:
    asked = await fake.create(parallel(call("a"), call("b")))
    tasks = fake.client().tasks
    left = (
        await fake.done(tasks.submit_tool_results(asked.id, tool_results=[result("call_2")]))
    ).unwrap()
    assert (left.status, left.input_required_call_ids) == ("input-required", ["call_1"])
    with pytest.raises(UnprocessableEntityError) as invalid:
        await fake.done(tasks.submit_tool_results(asked.id, tool_results=[result("x")]))
    assert invalid.value.data == [
        {
            "loc": ["tool_results", 0, "call_id"],
            "msg": "is no call that the task waits for",
            "type": "value_error",
        }
    ]
    with pytest.raises(UnprocessableEntityError):
        await fake.done(tasks.submit_tool_results(asked.id, tool_results=[]))
    await fake.done(tasks.cancel(asked.id))
    with pytest.raises(ConflictError) as late:
        await fake.done(tasks.submit_tool_results(asked.id, tool_results=[result("call_1")]))
    assert late.value.code == -32009


@pytest.mark.parametrize("form", ["item", "chat"])
async def test_a_create_with_results_among_its_thoughts_continues_the_task(
    fake: Fake, form: str
) -> None:
    asked = await fake.create(ASK, session_id="s")
    thought = (
        result("call_1")
        if form == "item"
        else {"role": "tool", "tool_call_id": "call_1", "content": "yes"}
    )
    given: dict[str, Any] = {"session_id": "s", "user_message_content": ""}
    given["thought_messages"] = [thought]
    events = await fake.events(None, **given)
    assert events[0].sequence_number == asked.sequence_number + 1
    assert {event.task_id for event in events} == {asked.id}
    assert items_of(fake.fake.last_task)[-1][2] == "So yes."
    again = await fake.create(None, **given)
    assert (again.id, again.status) == (asked.id, "completed")

    await fake.create(call("ask"), session_id="s")
    with pytest.raises(UnprocessableEntityError, match="no result of a call"):
        await fake.create(None, **given | {"thought_messages": [result("mistyped")]})


async def test_a_background_task_gets_on_whenever_somebody_looks(fake: Fake) -> None:
    created = await fake.create(["One.", say("Two."), delay(5)], background=True)
    assert (created.status, created.output) == ("working", [])
    seen: list[tuple[str, int]] = []
    for _ in range(4):
        task = (await fake.done(fake.client().tasks.retrieve(created.id))).unwrap()
        seen.append((task.status, len(task.output)))
    assert seen == [("working", 1), ("working", 2), ("working", 2), ("completed", 2)]


async def test_a_task_is_canceled_in_the_middle_of_its_stream(fake: Fake) -> None:
    client = fake.client()
    fake.fake.otherwise("One two three.")
    stream = await fake.done(client.tasks.create(stream=True, user_message_content="Count"))
    events: list[Any] = []
    while not events or events[-1].type != "task.text.delta":
        events.append(await fake.next(stream))
    canceled = (await fake.done(client.tasks.cancel(events[0].task_id))).unwrap()
    await fake.drain(stream, events)
    assert events[-1].type == "task.canceled"
    assert items_of(fake.fake.last_task) == [("msg_1", "incomplete", "One ")]
    assert canceled.status == "canceled"
    assert (await fake.done(client.tasks.cancel(canceled.id))).unwrap().status == "canceled"
    await fake.create()
    with pytest.raises(ConflictError) as conflict:
        await fake.done(client.tasks.cancel(fake.fake.last_task.id))
    assert conflict.value.code == -32002


async def test_a_pause_takes_effect_before_the_next_model_call(fake: Fake) -> None:
    created = await fake.create([call("a", result="1"), "Done."], background=True)
    tasks = fake.client().tasks
    assert (await fake.done(tasks.pause(created.id))).unwrap().pause_requested is True
    assert (await fake.done(tasks.resume(created.id))).unwrap().pause_requested is False
    assert (await fake.done(tasks.resume(created.id))).unwrap().status == "working"
    for _ in range(2):
        await fake.done(tasks.pause(created.id))
    events: list[Any] = []
    await fake.drain(await fake.done(tasks.events(created.id)), events)
    assert [e.type for e in events][-1] == "task.paused"
    assert events[-1].task.output == []
    assert (await fake.done(tasks.pause(created.id))).unwrap().status == "paused"
    resumed = (await fake.done(tasks.resume(created.id))).unwrap()
    assert (resumed.status, resumed.pause_requested) == ("queued", False)
    await fake.drain(
        await fake.done(tasks.events(created.id, starting_after=resumed.sequence_number)), events
    )
    assert events[-1].type == "task.completed"
    for verb in (tasks.pause, tasks.resume):
        with pytest.raises(ConflictError) as conflict:
            await fake.done(verb(created.id))
        assert conflict.value.code == -32009


async def test_events_are_replayed_from_any_point(fake: Fake) -> None:
    task = await fake.create("Hello.")
    tasks = fake.client().tasks

    async def numbers(**options: Any) -> list[int]:
        events: list[Any] = []
        await fake.drain(await fake.done(tasks.events(task.id, **options)), events)
        return [event.sequence_number for event in events]

    last = task.sequence_number
    assert await numbers() == list(range(last + 1))
    assert await numbers(starting_after=last - 2) == [last - 1, last]
    assert await numbers(starting_after=f"{last - 1}-1") == [last]
    assert await numbers(starting_after=last, until="final") == []
    asked = await fake.create(call("ask"))
    stream = await fake.done(tasks.events(asked.id, starting_after=asked.sequence_number))
    assert stream.response.status_code == 204
    snapshot: list[Any] = []
    await fake.drain(await fake.done(tasks.events(task.id, starting_after="2-7")), snapshot)
    assert [(e.type, e.sequence_number) for e in snapshot] == [("task.snapshot", last)]


async def test_until_final_stays_while_the_task_rests(fake: Fake) -> None:
    asked = await fake.create(ASK)
    tasks = fake.client().tasks
    stream = await fake.done(tasks.events(asked.id, until="final"))
    events: list[Any] = []
    while not events or events[-1].type != "task.input_required":
        events.append(await fake.next(stream))
    await fake.done(
        tasks.submit_tool_results(asked.id, tool_results=[result("call_1")], background=True)
    )
    await fake.drain(stream, events)
    assert events[-1].type == "task.completed"


async def test_a_task_that_recovered_has_another_generation(fake: Fake) -> None:
    events = await fake.events([event("task.queued"), "Hello."])
    frames = [fake.fake.last_task.generation_of(e.sequence_number) for e in events]
    assert sorted({n for n in frames if n}) == [1, 2]


async def test_a_deleted_task_is_gone_and_its_id_stays_taken(fake: Fake) -> None:
    tasks = fake.client().tasks
    created = await fake.create(hang(), task_id="mine", background=True)
    deleted = (await fake.done(tasks.delete(created.id))).unwrap()
    assert deleted.status == "canceled"
    assert fake.fake.tasks == {}
    with pytest.raises(NotFoundError) as missing:
        await fake.done(tasks.retrieve("mine"))
    assert missing.value.code == -32001
    with pytest.raises(ConflictError) as conflict:
        await fake.create("Hi", task_id="mine")
    assert conflict.value.code == -32012


async def test_the_same_key_or_id_is_the_same_task_unless_the_body_differs(fake: Fake) -> None:
    keyed = {"extra_headers": {"Idempotency-Key": "k"}, "task_id": "t"}
    first = await fake.create("Hello.", **keyed)
    again = await fake.events(**keyed)
    assert (again[0].task_id, again[0].sequence_number) == (first.id, 0)
    assert len(fake.fake.tasks) == 1
    for same in (keyed, {"task_id": "t"}):
        with pytest.raises(ConflictError) as conflict:
            await fake.create("Hi", **same, metadata={"other": 1})
        assert conflict.value.code == -32012


async def test_the_id_that_the_sdk_made_up_finds_the_task_too(fake: Fake) -> None:
    await fake.create("Hi")
    made_up = fake.fake.last_request.body["task_id"]
    found = (await fake.done(fake.client().tasks.retrieve(made_up))).unwrap()
    assert (found.id, list(fake.fake.tasks)) == ("task_1", ["task_1"])
    fake.fake = FakeServer(numbers_tasks=False)
    created = await fake.create("Hi")
    assert created.id == fake.fake.last_request.body["task_id"] != made_up


async def test_tasks_of_a_session_come_one_after_the_other(fake: Fake) -> None:
    one = await fake.create([delay(1), "One."], session_id="s", user_id="u", background=True)
    two = await fake.create("Two.", session_id="s")
    first, second = fake.fake.tasks.values()
    assert (first.status, second.status) == ("completed", "completed")
    assert types_of(second)[:3] == ["created", "queued", "working"]
    assert (two.user_id, one.previous_task_id) == ("u", None)
    assert (await fake.create(call("ask"), session_id="s")).previous_task_id == two.id
    with pytest.raises(ConflictError, match="unfinished"):
        await fake.create("Hi", session_id="s", on_busy="reject")
    await fake.create("Answered otherwise.", session_id="s")
    assert [task.status for task in fake.fake.tasks.values()][2:] == ["canceled", "completed"]
    await fake.create(hang(), session_id="s", background=True)
    await fake.create("Interrupts.", session_id="s", on_busy="interrupt")
    assert [task.status for task in fake.fake.tasks.values()][4:] == ["canceled", "completed"]


async def test_lists_are_filtered_and_paged(fake: Fake) -> None:
    fake.fake.otherwise("Hi")
    for n in range(4):
        await fake.create(session_id=f"s{n % 2}", task_id=f"t{n}", metadata={"parent_task_id": n})
    await fake.create(call("ask"), task_id="t4")

    async def ids(**query: Any) -> list[str]:
        client = fake.client()
        page = await fake.done(client.get("/tasks", cast_to=httpx.Response, extra_query=query))
        return [task["id"] for task in page.json()["result"]]

    assert await ids() == ["t4", "t3", "t2", "t1", "t0"]
    assert await ids(limit=2, starting_after="t3") == ["t2", "t1"]
    assert await ids(limit=2, ending_before="t1") == ["t3", "t2"]
    assert await ids(session_id="s1") == ["t3", "t1"]
    assert await ids(**{"status[]": ["input-required", "failed"]}) == ["t4"]
    assert await ids(status="completed", user_id="user_default", limit=1) == ["t3"]
    refused: list[dict[str, Any]] = [{"limit": 0}, {"starting_after": "x"}]
    for wrong in refused:
        with pytest.raises(UnprocessableEntityError):
            await ids(**wrong)


async def test_invalid_bodies_are_refused_with_the_place_of_the_fault(fake: Fake) -> None:
    async def data(**params: Any) -> Any:
        with pytest.raises(UnprocessableEntityError) as invalid:
            await fake.create("Hi", **params)
        assert invalid.value.code == -32602
        faults: Any = invalid.value.data
        return [(tuple(one["loc"]), one["type"]) for one in faults]

    assert await data(metadata=1) == [(("metadata",), "dict_type")]
    assert await data(extra_body={"sesion_id": "s"}) == [(("sesion_id",), "misspelt_param")]
    assert await data(session_id="../x") == [(("session_id",), "invalid_id")]
    assert await data(user_message_content="") == [(("user_message_content",), "value_error")]
    assert (await fake.create("Hi", extra_body={"color": "red"})).status == "completed"


@pytest.mark.parametrize(
    "base", ["http://a.test/v1", "https://b.test", "http://c.test/tasks/api/v2"]
)
def test_any_httpx_client_at_any_base_url_may_talk_to_it(base: str) -> None:
    server = FakeServer()
    server.otherwise("Hi")
    http = httpx.Client(transport=server.transport, base_url=base)
    assert isinstance(server.transport, FakeTransport)
    answer = http.post("/tasks/", json={"user_message_content": "x", "request_id": "mine"})
    assert answer.json()["id"] == answer.headers["x-request-id"] == "mine"
    task_id = answer.json()["result"]["id"]
    assert http.get(f"/tasks/{task_id}", headers={"X-Request-ID": "r"}).json()["id"] == "r"
    assert http.get("/tasks/x").headers["x-should-retry"] == "false"
    assert server.last_request.path == "/tasks/x"
    assert server.requests[0].body["user_message_content"] == "x"
    assert server.last_request.body is None


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "code"),
    [
        ("POST", "/tasks", {"content": b"{"}, 415, -32600),
        ("POST", "/tasks", {"content": b"{", "headers": JSON}, 400, -32700),
        ("POST", "/tasks", {"json": []}, 422, -32602),
        ("GET", "/tasks/t/cancel", {}, 405, -32601),
        ("GET", "/tasks/t/what", {}, 404, -32601),
        ("GET", "/other", {}, 404, -32601),
        ("GET", "/tasks/t/events?until=x", {}, 422, -32602),
        ("GET", "/tasks/t/events?starting_after=x", {}, 422, -32602),
    ],
)  # fmt: skip
def test_every_error_is_in_the_envelope(
    method: str, path: str, options: dict[str, Any], status: int, code: int
) -> None:
    server = FakeServer()
    server.otherwise("Hi")
    server.client().tasks.create(stream=False, user_message_content="x", task_id="t")
    http = httpx.Client(transport=server.transport, base_url="http://a.test")
    answer = http.request(method, path, **options)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["id"] == answer.headers["x-request-id"]
