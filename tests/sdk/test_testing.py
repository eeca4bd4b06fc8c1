"""`agentlin_client.testing`: what scripts can say, and that every log they make is a valid one."""

import dataclasses
import re
from collections.abc import AsyncIterator
from typing import Any

import pydantic
import pytest

from agentlin_client import testing
from agentlin_client.testing import (
    FakeServer,
    FakeTask,
    ScriptError,
    call,
    cut,
    delay,
    event,
    expire,
    fail,
    hang,
    parallel,
    refuse,
    say,
    say_json,
    think,
    tokens,
)
from agentlin_client.types.order import OrderError
from tests.sdk.fakes import Fake, check_logs, items_of, types_of

pytestmark = pytest.mark.anyio

PNG = {"type": "output_image", "image_url": {"url": "https://example.com/a.png"}}
PDF = {"type": "file", "file": {"file_url": "https://e.com/a", "filename": "a", "file_data": "QQ"}}
WAV = {"type": "output_audio", "input_audio": {"data": "QUJD", "format": "wav"}}
CITED = {
    "type": "url_citation",
    "start_index": 0,
    "end_index": 2,
    "title": "T",
    "url": "https://e.com",
}


@pytest.fixture(params=["sync", "async"])
async def fake(request: pytest.FixtureRequest) -> AsyncIterator[Fake]:
    fake = Fake(request.param)
    yield fake
    await fake.close()
    check_logs(list(fake.fake.tasks.values()))


