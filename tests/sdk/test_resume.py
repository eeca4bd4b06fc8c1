"""A stream goes on by itself: no event twice, none missing, whatever the connection does."""

import threading
from typing import Any

import anyio
import pytest

from agentlin_client import (
    APIConnectionError,
    APIResponseValidationError,
    APITimeoutError,
    NotFoundError,
)
from agentlin_client._retry import Retry
from tests.sdk import wire
from tests.sdk.conftest import Sdk
from tests.sdk.server import DROP, WAIT_S, Answer

pytestmark = pytest.mark.anyio

LOG = wire.log("Hel", "lo", " wörld")
STREAM: dict[str, Any] = {"stream": True, "user_message_content": "Hello"}
NUMBERS = [event["sequence_number"] for event in LOG]


async def read(sdk: Sdk, stream: Any) -> list[int]:
    events: list[Any] = []
    await sdk.drain(await sdk.done(stream), events)
    return [event.sequence_number for event in events]


def snapshot(number: int, status: str = "working") -> dict[str, Any]:
    return {
        "type": "task.snapshot",
        "task_id": wire.TASK_ID,
        "sequence_number": number,
        "timestamp": "2026-11-24T18:00:00Z",
        "task": wire.task(status),
        "reason": "compacted",
    }


@pytest.mark.parametrize("ending", ["whole", "cut", "hang"])
@pytest.mark.parametrize("seen", [1, 7])
async def test_a_stream_that_stops_goes_on_with_the_event_after_the_last_one(
    sdk: Sdk, seen: int, ending: str
) -> None:
    sdk.server.script(wire.stream(LOG[:seen], ending=ending), wire.stream(LOG[seen:]))
    client = sdk.client(stream_idle_timeout=0.2)
    stream = client.tasks.create(**STREAM, extra_headers={"X-Team": "a"}, extra_query={"v": 1})
    assert await read(sdk, stream) == NUMBERS
    created, resumed = sdk.server.requests
    assert created.method == "POST"
    assert (resumed.method, resumed.target) == ("GET", f"/v1/tasks/{wire.TASK_ID}/events?v=1")
    assert resumed.headers["last-event-id"] == f"{seen - 1}-1"
    assert resumed.headers["accept"] == "text/event-stream"
    assert resumed.headers["x-team"] == "a"
    assert resumed.headers["authorization"] == created.headers["authorization"]
    assert "idempotency-key" not in resumed.headers


async def test_a_stream_that_stops_before_its_first_event_is_asked_for_again(sdk: Sdk) -> None:
    sdk.server.script(wire.stream([], ending="cut"), wire.stream(LOG))
    history = iter([{"type": "message", "role": "user", "message_content": "Hi"}])
    assert await read(sdk, sdk.client().tasks.create(**STREAM, history_messages=history)) == NUMBERS
    first, second = sdk.server.requests
    assert first.body == second.body
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]


async def test_events_that_come_again_are_passed_over(sdk: Sdk) -> None:
    sdk.server.script(wire.stream(LOG[:6], ending="cut"), wire.stream(LOG[2:]))
    assert await read(sdk, sdk.client().tasks.create(**STREAM)) == NUMBERS


async def test_a_gap_that_a_snapshot_explains_is_jumped(sdk: Sdk) -> None:
    sdk.server.script(wire.stream(LOG[:3], ending="cut"), wire.stream([snapshot(7), *LOG[8:]]))
    assert await read(sdk, sdk.client().tasks.create(**STREAM)) == [0, 1, 2, 7, *NUMBERS[8:]]


async def test_a_snapshot_that_takes_events_back_is_delivered_and_counted_from(sdk: Sdk) -> None:
    """A power cut may cost the last deltas: their numbers are then given out again."""
    sdk.server.script(wire.stream(LOG[:7], ending="cut"), wire.stream([snapshot(4), *LOG[5:]]))
    assert await read(sdk, sdk.client().tasks.create(**STREAM)) == [*range(7), 4, *NUMBERS[5:]]


@pytest.mark.parametrize("reconnects", [False, True])
async def test_a_gap_that_nothing_explains_raises_after_the_events_before_it(
    sdk: Sdk, *, reconnects: bool
) -> None:
    if reconnects:
        sdk.server.script(wire.stream(LOG[:3], ending="cut"), wire.stream(LOG[4:]))
    else:
        sdk.server.script(wire.stream([*LOG[:3], *LOG[4:]]))
    events: list[Any] = []
    stream = await sdk.done(sdk.client().tasks.create(**STREAM))
    with pytest.raises(APIResponseValidationError, match="event 4 where event 3 was expected"):
        await sdk.drain(stream, events)
    assert [event.sequence_number for event in events] == [0, 1, 2]
    assert stream.response.is_closed


@pytest.mark.parametrize("start", [2, "2-1"])
async def test_a_stream_from_a_place_misses_nothing_there(sdk: Sdk, start: int | str) -> None:
    sdk.server.script(wire.stream(LOG[4:]))
    stream = await sdk.done(sdk.client().tasks.events("t", starting_after=start))
    with pytest.raises(APIResponseValidationError, match="event 4 where event 3 was expected"):
        await sdk.drain(stream, [])


