"""`FakeServer` fails on demand, and the SDK bears it; no test waits for a back-off."""

import threading
from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx
import pytest

from agentlin_client import (
    APIConnectionError,
    APIResponseValidationError,
    APITimeoutError,
    InternalServerError,
    NotFoundError,
    RateLimitError,
)
from agentlin_client.testing import FakeServer, ScriptError, call, delay, hang, say
from agentlin_client.testing._task import Pace
from tests.sdk.fakes import Fake, check_logs

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["sync", "async"])
async def fake(request: pytest.FixtureRequest) -> AsyncIterator[Fake]:
    fake = Fake(request.param)
    fake.fake.otherwise("One two three.")
    yield fake
    await fake.close()
    check_logs(list(fake.fake.tasks.values()))


async def test_refusals_are_retried_on_the_servers_clock(fake: Fake) -> None:
    began = fake.fake.now
    fake.fake.fail_next(503, times=2, headers={"retry-after": "20"})
    assert (await fake.create()).status == "completed"
    assert [r.headers["x-stainless-retry-count"] for r in fake.fake.requests] == ["0", "1", "2"]
    assert (fake.fake.now - began).total_seconds() == 40
    assert len(fake.fake.tasks) == 1
    fake.fake.fail_next(429, times=3)
    copy = fake.client().with_options(max_retries=1)
    with pytest.raises(RateLimitError) as limited:
        await fake.done(copy.tasks.create(stream=False, user_message_content="Hi"))
    assert limited.value.code == -32014
    assert len(fake.fake.requests) == 5


async def test_a_refusal_says_what_the_test_wants_and_to_whom(fake: Fake) -> None:
    fake.fake.fail_next(404, to="POST .*/cancel$", code=-1, message="Gone", data={"a": 1})
    fake.fake.fail_next(500, to="GET", times=9)
    task = await fake.create()
    with pytest.raises(NotFoundError) as gone:
        await fake.done(fake.client().tasks.cancel(task.id))
    assert (gone.value.code, gone.value.data) == (-1, {"a": 1})
    with pytest.raises(InternalServerError):
        await fake.done(fake.client().tasks.retrieve(task.id))


async def test_an_unreachable_server_is_a_connection_error(fake: Fake) -> None:
    fake.fake.refuse_connections(times=3)
    with pytest.raises(APIConnectionError) as refused:
        await fake.create()
    assert isinstance(refused.value.__cause__, httpx.ConnectError)
    assert fake.fake.tasks == {}
    assert (await fake.create()).status == "completed"


async def test_an_answer_that_is_late_finds_the_same_task_on_the_next_attempt(fake: Fake) -> None:
    fake.fake.timeout_next()
    assert (await fake.create()).id == "task_1"
    assert (len(fake.fake.requests), len(fake.fake.tasks)) == (2, 1)
    began = fake.fake.now
    fake.fake.slow_next(59)
    await fake.done(fake.client(max_retries=0).tasks.retrieve("task_1"))
    assert (fake.fake.now - began).total_seconds() == 59
    fake.fake.slow_next(61)
    with pytest.raises(APITimeoutError):
        await fake.done(fake.client(max_retries=0).tasks.retrieve("task_1"))
    fake.fake.timeout_next()
    with pytest.raises(ScriptError, match="would wait for ever"):
        await fake.done(fake.client(timeout=None).tasks.retrieve("task_1"))


@pytest.mark.parametrize("how", ["cut", "half", "close"])
async def test_a_stream_that_breaks_goes_on_at_the_next_event(fake: Fake, how: Any) -> None:
    fake.fake.drop_connection(after_event=6, how=how)
    fake.fake.drop_connection(after_event=8)
    events = await fake.events()
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[-1].type == "task.completed"
    resumed = fake.fake.requests[1:]
    assert [request.headers["last-event-id"] for request in resumed] == ["6-1", "8-1"]


async def test_a_stream_that_breaks_too_often_raises(fake: Fake) -> None:
    fake.fake.drop_connection(after_event=-1, times=9)
    with pytest.raises(APIConnectionError) as broken:
        await fake.events()
    assert isinstance(broken.value.__cause__, httpx.RemoteProtocolError)


async def test_a_snapshot_stands_for_events_that_are_lost(fake: Fake) -> None:
    fake.fake.drop_connection(after_event=5)
    fake.fake.lose_events("power cut")
    events = await fake.events()
    assert [event.sequence_number for event in events][:7] == [0, 1, 2, 3, 4, 5, 5]
    assert (events[6].type, events[6].reason) == ("task.snapshot", "power cut")