async def test_a_text_is_streamed_word_by_word_in_a_log_like_a_servers(fake: Fake) -> None:
    events = await fake.events("It is 18 degrees.")
    deltas = [event.delta for event in events if event.type == "task.text.delta"]
    assert deltas == ["It ", "is ", "18 ", "degrees."]
    (task,) = fake.fake.tasks.values()
    assert [event.to_dict(mode="json") for event in events] == task.events
    assert types_of(task) == [
        "created",
        "working",
        "tools_updated",
        "output_item.added",
        "content_part.added",
        "text.delta",
        "text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert (task.id, task.session_id, task.user_id) == ("task_1", "sess_1", "user_default")
    assert items_of(task) == [("msg_1", "completed", "It is 18 degrees.")]


async def test_several_texts_are_the_deltas_as_given(fake: Fake) -> None:
    events = await fake.events([say("It is ", "18 degrees."), say()])
    assert [e.delta for e in events if e.type == "task.text.delta"] == ["It is ", "18 degrees."]
    assert [text for _, _, text in items_of(fake.fake.last_task)] == ["It is 18 degrees.", ""]


async def test_a_waiting_create_answers_with_the_task_and_its_usage(fake: Fake) -> None:
    task = await fake.create(
        [think("Hm, well.", summary="Thinking"), refuse("I can't."), tokens(input=3, output=4)],
        metadata={"a": 1},
        user_message_content="Do it",
    )
    assert task.status == "completed"
    assert task.metadata == {"a": 1}
    assert task.user_message_content == "Do it"
    assert [item.id for item in task.output] == ["rs_1", "msg_1"]
    assert task.output[0].content[0].text == "Hm, well."
    assert task.output[0].summary[0].text == "Thinking"
    assert task.output[1].message_content[0].type == "refusal"
    assert (task.usage["total_tokens"], task.usage["estimated"]) == (7, False)
    assert task.usage["model_calls"] == 1


async def test_content_parts_and_annotations_come_as_given(fake: Fake) -> None:
    more = {"type": "output_text", "text": "And more.", "annotations": [], "tags": ["x"]}
    url_only = {"type": "file", "file": {"file_url": "https://e.com/b", "filename": "b"}}
    parts = [PNG, PDF, WAV, url_only, more]
    task = await fake.create(say("See:", annotations=[CITED], parts=parts))
    first, *rest = task.to_dict(mode="json")["output"][0]["message_content"]
    assert (first["text"], first["annotations"]) == ("See:", [CITED])
    assert rest == parts
    kinds = types_of(fake.fake.last_task)
    assert {"file.delta", "file.done", "audio.delta", "audio.done"} < set(kinds)


async def test_structured_output_is_json_of_whatever_has_a_json_form(fake: Fake) -> None:
    class City(pydantic.BaseModel):
        name: str

    @dataclasses.dataclass
    class Trip:
        to: object

    fake.fake.script(
        say_json({"a": "ü"}), say_json(City(name="Rome")), say_json(Trip(City(name="R")))
    )
    texts = [(await fake.create()).output[0].message_content[0].text for _ in range(3)]
    assert texts == ['{"a": "ü"}', '{"name": "Rome"}', '{"to": {"name": "R"}}']
    with pytest.raises(TypeError, match="a set has no JSON form"):
        say_json({1})


async def test_a_tool_of_the_servers_runs_and_the_next_model_call_follows(fake: Fake) -> None:
    shown = [{"type": "chart"}]
    steps = [
        think("Two tools."),
        call("add", {"a": 1}, result="The sum is 3."),
        call("look", "{broken", result=["a ", "b", PNG], blocks=shown, call_id="mine"),
        lambda task: say(task.results["add"]),
    ]
    task = await fake.create(steps)
    assert items_of(fake.fake.last_task) == [
        ("rs_1", "completed", "Two tools."),
        ("tc_1", "completed", '{"a": 1}'),
        ("tr_1", "completed", "The sum is 3."),
        ("tc_2", "completed", "{broken"),
        ("tr_2", "completed", "a b<output_image>"),
        ("msg_1", "completed", "The sum is 3."),
    ]
    assert [item.call_id for item in task.output[1:5]] == ["call_1", "call_1", "mine", "mine"]
    assert task.output[4].block_list == shown
    assert (task.usage["model_calls"], task.usage["tool_calls"]) == (3, 2)


async def test_parallel_calls_are_one_model_call_and_the_clients_are_asked_for_last(
    fake: Fake,
) -> None:
    steps = parallel(call("mine"), call("theirs", result="Done."), call("mine", {"b": 2}))
    task = await fake.create(steps, client_tools=[_tool("mine")])
    assert task.status == "input-required"
    assert task.input_required.call_id == "call_1"
    assert task.input_required_call_ids == ["call_1", "call_3"]
    assert task.usage["model_calls"] == 1
    assert fake.fake.last_task.events[2]["tools"] == [_tool("mine")]
    assert fake.fake.last_task.results == {"theirs": "Done."}


async def test_a_failure_leaves_what_was_said_incomplete(fake: Fake) -> None:
    error = fail("Overloaded", data={"retryable": True})
    task = await fake.create([think("All of it."), say("Half an ", error, "answer")])
    assert (task.status, task.error.code, task.error.message) == ("failed", -32000, "Overloaded")
    assert task.error.data == {"retryable": True}
    assert items_of(fake.fake.last_task) == [
        ("rs_1", "completed", "All of it."),
        ("msg_1", "incomplete", "Half an "),
    ]
    task = await fake.create([call("slow", result=["Begun", expire("Too slow")])])
    assert (task.status, task.error.code) == ("expired", -32006)
    assert items_of(fake.fake.last_task)[1] == ("tr_1", "incomplete", "Begun")


async def test_a_model_call_that_breaks_off_is_made_anew(fake: Fake) -> None:
    steps = [
        think("Hm."),
        say("The answ", cut()),
        cut(),
        think("Well."),
        say("The answer."),
        "And on.",
    ]
    task = await fake.create([call("a", result="1"), *steps])
    assert [(i.id, i.status, i.attempt, i.supersedes) for i in task.output[2:]] == [
        ("rs_1", "incomplete", None, None),
        ("msg_1", "incomplete", None, None),
        ("rs_2", "completed", 2, "rs_1"),
        ("msg_2", "completed", 2, "msg_1"),
        ("msg_3", "completed", 2, None),
    ]
    assert task.usage["model_calls"] == 2
    with pytest.raises(ScriptError, match="cut"):
        await fake.create(call("a", result=[cut()]))
    fake.fake.last_task.cancel()


async def test_any_event_may_be_put_in_but_none_that_breaks_the_order(fake: Fake) -> None:
    rollout = {"session_id": "s", "rollout_id": "r", "input_messages": [], "output_messages": []}
    rollout |= {"is_answer": True, "turn": 0, "step": 1}
    events = await fake.events(
        [event("task.new.thing", what=1), "Hi", event("task.rollout", **rollout)]
    )
    assert [e.what for e in events if e.type == "task.new.thing"] == [1]
    assert fake.fake.last_task.task.rollouts is not None
    server = FakeServer()
    server.otherwise(["Hi", event("task.tools_updated", tools=[])])
    with pytest.raises(OrderError, match="only on a change"):
        server.client().tasks.create(stream=False, user_message_content="Hi")


async def test_scripts_are_chosen_by_the_message_then_in_order_then_otherwise(fake: Fake) -> None:
    fake.fake.otherwise("otherwise")
    fake.fake.on("weather", "old rule")
    fake.fake.on("weather", "by text")
    fake.fake.on("weather", "once", times=1)
    fake.fake.on(re.compile(r"^\d+$"), [None, "by ", ["pattern"]])
    fake.fake.on(lambda body: body.get("user_id") == "u", "by body")
    fake.fake.script("first", "second")

    async def said(message: Any, **params: Any) -> str:
        task = await fake.create(user_message_content=message, **params)
        return "".join(item.message_content[0].text for item in task.output)

    assert await said("What WEATHER?") == "once"
    assert await said(["What ", {"type": "text", "text": "weather?"}]) == "by text"
    assert await said("12") == "by pattern"
    assert await said("x", user_id="u") == "by body"
    assert [await said("x") for _ in range(4)] == ["first", "second", "otherwise", "otherwise"]


async def test_a_task_without_a_script_is_the_tests_mistake(fake: Fake) -> None:
    with pytest.raises(ScriptError, match=r"says 'Hello': give the server one with on\(\)"):
        await fake.create()
    with pytest.raises(ScriptError, match="a float is no step"):
        await fake.create([1.5])  # type: ignore[list-item]
    with pytest.raises(LookupError):
        _ = FakeServer().last_request
    with pytest.raises(LookupError):
        _ = FakeServer().last_task


async def test_delays_pass_on_the_servers_clock_only(fake: Fake) -> None:
    began = fake.fake.now
    events = await fake.events([delay(40), say("a ", delay(20), "b")])
    assert (fake.fake.now - began).total_seconds() == 60
    times = [e.timestamp for e in events if hasattr(e, "timestamp")]
    assert times[0].endswith("00:00:00.000Z")
    assert times[-1].endswith("00:01:00.000Z")
    fake.fake.now = began
    task = await fake.create(["a", delay(25), "b"])
    assert task.created_at == began.timestamp()
    with pytest.raises(ScriptError, match="time zone"):
        FakeServer(now=began.replace(tzinfo=None))


async def test_a_task_that_hangs_goes_on_when_it_is_released_and_may_expire(fake: Fake) -> None:
    created = await fake.create(say("Wait ", hang(), "for it."), background=True)
    tasks = fake.client().tasks
    seen = (await fake.done(tasks.retrieve(created.id))).unwrap()
    assert (seen.status, seen.output[0].status) == ("working", "in_progress")
    fake.fake.last_task.release()
    seen = (await fake.done(tasks.retrieve(created.id))).unwrap()
    assert seen.output[0].message_content[0].text == "Wait for it."

    with pytest.raises(ScriptError, match=r"task_2 is working, .*release\(\)"):
        await fake.create(hang(), timeout_s=30)
    fake.fake.advance(31)
    expired = (await fake.done(tasks.retrieve("task_2"))).unwrap()
    assert (expired.status, expired.error.code) == ("expired", -32006)


RICH = [
    think("Let me see.", summary="Two words."),
    say("See:", annotations=[CITED], parts=[PNG, PDF, WAV]),
    parallel(
        call("add", {"a": 1}, result=["The sum ", "is 3."]), call("b", result="2", blocks=[1])
    ),
    think("Hm."),
    say("The answ", cut()),
    think("Well.", summary="Anew."),
    event("task.queued"),
    refuse("I can't."),
]


@pytest.mark.parametrize("ending", ["cancel", "expire", "pause"])
def test_a_task_may_be_stopped_after_any_of_its_events(ending: str) -> None:
    server = FakeServer()
    server.otherwise(RICH)
    client = server.client()

    def created() -> FakeTask:
        client.tasks.create(stream=False, background=True, user_message_content="Hi", timeout_s=9)
        return server.last_task

    whole = created()
    while not whole.is_settled:
        whole.advance()
    for length in range(2, len(whole.events)):
        task = created()
        while len(task.events) < length:
            task.advance()
        if ending == "cancel":
            task.cancel()
            assert task.status == "canceled"
        elif ending == "expire":
            server.advance(10)
            task.advance()
            assert task.status == "expired"
        else:
            task.pause()
            while not task.is_settled:
                task.advance()
            assert task.status in ("paused", "completed")
            if task.status == "paused":
                task.resume()
            while not task.is_settled:
                task.advance()
            assert items_of(task) == items_of(whole)
    check_logs(list(server.tasks.values()))


def test_a_task_that_waits_for_its_session_may_expire_or_be_canceled() -> None:
    server = FakeServer(patience_s=0.01)
    server.otherwise(hang())
    client = server.client()
    for timeout_s in (None, 5.0, None):
        client.tasks.create(
            stream=False,
            background=True,
            user_message_content="Hi",
            session_id="s",
            timeout_s=timeout_s,
        )
    first, second, third = server.tasks.values()
    assert (first.status, second.status, third.status) == ("working", "queued", "queued")
    server.advance(6)
    second.advance()
    third.cancel()
    assert (second.status, third.status) == ("expired", "canceled")
    check_logs([first, second, third])


def test_rest_does_not_count_as_time_of_a_task() -> None:
    server = FakeServer()
    server.otherwise([call("ask"), delay(3), "Done."])
    client = server.client()
    task = client.tasks.create(stream=False, user_message_content="Hi", timeout_s=5).unwrap()
    server.advance(100)
    answer = {"type": "tool_result", "call_id": "call_1", "message_content": "", "block_list": []}
    answered = client.tasks.submit_tool_results(task.id, tool_results=[answer])  # type: ignore[list-item] - a plain dict
    assert answered.unwrap().status == "completed"


def test_the_package_is_light_and_its_names_are_there() -> None:
    for name in testing.__all__:
        assert getattr(testing, name) is not None
        assert name in dir(testing)
    assert set(testing._MODULE_OF) == set(testing.__all__)
    with pytest.raises(AttributeError, match="no attribute 'FakeSever'"):
        _ = testing.FakeSever


def _tool(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
