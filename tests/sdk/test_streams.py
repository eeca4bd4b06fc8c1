"""Streams: typed events in order, whole or an error that says where it broke."""

import json
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlin_client import (
    APIConnectionError,
    APIError,
    APIResponseValidationError,
    APITimeoutError,
    Client,
    NotFoundError,
)
from agentlin_client.types import TaskFailedEvent, TaskTextDeltaEvent, UnknownEvent
from tests.sdk import wire
from tests.sdk.conftest import Sdk
from tests.sdk.server import WAIT_S, Answer

pytestmark = pytest.mark.anyio

STREAM: dict[str, Any] = {"stream": True, "user_message_content": "Hello"}
LOG = wire.log("Hel", "lo", " wörld")
BYTES = b"".join(wire.frame(event) for event in LOG)


async def test_a_stream_yields_typed_events_up_to_the_end(sdk: Sdk) -> None:
    sdk.server.script(wire.stream(LOG))
    stream = await sdk.done(sdk.client().tasks.create(**STREAM))
    assert stream.last_event_id is None
    events: list[Any] = []
    await sdk.drain(stream, events)
    assert [event.to_dict() for event in events] == LOG
    deltas = [event.delta for event in events if isinstance(event, TaskTextDeltaEvent)]
    assert deltas == ["Hel", "lo", " wörld"]
    assert stream.last_event_id == f"{len(LOG) - 1}-1"
    assert stream.response.status_code == 200
    assert stream.response.is_closed
    body = json.loads(sdk.server.requests[0].body)
    assert body == STREAM | {"task_id": body["task_id"]}


@pytest.mark.parametrize("last", ["task.canceled", "task.expired", "task.paused"])
async def test_a_stream_may_end_wherever_the_task_ends_or_rests(sdk: Sdk, last: str) -> None:
    sdk.server.script(wire.stream(wire.log("a", last=last)))
    events: list[Any] = []
    await sdk.drain(await sdk.done(sdk.client().tasks.create(**STREAM)), events)
    assert events[-1].type == last


async def test_a_failed_task_is_an_event_though_its_frame_has_an_error_too(sdk: Sdk) -> None:
    error = {"code": -32000, "message": "model failure", "data": {"provider": "p"}}
    log = wire.log("a", last="task.failed", error=error)
    chunks = (*map(wire.frame, log[:-1]), wire.frame(log[-1], error))
    sdk.server.script(Answer(headers=wire.SSE, chunks=chunks))
    events: list[Any] = []
    await sdk.drain(await sdk.done(sdk.client().tasks.create(**STREAM)), events)
    assert isinstance(events[-1], TaskFailedEvent)
    assert events[-1].error.message == "model failure"


async def test_pings_are_passed_over_and_an_event_of_a_newer_server_is_delivered(
    sdk: Sdk,
) -> None:
    new = {"type": "task.mood", "task_id": "t", "sequence_number": len(LOG) - 2, "mood": ["good"]}
    chunks = (b": ping\n", wire.frame(new), b": ping\n: ping\n", wire.frame(LOG[-1]))
    sdk.server.script(Answer(headers=wire.SSE, chunks=chunks))
    events: list[Any] = []
    await sdk.drain(await sdk.done(sdk.client().tasks.create(**STREAM)), events)
    assert isinstance(events[0], UnknownEvent)
    assert events[0].to_dict() == new


async def test_events_are_delivered_as_they_come_not_when_all_are_there(sdk: Sdk) -> None:
    sdk.server.script(wire.stream(LOG[:3], ending="hang"))
    stream = await sdk.done(sdk.client().tasks.create(**STREAM))
    for event in LOG[:3]:
        assert (await sdk.next(stream)).to_dict() == event
    await sdk.done(stream.close())
    assert sdk.server.client_left.wait(WAIT_S)


async def test_a_stream_that_is_left_early_is_closed_and_then_empty(sdk: Sdk) -> None:
    sdk.server.script(wire.stream(LOG[:3], ending="hang"))
    client = sdk.client()
    if sdk.kind == "sync":
        with client.tasks.create(**STREAM) as stream:
            next(stream)
    else:
        async with await client.tasks.create(**STREAM) as stream:
            await anext(stream)
    assert sdk.server.client_left.wait(WAIT_S)
    assert stream.response.is_closed
    rest: list[Any] = []
    await sdk.drain(stream, rest)
    assert rest == []