async def test_connecting_again_is_tried_max_retries_times_in_a_row(sdk: Sdk) -> None:
    retries: list[Retry] = []
    client = sdk.client(max_retries=2, on_retry=retries.append)
    sdk.server.script(
        wire.stream(LOG[:1], ending="cut"),
        wire.stream([], ending="cut"),
        wire.stream(LOG[:2], ending="cut"),  # something new: the count starts anew
        wire.stream([], ending="cut"),
        wire.stream([], ending="whole"),
    )
    events: list[Any] = []
    with pytest.raises(APIConnectionError, match="after event 1-1"):
        await sdk.drain(await sdk.done(client.tasks.create(**STREAM)), events)
    assert [event.sequence_number for event in events] == [0, 1]
    assert [(retry.number, retry.retries_max) for retry in retries] == [(1, 2), (2, 2)] * 2
    assert [retry.delay_s > 0 for retry in retries] == [False, True] * 2
    assert len(sdk.server.requests) == 5


async def test_a_server_that_is_away_for_a_while_is_waited_for(sdk: Sdk) -> None:
    sdk.server.script(
        wire.stream(LOG[:4], ending="cut"), DROP, wire.refusal(503), wire.stream(LOG[4:])
    )
    assert await read(sdk, sdk.client().tasks.create(**STREAM)) == NUMBERS
    assert len(sdk.naps_s) == 3


async def test_a_task_that_is_gone_meanwhile_is_said_to_be(sdk: Sdk) -> None:
    sdk.server.script(
        wire.stream(LOG[:4], ending="cut"), wire.refusal(404, -32001, "Task not found")
    )
    with pytest.raises(NotFoundError):
        await read(sdk, sdk.client().tasks.create(**STREAM))


async def test_nothing_after_the_last_event_ends_the_stream(sdk: Sdk) -> None:
    sdk.server.script(wire.stream(LOG[:4], ending="cut"), Answer(status=204))
    assert await read(sdk, sdk.client().tasks.create(**STREAM)) == NUMBERS[:4]


async def test_a_stream_until_final_asks_for_that_again(sdk: Sdk) -> None:
    paused = LOG[3] | {"type": "task.paused", "task": wire.task("paused"), "timestamp": "x"}
    sdk.server.script(wire.stream([*LOG[:3], paused]), wire.stream(LOG[4:]))
    assert await read(sdk, sdk.client().tasks.events("t", until="final")) == NUMBERS
    assert sdk.server.requests[1].target.endswith("/events?until=final")


async def test_a_ping_is_a_sign_of_life(sdk: Sdk) -> None:
    """Twelve pings, each well within the time-out, all together well beyond it."""
    gate = threading.Event()

    def slowly() -> Any:
        for _ in range(12):
            gate.wait(0.05)  # never set: a pause that does not depend on the machine's mood
            yield b": ping\n"
        yield from (wire.frame(event) for event in LOG)

    sdk.server.script(Answer(headers=wire.SSE, chunks=slowly()))
    assert await read(sdk, sdk.client(stream_idle_timeout=0.5).tasks.create(**STREAM)) == NUMBERS
    assert len(sdk.server.requests) == 1


async def test_the_idle_time_out_is_that_of_streams_only(sdk: Sdk) -> None:
    sdk.server.script(wire.stream(LOG[:1], ending="hang"))
    client = sdk.client(stream_idle_timeout=0.1, max_retries=0)
    with pytest.raises(APITimeoutError, match="after event 0-1"):
        await read(sdk, client.tasks.create(**STREAM))
    assert client.timeout.read == 60


async def test_the_last_event_id_is_that_of_the_event_in_hand(sdk: Sdk) -> None:
    together = b"".join(wire.frame(event) for event in LOG)
    sdk.server.script(Answer(headers=wire.SSE, chunks=(together,)))
    stream = await sdk.done(sdk.client().tasks.create(**STREAM))
    seen: list[str] = []
    for _ in LOG:
        await sdk.next(stream)
        seen.append(stream.last_event_id)
    assert seen == [f"{number}-1" for number in NUMBERS]
    assert stream.task_id == wire.TASK_ID


async def test_a_stream_is_closed_from_elsewhere_while_it_waits(sdk: Sdk) -> None:
    sdk.server.script(wire.stream(LOG[:2], ending="hang"))
    stream = await sdk.done(sdk.client().tasks.create(**STREAM))
    events: list[Any] = [await sdk.next(stream), await sdk.next(stream)]
    with anyio.fail_after(WAIT_S):
        async with anyio.create_task_group() as group:
            if sdk.kind == "sync":
                group.start_soon(anyio.to_thread.run_sync, lambda: events.extend(stream))
                await anyio.to_thread.run_sync(stream.close)
            else:
                group.start_soon(sdk.drain, stream, events)
                await anyio.wait_all_tasks_blocked()
                await stream.close()
    assert len(events) == 2
    assert sdk.server.client_left.wait(WAIT_S)
    assert len(sdk.server.requests) == 1
