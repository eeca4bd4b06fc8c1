"""The decoder of a stream: typed events, second looks at odd ones, and why it stops."""

import gc
import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlin_client._events import EventDecoder, FailureFrame, MalformedFrame
from agentlin_client.types import (
    MessageItem,
    TaskFailedEvent,
    TaskObject,
    TaskOutputItemDoneEvent,
    TaskTextDeltaEvent,
    UnknownEvent,
)
from agentlin_client.types._adapters import decode_event
from tests.sdk import wire
from tests.types.streams import valid_streams

LOG = wire.log("Hel", "lo", " wörld")
BYTES = b"".join(map(wire.frame, LOG))
DELTA = LOG[5]
MOOD = {"type": "task.mood", "task_id": "t", "sequence_number": 8, "mood": ["good"]}
MALFORMED = {
    "no JSON": b"Internal Server Error",
    "JSON cut short": b'{"jsonrpc":"2.0","result":{"type":"task.working"',
    "a list": b"[1]",
    "a number": b"1",
    "not UTF-8": b'{"result": {"type": "task.mood", "task_id": "\xff", "sequence_number": 1}}',
    "nested too deeply": b'{"result":' * 5000 + b"1" + b"}" * 5000,
    "no envelope": json.dumps(DELTA).encode(),
    "neither result nor error": b'{"jsonrpc":"2.0","id":"r"}',
    "nulls": b'{"jsonrpc":"2.0","id":"r","result":null,"error":null}',
    "a result of no type": wire.envelope({"task_id": "t", "sequence_number": 1}),
    "a result of an odd type": wire.envelope({"type": ["task.working"]}),
    "a result that is a list": wire.envelope([DELTA]),
    "an error beside a result that is no event": wire.envelope([1], {"code": 1, "message": "m"}),
}


def frame_of(data: bytes, id: str = "9-1") -> bytes:
    return b"id: %b\nevent: e\ndata: %b\n\n" % (id.encode(), data)


def feed(*chunks: bytes, strict: bool = False) -> tuple[EventDecoder, list[Any]]:
    decoder = EventDecoder(strict=strict)
    return decoder, [event for chunk in chunks for event in decoder.feed(chunk)]


@pytest.mark.parametrize("strict", [False, True])
@given(log=valid_streams(), end=st.sampled_from(["\n", "\r\n", "\r"]), size=st.integers(1, 400))
def test_a_valid_stream_gives_its_events_however_it_is_cut(
    *, strict: bool, log: list[dict[str, Any]], end: str, size: int
) -> None:
    text = b"".join(map(wire.frame, log)).replace(b"\n", end.encode())
    chunks = [text[at : at + size] for at in range(0, len(text), size)]
    decoder, events = feed(*chunks, strict=strict)
    assert events == [decode_event(event) for event in log]
    assert decoder.failure is None
    assert decoder.last_event_id == (f"{len(log) - 1}-1" if log else None)


def test_each_event_of_a_chunk_has_its_own_id() -> None:
    decoder = EventDecoder()
    assert decoder.last_event_id is None
    events = decoder.feed(BYTES)
    ids = [decoder.event_id(index) for index in range(len(events))]
    assert ids == [f"{number}-1" for number in range(len(LOG))]
    assert decoder.feed(b": ping\n") == []
    assert decoder.last_event_id == decoder.event_id(-1) == ids[-1]


def test_an_event_without_an_id_has_none_and_one_with_a_broken_id_is_no_failure() -> None:
    data = wire.envelope(DELTA)
    decoder, (event,) = feed(b"data: " + data + b"\n\n")
    assert event.delta == "Hel"
    assert decoder.last_event_id is None
    decoder.feed(b"id: \xff\ndata: " + data + b"\n\n")
    assert decoder.last_event_id == "\ufffd"


@pytest.mark.parametrize("strict", [False, True])
def test_a_failed_task_is_an_event_though_its_frame_has_an_error_too(*, strict: bool) -> None:
    error = {"code": -32000, "message": "model failure"}
    event = wire.log(last="task.failed", error=error)[-1]
    decoder, (decoded,) = feed(wire.frame(event, error), strict=strict)
    assert isinstance(decoded, TaskFailedEvent)
    assert decoder.failure is None


@pytest.mark.parametrize("strict", [False, True])
def test_unknown_fields_of_events_and_envelopes_are_no_mistake(*, strict: bool) -> None:
    data = json.dumps({"result": DELTA | {"new": [1]}, "newer": 2}).encode()
    _, (event,) = feed(frame_of(data), strict=strict)
    assert isinstance(event, TaskTextDeltaEvent)
    assert event.model_extra == {"new": [1]}


def test_an_event_of_an_unknown_type_is_an_unknown_event_with_all_its_data() -> None:
    decoder, events = feed(wire.frame(DELTA) + wire.frame(MOOD) + wire.frame(DELTA))
    assert isinstance(events[1], UnknownEvent)
    assert events[1].to_dict() == MOOD
    assert events[0] == events[2] == decode_event(DELTA)
    assert decoder.event_id(1) == "8-1"