async def test_a_stream_can_be_closed_before_it_was_read(sdk: Sdk) -> None:
    sdk.server.script(wire.stream(LOG[:1], ending="hang"))
    stream = await sdk.done(sdk.client().tasks.create(**STREAM))
    await sdk.done(stream.close())
    await sdk.done(stream.close())
    events: list[Any] = []
    await sdk.drain(stream, events)
    assert events == []
    assert sdk.server.client_left.wait(WAIT_S)


@pytest.mark.parametrize("ending", ["whole", "cut"])
@pytest.mark.parametrize("seen", [0, 1, 7])
async def test_a_stream_that_stops_before_the_task_does_raises_after_its_last_event(
    sdk: Sdk, seen: int, ending: str
) -> None:
    sdk.server.script(wire.stream(LOG[:seen], ending=ending))
    stream = await sdk.done(sdk.client(max_retries=0).tasks.create(**STREAM))
    events: list[Any] = []
    place = f"after event {seen - 1}-1" if seen else "before its first event"
    with pytest.raises(APIConnectionError, match=place) as caught:
        await sdk.drain(stream, events)
    assert len(events) == seen
    assert not isinstance(caught.value, APITimeoutError)
    assert caught.value.request.url.path == "/v1/tasks"
    assert caught.value.response is stream.response
    assert stream.response.is_closed
    assert isinstance(caught.value.__cause__, httpx.HTTPError) is (ending == "cut")
    assert len(sdk.server.requests) == 1


async def test_a_stream_cut_in_the_middle_of_a_frame_does_not_deliver_half_of_it(
    sdk: Sdk,
) -> None:
    whole = wire.frame(LOG[0])
    sdk.server.script(Answer(headers=wire.SSE, chunks=(whole, wire.frame(LOG[1])[:-1])))
    events: list[Any] = []
    with pytest.raises(APIConnectionError):
        await sdk.drain(await sdk.done(sdk.client(max_retries=0).tasks.create(**STREAM)), events)
    assert len(events) == 1


async def test_a_connection_that_breaks_after_the_last_event_breaks_nothing(sdk: Sdk) -> None:
    sdk.server.script(wire.stream(LOG, ending="cut"))
    events: list[Any] = []
    await sdk.drain(await sdk.done(sdk.client().tasks.create(**STREAM)), events)
    assert len(events) == len(LOG)


async def test_a_server_that_falls_silent_is_a_time_out(sdk: Sdk) -> None:
    sdk.server.script(wire.stream(LOG[:2], ending="hang"))
    stream = await sdk.done(sdk.client(max_retries=0).tasks.create(**STREAM, timeout=0.1))
    events: list[Any] = []
    with pytest.raises(APITimeoutError, match="after event 1-1"):
        await sdk.drain(stream, events)
    assert len(events) == 2


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"[]",
        b'{"jsonrpc":"2.0","result":{"type":"task.working"}}',
        b'{"jsonrpc":"2.0","result":{"type":5}}',
        b"[DONE]",
        b"\xff",
    ],
)
async def test_a_frame_that_is_no_event_is_a_validation_error_of_ours(
    sdk: Sdk, data: bytes
) -> None:
    chunk = wire.frame(LOG[0]) + b"data: " + data + b"\n\n" + wire.frame(LOG[1])
    sdk.server.script(Answer(headers=wire.SSE, chunks=(chunk,)))
    client = sdk.client(_strict_response_validation=True, max_retries=0)
    stream = await sdk.done(client.tasks.create(**STREAM))
    events: list[Any] = []
    with pytest.raises(APIResponseValidationError, match="no event") as caught:
        await sdk.drain(stream, events)
    assert len(events) == 1
    assert caught.value.body == data.decode("utf-8", "replace")
    assert stream.response.is_closed


