"""What a hostile network, an odd proxy, or an impatient caller does to a stream."""

import gzip
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import anyio.to_thread
import pytest

from agentlin_client import (
    APIConnectionError,
    APIResponseValidationError,
    APIStatusError,
    ClientError,
)
from tests.e2e.sdk_clients import KINDS, Face
from tests.sdk import wire
from tests.sdk.server import SILENCE, WAIT_S, Answer, Server

pytestmark = pytest.mark.anyio

LOG = wire.log("Hel", "lo", " wörld")
NUMBERS = [event["sequence_number"] for event in LOG]
BODY = b"".join(wire.frame(event) for event in LOG)
STREAM: dict[str, Any] = {"stream": True, "user_message_content": "Hello"}


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture(params=KINDS)
async def face(request: pytest.FixtureRequest, server: Server) -> AsyncIterator[Face]:
    face = Face(request.param, server.base_url)
    with anyio.fail_after(2 * WAIT_S):
        yield face
        await face.close()


def snapshot(number: int) -> bytes:
    event = {
        "type": "task.snapshot",
        "task_id": wire.TASK_ID,
        "sequence_number": number,
        "timestamp": "2026-11-24T18:00:00Z",
        "task": wire.task("working"),
        "reason": "lost",
    }
    return wire.frame(event).replace(b"-1\n", b"-2\n", 1)


async def numbers(face: Face, stream: Any) -> list[int]:
    return [event.sequence_number for event in await face.events(stream)]


# ------------------------------------------------------------------------------- odd answers


async def test_the_end_of_a_connection_at_a_rest_is_no_end_of_the_stream(
    face: Face, server: Server
) -> None:
    """The log may go on after a rest; only an end that was said in order can be believed."""
    paused = LOG[3] | {"type": "task.paused", "task": wire.task("paused"), "timestamp": "x"}
    rested = [*LOG[:3], paused]
    server.script(wire.stream(rested, ending="cut"), wire.stream(LOG[4:]))
    assert await numbers(face, face.client().tasks.events("t")) == NUMBERS
    server.script(wire.stream(rested, ending="cut"), Answer(status=204))
    assert await numbers(face, face.client().tasks.events("t")) == NUMBERS[:4]
    server.script(wire.stream(rested))
    assert await numbers(face, face.client().tasks.events("t")) == NUMBERS[:4]
    assert len(server.requests) == 5


async def test_a_snapshot_that_comes_twice_is_handed_out_once(face: Face, server: Server) -> None:
    lost = snapshot(4) + b"".join(wire.frame(event) for event in LOG[5:7])
    rest = b"".join(wire.frame(event) for event in LOG[7:])
    server.script(
        wire.stream(LOG[:6], ending="cut"),
        Answer(headers=wire.SSE, chunks=(lost, lost, rest)),
    )
    events = await numbers(face, face.client().tasks.create(**STREAM))
    assert events == [*range(6), 4, *NUMBERS[5:]]


async def test_a_server_that_only_repeats_its_snapshot_is_given_up(
    face: Face, server: Server
) -> None:
    answer = Answer(headers=wire.SSE, chunks=(snapshot(1),), ending="cut")
    server.script(wire.stream(LOG[:2], ending="cut"), *[answer] * 20)
    with pytest.raises(APIConnectionError):
        await face.events(face.client(max_retries=2).tasks.create(**STREAM))
    assert len(server.requests) == 3


async def test_an_answer_that_is_a_web_page_ends_a_stream_with_an_error_of_ours(
    face: Face, server: Server
) -> None:
    page = Answer(headers={"Content-Type": "text/html"}, body=b"<h1>Welcome to the hotel</h1>")
    server.script(wire.stream(LOG[:4], ending="cut"), page)
    with pytest.raises(APIResponseValidationError, match="text/html") as caught:
        await face.events(face.client().tasks.create(**STREAM))
    assert "hotel" in str(caught.value.body)


async def test_a_redirect_is_followed_when_a_stream_connects_again(
    face: Face, server: Server
) -> None:
    moved = Answer(status=307, headers={"Location": f"{server.base_url}/elsewhere"}, body=b"")
    server.script(wire.stream(LOG[:4], ending="cut"), moved, wire.stream(LOG[4:]))
    assert await numbers(face, face.client().tasks.create(**STREAM)) == NUMBERS
    followed = server.requests[-1]
    assert followed.target == "/v1/elsewhere"
    assert followed.headers["last-event-id"] == "3-1"
    assert followed.headers["authorization"].startswith("Bearer ")


@pytest.mark.parametrize("status", [304, 307])
async def test_a_redirect_to_nowhere_is_an_error_of_ours(
    face: Face, server: Server, status: int
) -> None:
    server.script(wire.stream(LOG[:4], ending="cut"), Answer(status=status, body=b""))
    with pytest.raises(APIStatusError) as caught:
        await face.events(face.client().tasks.create(**STREAM))
    assert caught.value.status_code == status