def test_an_event_with_invalid_fields_is_of_its_class_all_the_same() -> None:
    item = {"type": "message", "role": "wizard", "message_content": [{"type": "text", "text": "x"}]}
    sent = {"type": "task.output_item.done", "task_id": 7, "agent_step": 1, "item": item, "z": None}
    decoder, (event,) = feed(frame_of(wire.envelope(sent)))
    assert isinstance(event, TaskOutputItemDoneEvent)
    assert isinstance(event.item, MessageItem)
    assert (event.task_id, event.agent_step, event.item.role) == (7, 1, "wizard")
    assert event.to_dict(warnings=False) == sent
    assert decoder.failure is None
    assert decoder.last_event_id == "9-1"


def test_half_a_surrogate_pair_is_kept_as_servers_of_other_languages_send_it() -> None:
    halves = [DELTA | {"delta": "\ud83d"}, DELTA | {"delta": "\ude00"}]
    _, events = feed(*(frame_of(wire.envelope(half)) for half in halves))
    text = "".join(event.delta for event in events)
    assert text.encode("utf-16", "surrogatepass").decode("utf-16") == "\U0001f600"


@pytest.mark.parametrize("sent", [MOOD, DELTA | {"agent_step": "one"}, {"type": "task.working"}])
def test_a_strict_decoder_takes_neither_unknown_types_nor_invalid_fields(
    sent: dict[str, Any],
) -> None:
    data = wire.envelope(sent)
    decoder, events = feed(wire.frame(DELTA) + frame_of(data) + wire.frame(DELTA), strict=True)
    assert [event.to_dict() for event in events] == [DELTA]
    assert isinstance(decoder.failure, MalformedFrame)
    assert decoder.failure.data == data
    assert decoder.failure.error.errors()[0]["loc"][0] == "result"


def test_a_strict_decoder_takes_no_unknown_type_inside_a_known_one_either() -> None:
    event = LOG[-1] | {"task": wire.task(output=[{"type": "dance"}])}
    assert feed(wire.frame(event))[1][0].task.output[0].type == "dance"
    decoder, events = feed(wire.frame(event), strict=True)
    assert events == []
    assert isinstance(decoder.failure, MalformedFrame)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_frame_that_is_no_event_is_the_end_after_the_events_before_it(
    *, data: bytes, strict: bool
) -> None:
    decoder = EventDecoder(strict=strict)
    after = frame_of(wire.envelope(DELTA), "after")
    events = decoder.feed(wire.frame(DELTA) + frame_of(data, "bad") + after)
    assert [event.to_dict() for event in events] == [DELTA]
    assert isinstance(decoder.failure, MalformedFrame)
    assert decoder.failure.data == data
    assert decoder.failure.error.error_count() >= 1
    assert decoder.last_event_id == decoder.event_id(0) == f"{DELTA['sequence_number']}-1"
    failure = decoder.failure
    assert decoder.feed(after) == []
    assert decoder.failure is failure


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("error", [{"code": -32603, "message": "gone", "data": [1]}, "gone"])
def test_a_frame_with_an_error_and_no_event_says_that_the_stream_failed(
    *, error: object, strict: bool
) -> None:
    decoder, events = feed(wire.frame(DELTA), frame_of(wire.envelope(error=error)), strict=strict)
    assert len(events) == 1
    assert decoder.failure == FailureFrame(
        {"jsonrpc": "2.0", "id": "req_1", "error": error},
    )


def test_a_failure_leaves_no_garbage_that_only_the_cycle_collector_can_free() -> None:
    feed(frame_of(b"nonsense"))  # what is built once is built
    gc.collect()
    gc.disable()
    try:
        decoder, _ = feed(frame_of(b"nonsense"))
        assert decoder.failure is not None
        del decoder
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_the_first_streams_of_a_process_may_begin_in_many_threads() -> None:
    code = f"""
import threading
from agentlin_client._events import EventDecoder
chunk, odd = {wire.frame(LOG[-1])!r}, {wire.frame(LOG[-1] | {"timestamp": 5})!r}
barrier, results, lock = threading.Barrier(8), [], threading.Lock()
def read():
    barrier.wait(30)
    decoder = EventDecoder()
    event, odd_event = decoder.feed(chunk + odd)
    with lock:
        results.append((event.to_dict(), odd_event.timestamp, odd_event.task.to_dict()))
threads = [threading.Thread(target=read) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(60)
assert len(results) == 8, results
assert all(result == results[0] for result in results)
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=90)


def test_a_task_is_no_event() -> None:
    task = TaskObject.model_validate(wire.task()).to_dict()
    decoder, events = feed(frame_of(wire.envelope(task)))
    assert events == []
    assert isinstance(decoder.failure, MalformedFrame)