async def test_a_frame_with_an_error_and_no_event_raises_what_it_says(sdk: Sdk) -> None:
    error = {"code": -32603, "message": "Internal error", "data": {"ref": "e1"}}
    chunk = wire.frame(LOG[0]) + b"data: " + wire.envelope(error=error) + b"\n\n"
    sdk.server.script(Answer(headers=wire.SSE, chunks=(chunk,)))
    events: list[Any] = []
    with pytest.raises(APIError, match=r"Internal error \(-32603\)") as caught:
        await sdk.drain(await sdk.done(sdk.client().tasks.create(**STREAM)), events)
    assert len(events) == 1
    assert caught.value.code == -32603
    assert caught.value.data == {"ref": "e1"}


async def test_events_follows_a_task_from_a_number_or_from_the_id_of_a_stream(sdk: Sdk) -> None:
    sdk.server.script(*[wire.stream(LOG[6:])] * 3)
    client = sdk.client()
    for start in ({}, {"starting_after": 5}, {"starting_after": "5-1"}):
        events: list[Any] = []
        await sdk.drain(await sdk.done(client.tasks.events("t", **start)), events)
        assert [event.to_dict() for event in events] == LOG[6:]
    whole, by_number, by_id = sdk.server.requests
    assert whole.method == "GET"
    assert whole.headers["accept"] == "text/event-stream"
    assert whole.target == by_id.target == "/v1/tasks/t/events"
    assert by_number.target == "/v1/tasks/t/events?starting_after=5"
    assert by_id.headers["last-event-id"] == "5-1"
    assert "last-event-id" not in by_number.headers


async def test_a_task_at_rest_without_new_events_is_an_empty_stream(sdk: Sdk) -> None:
    sdk.server.script(Answer(status=204))
    events: list[Any] = []
    await sdk.drain(await sdk.done(sdk.client().tasks.events("t", starting_after=len(LOG))), events)
    assert events == []


@pytest.mark.parametrize(("status", "ends"), [("completed", True), ("working", False)])
async def test_a_snapshot_ends_a_stream_iff_its_task_is_at_an_end(
    sdk: Sdk, status: str, *, ends: bool
) -> None:
    snapshot = {
        "type": "task.snapshot",
        "task_id": "t",
        "sequence_number": 9,
        "timestamp": "2026-11-23T18:00:00Z",
        "task": wire.task(status),
        "reason": "compacted",
    }
    sdk.server.script(wire.stream([snapshot]))
    stream = await sdk.done(sdk.client(max_retries=0).tasks.events("t"))
    events: list[Any] = []
    if ends:
        await sdk.drain(stream, events)
    else:
        with pytest.raises(APIConnectionError):
            await sdk.drain(stream, events)
    assert [event.to_dict() for event in events] == [snapshot]


async def test_events_that_are_answered_by_something_else_are_an_error(sdk: Sdk) -> None:
    sdk.server.script(wire.answer(wire.task()), wire.refusal(404, -32001, "Task not found"))
    client = sdk.client()
    with pytest.raises(APIResponseValidationError, match="application/json"):
        await sdk.done(client.tasks.events("t"))
    with pytest.raises(NotFoundError):
        await sdk.done(client.tasks.events("t"))


async def test_a_connection_is_used_again_after_its_stream_was_read_to_the_end(
    sdk: Sdk,
) -> None:
    sdk.server.script(wire.stream(LOG), wire.stream(LOG))
    client = sdk.client()
    for _ in range(2):
        await sdk.drain(await sdk.done(client.tasks.create(**STREAM)), [])
    assert sdk.server.connections_accepted == 1


@given(st.lists(st.integers(0, len(BYTES)), max_size=20).map(sorted))
def test_any_split_of_a_recorded_stream_gives_the_same_events(cuts: list[int]) -> None:
    parts = [BYTES[a:b] for a, b in zip([0, *cuts], [*cuts, len(BYTES)], strict=True)]

    def reply(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers=wire.SSE, content=iter(parts))

    http = httpx.Client(transport=httpx.MockTransport(reply))
    with Client(http_client=http) as client:
        stream = client.tasks.create(stream=True, user_message_content="Hello")
        assert [event.to_dict() for event in stream] == LOG