async def test_what_is_not_of_the_protocol_is_refused_by_the_client(fake: Fake) -> None:
    fake.fake.garble_next()
    with pytest.raises(APIResponseValidationError, match=r"log in|JSON|html"):
        await fake.create()
    fake.fake.drop_connection(after_event=4, how="garble")
    impatient = fake.client(max_retries=0)
    with pytest.raises(APIResponseValidationError):
        await fake.drain(
            await fake.done(impatient.tasks.create(stream=True, user_message_content="Hi")), []
        )


async def test_a_garbled_event_is_fetched_again(fake: Fake) -> None:
    fake.fake.drop_connection(after_event=4, how="garble")
    events = await fake.events()
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[-1].type == "task.completed"


async def test_a_silence_longer_than_the_clients_patience_is_a_time_out(fake: Fake) -> None:
    fake.fake.otherwise([delay(12), say("Hello", delay(100), "!")])
    impatient = fake.client(timeout=11, max_retries=0)
    with pytest.raises(APITimeoutError):
        await fake.drain(
            await fake.done(impatient.tasks.create(stream=True, user_message_content="Hi")), []
        )
    # Servers send a sign of life every 15 s.
    patient = fake.client(timeout=16, max_retries=0)
    events: list[Any] = []
    stream = await fake.done(patient.tasks.create(stream=True, user_message_content="Hi"))
    await fake.drain(stream, events)
    assert events[-1].type == "task.completed"
    waited = await fake.done(patient.tasks.create(stream=False, user_message_content="Hi"))
    assert waited.unwrap().status == "completed"


async def test_a_task_that_hangs_runs_into_a_short_time_out_in_real_time(fake: Fake) -> None:
    fake.fake.otherwise(hang())
    client = fake.client(timeout=0.01, max_retries=0)
    with pytest.raises(APITimeoutError):
        await fake.done(client.tasks.create(stream=False, user_message_content="Hi"))
    with pytest.raises(ScriptError, match="nobody did anything"):
        await fake.create()


def test_a_stream_left_early_leaves_the_task_where_it_was() -> None:
    server = FakeServer()
    server.script([call("a", result="1"), "Done."])
    with server.client() as client:
        with client.tasks.create(stream=True, user_message_content="Hi") as stream:
            next(stream)
        before = len(server.last_task.events)
        assert client.tasks.retrieve(server.last_task.id).unwrap().status == "working"
    assert 0 < before < len(server.last_task.events)


async def test_another_task_of_the_program_may_cancel_one_that_hangs() -> None:
    server = FakeServer()
    server.otherwise(say("Wait", hang()))
    client = server.async_client()
    events: list[Any] = []

    async def follow() -> None:
        stream = await client.tasks.create(stream=True, user_message_content="Hi")
        async for got in stream:
            events.append(got.type)  # noqa: PERF401 - the test looks at them meanwhile

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(follow)
            while "task.text.delta" not in events:
                await anyio.lowlevel.checkpoint()
            await client.tasks.cancel(server.last_task.id)
    assert events[-1] == "task.canceled"
    with anyio.move_on_after(0.01) as scope:
        await client.tasks.create(stream=False, user_message_content="Hi")
    assert scope.cancelled_caught


def test_another_thread_may_close_a_stream_that_hangs() -> None:
    server = FakeServer(patience_s=60)
    server.otherwise(hang())
    stream = server.client().tasks.create(stream=True, user_message_content="Hi")
    types: list[str] = []
    thread = threading.Thread(target=lambda: types.extend(e.type for e in stream), daemon=True)
    thread.start()
    assert Pace.STUCK in [server.last_task.advance() for _ in range(9)]
    stream.close()
    thread.join(5)
    assert not thread.is_alive()
    assert server.last_task.status == "working"


def test_another_thread_may_cancel_a_task_that_hangs() -> None:
    server = FakeServer()
    server.otherwise(say("Wait", hang()))
    client = server.client()
    has_begun = threading.Event()
    types: list[str] = []

    def follow() -> None:
        for got in client.tasks.create(stream=True, user_message_content="Hi"):
            types.append(got.type)
            if got.type == "task.text.delta":
                has_begun.set()

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    assert has_begun.wait(5)
    client.tasks.cancel(server.last_task.id)
    thread.join(5)
    assert types[-1] == "task.canceled"
