"""The order validator: valid streams pass, each rule fires."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlin_client.types.order import OrderError, OrderValidator
from agentlin_client.types.status import FINAL, FOLLOWING, RESTING, STATUS_OF_EVENT
from agentlin_server.domain.status import TRANSITIONS
from tests.types.breaking import message
from tests.types.stream_builder import (
    TIMESTAMP,
    Event,
    StreamBuilder,
    error,
    rollout,
)
from tests.types.streams import simple_stream, valid_streams


def check(events: list[Event], *, resumed_after: int | None = None) -> OrderValidator:
    order = OrderValidator(resumed_after=resumed_after)
    for event in events:
        order.check(event)
    return order


@given(valid_streams())
def test_a_valid_stream_passes_and_ends_at_rest(events: list[Event]) -> None:
    assert check(events).is_at_rest


@given(valid_streams(), st.data())
def test_a_valid_stream_passes_from_any_event_on(events: list[Event], data: st.DataObject) -> None:
    last_seen = data.draw(st.integers(-1, len(events) - 1))
    check(events[last_seen + 1 :], resumed_after=last_seen)


@given(valid_streams(), st.data())
def test_a_valid_stream_passes_after_a_snapshot(events: list[Event], data: st.DataObject) -> None:
    builder = StreamBuilder()
    number = data.draw(st.integers(0, len(events) - 1))
    for event in events[: number + 1]:
        builder.fold.apply(event)
    check([snapshot_event(builder, number), *events[number + 1 :]], resumed_after=3)


@given(valid_streams(), st.data())
def test_a_stream_that_lost_an_event_is_refused(events: list[Event], data: st.DataObject) -> None:
    lost = data.draw(st.integers(0, len(events) - 2))
    with pytest.raises(OrderError, match=r"next number|created comes first"):
        check(events[:lost] + events[lost + 1 :])


def snapshot_event(builder: StreamBuilder, number: int) -> Event:
    return {
        "type": "task.snapshot",
        "task_id": builder.task_id,
        "sequence_number": number,
        "timestamp": TIMESTAMP,
        "task": builder.snapshot(),
        "reason": "retention",
    }


def test_a_snapshot_may_jump_back_even_past_a_final_event() -> None:
    events = simple_stream("Hi")
    builder = StreamBuilder()
    for event in events[:5]:
        builder.fold.apply(event)
    order = check(events)
    assert order.is_at_rest
    order.check(snapshot_event(builder, 4))
    assert not order.is_at_rest
    for event in events[5:]:
        order.check(event)
    assert order.is_at_rest


def test_an_event_of_an_unknown_type_counts_and_is_not_judged() -> None:
    events = simple_stream("Hi")
    extra = {"type": "task.mood", "task_id": "task_1", "sequence_number": len(events) - 1}
    last = {**events[-1], "sequence_number": len(events)}
    last["task"] = {**last["task"], "sequence_number": len(events)}
    check([*events[:-1], extra, last])


def test_items_of_an_unknown_type_are_not_judged() -> None:
    build = StreamBuilder()
    build.start()
    build.begin_call()
    build.finish(build.add_item("dance", "dn", steps=3))
    check(build.events)


def test_the_status_table_is_the_servers() -> None:
    of_server = {(str(a), str(b)) for (a, _), b in TRANSITIONS.items()}
    of_events = {(a, b) for a, following in FOLLOWING.items() for b in following}
    assert of_server == of_events
    assert set(FOLLOWING) == set(STATUS_OF_EVENT.values())
    assert {status for status in FOLLOWING if not FOLLOWING[status]} == FINAL
    assert not FINAL & RESTING


@pytest.mark.parametrize("field", ["type", "sequence_number", "task_id", "item", "agent_step"])
def test_a_missing_field_is_an_order_error(field: str) -> None:
    events = simple_stream("Hi")
    events[3] = {key: value for key, value in events[3].items() if key != field}
    with pytest.raises(OrderError, match=f"missing or mistyped: KeyError\\('{field}'\\)"):
        check(events)


def test_an_error_names_the_number_and_the_rule() -> None:
    events = simple_stream("Hi")
    events[4]["task_id"] = "task_2"
    with pytest.raises(OrderError) as caught:
        check(events)
    assert str(caught.value) == "event 4 (task.content_part.added): all events are of one task"
    assert caught.value.sequence_number == 4
    assert caught.value.rule == "all events are of one task"


def test_previews_of_an_image_need_not_add_up_and_files_do() -> None:
    build = StreamBuilder()
    build.start()
    item_id = message(build)
    build.add_part(item_id, 1, {"type": "image", "image_url": {"url": "data:,"}})
    ids = {"item_id": item_id, "agent_step": 1}
    for index in range(2):
        preview = {"partial_image_b64": "AAAA", "partial_image_index": index}
        build.emit("task.image.delta", **ids, **preview)
    build.add_part(item_id, 2, {"type": "file", "file": {"file_url": "u", "filename": "f"}})
    build.emit("task.file.delta", **ids, partial_file_b64="QUJD", partial_file_index=0)
    build.finish(item_id)
    build.emit("task.failed", error=error())
    assert check(build.events).is_at_rest
    assert build.fold.snapshot()["output"][0]["message_content"][2]["file"]["file_data"] == "QUJD"


def test_a_child_s_rollout_may_come_at_any_time() -> None:
    build = StreamBuilder()
    build.start()
    message(build)
    build.emit("task.rollout", **rollout(1, is_answer=True), child_task_id="task_9")
    check(build.events)


def test_a_new_item_may_name_the_one_that_it_replaces() -> None:
    build = StreamBuilder()
    build.start()
    item_id = message(build, "Hel")
    build.finish(item_id, "incomplete")
    build.begin_call(again=True)
    build.finish(build.add_item("message", "msg", message_content=[], supersedes=item_id))
    check(build.events)
    check(build.events[-2:], resumed_after=len(build.events) - 3)


def test_a_stream_that_begins_in_the_middle_of_an_item_is_taken_on_trust() -> None:
    ids = {"item_id": "msg_1", "agent_step": 4}
    audio = {"type": "audio", "input_audio": {"data": "QUJDREVG", "format": "wav"}}
    item = {"type": "message", "id": "msg_1", "message_content": [audio], "status": "completed"}
    rest: list[Event] = [
        {"type": "task.audio.delta", **ids, "delta": "REVG"},
        {"type": "task.audio.done", **ids},
        {"type": "task.content_part.done", **ids, "content_index": 0, "part": audio},
        {"type": "task.output_item.done", "agent_step": 4, "item": item},
    ]
    check(
        [{"task_id": "task_1", "sequence_number": n} | event for n, event in enumerate(rest, 30)],
        resumed_after=29,
    )