async def test_a_stream_that_is_compressed_is_read_and_resumed(face: Face, server: Server) -> None:
    headers = wire.SSE | {"Content-Encoding": "gzip"}
    whole = gzip.compress(BODY)
    rest = gzip.compress(b"".join(wire.frame(event) for event in LOG))
    pieces = tuple(rest[at : at + 7] for at in range(0, len(rest), 7))
    server.script(
        Answer(headers=headers, body=whole[: len(whole) // 2], ending="cut"),
        Answer(headers=headers, chunks=pieces),
    )
    assert await numbers(face, face.client().tasks.create(**STREAM)) == NUMBERS


async def test_bytes_that_are_not_compressed_as_they_say_are_an_error_of_ours(
    face: Face, server: Server
) -> None:
    server.script(*[Answer(headers=wire.SSE | {"Content-Encoding": "gzip"}, body=BODY)] * 2)
    with pytest.raises(APIResponseValidationError, match="Garbled answer"):
        await face.events(face.client(max_retries=1).tasks.create(**STREAM))


async def test_an_event_of_sixteen_mebibytes_comes_whole(face: Face, server: Server) -> None:
    log = wire.log("x" * (16 << 20))
    server.script(wire.stream(log))
    events = await face.events(face.client().tasks.create(**STREAM))
    assert [event.to_dict() for event in events] == log


# --------------------------------------------------------------------------- impatient callers


async def test_what_on_retry_raises_ends_the_stream_and_closes_it(
    face: Face, server: Server
) -> None:
    for error in (OSError("disk full"), StopIteration()):

        def fail(_: object, error: BaseException = error) -> None:
            raise error

        server.script(wire.stream(LOG[:4], ending="cut"))
        stream = await face.done(face.client(on_retry=fail).tasks.create(**STREAM))
        expected = RuntimeError if isinstance(error, StopIteration) else type(error)
        with pytest.raises(expected):
            await face.drain(stream, [])
        assert stream.response.is_closed
        assert await face.events(stream) == []


async def test_a_stream_goes_on_after_an_interruption_from_the_keyboard(
    face: Face, server: Server
) -> None:
    interruptions = [KeyboardInterrupt()]

    def interrupt(_: object) -> None:
        if interruptions:
            raise interruptions.pop()

    server.script(wire.stream(LOG[:4], ending="cut"), wire.stream(LOG[4:]))
    stream = await face.done(face.client(on_retry=interrupt).tasks.create(**STREAM))
    seen: list[Any] = []
    with pytest.raises(KeyboardInterrupt):
        await face.drain(stream, seen)
    await face.drain(stream, seen)
    assert [event.sequence_number for event in seen] == NUMBERS


async def test_the_last_event_id_is_right_when_duplicates_came_since(
    face: Face, server: Server
) -> None:
    twice = b"".join(wire.frame(event) for event in LOG[:2])
    server.script(Answer(headers=wire.SSE, chunks=(twice, twice), ending="hang"))
    client = face.client(stream_idle_timeout=0.1, max_retries=0)
    stream = await face.done(client.tasks.create(**STREAM))
    with pytest.raises(APIConnectionError, match="after event 1-1"):
        await face.drain(stream, [])
    assert stream.last_event_id == "1-1"


async def test_a_stream_that_is_closed_while_it_connects_again_ends(
    face: Face, server: Server
) -> None:
    client = face.client(max_retries=5)
    stream: Any = None
    is_away = anyio.Event()

    async def close_async(_: float) -> None:
        if not is_away.is_set():
            is_away.set()
            await stream.close()

    client._transport._sleep = (lambda _: stream.close()) if face.kind == "sync" else close_async
    server.script(wire.stream(LOG[:4], ending="cut"), wire.refusal(503), *[wire.stream(LOG)] * 3)
    stream = await face.done(client.tasks.create(**STREAM))
    assert await numbers(face, stream) == NUMBERS[:4]
    assert len(server.requests) == 1


@pytest.mark.parametrize("kind", KINDS[1:])
async def test_closing_a_stream_that_waits_for_a_new_connection_wakes_its_reader(
    kind: str, server: Server
) -> None:
    face = Face(kind, server.base_url)
    server.script(wire.stream(LOG[:4], ending="cut"), SILENCE)
    stream = await face.done(face.client().tasks.create(**STREAM))
    events: list[Any] = []
    with anyio.fail_after(WAIT_S):
        async with anyio.create_task_group() as group:
            group.start_soon(face.drain, stream, events)
            while len(server.requests) < 2:
                await anyio.wait_all_tasks_blocked()
            await stream.close()
    assert len(events) == 4
    assert server.client_left.wait(WAIT_S)
    await face.close()


@pytest.mark.parametrize("kind", KINDS[1:])
async def test_a_stream_goes_on_after_a_wait_that_was_canceled(kind: str, server: Server) -> None:
    """Whoever waits for an event with a time-out must not take its end for the stream's."""
    face = Face(kind, server.base_url)
    server.script(wire.stream(LOG[:2], ending="hang"), SILENCE, wire.stream(LOG[2:]))
    stream = await face.done(face.client().tasks.create(**STREAM))
    seen: list[Any] = []
    for _ in range(2):
        with anyio.move_on_after(0.2):
            async for event in stream:
                seen.append(event.sequence_number)  # noqa: PERF401 - until it is canceled
    assert seen == [0, 1]
    seen += [event.sequence_number async for event in stream]
    assert seen == NUMBERS

    server.script(wire.stream(LOG[:6], ending="hang"), wire.stream(LOG[6:]))
    followed = face.client().tasks.stream(user_message_content="Hello")
    with anyio.move_on_after(0.2):
        await followed.until_done()
    assert (await followed.final_task()).status == "completed"
    assert followed.text == "Hello wörld"
    await face.close()


async def test_a_stream_whose_client_is_closed_says_so(face: Face, server: Server) -> None:
    server.script(wire.stream(LOG[:2], ending="hang"))
    client = face.client()
    stream = await face.done(client.tasks.create(**STREAM))
    await face.next(stream)
    await face.next(stream)
    await face.done(client.close())
    with pytest.raises(ClientError, match="closed"):
        await face.next(stream)
