"""The fold at its edges: where a log begins, snapshots, what is missing, what is new."""

from typing import Any

import pytest

from agentlin_client.types.fold import FoldError, TaskFold
from tests.types.breaking import message, put
from tests.types.stream_builder import TIMESTAMP, Event, StreamBuilder, rollout, usage
from tests.types.streams import simple_stream


def started() -> StreamBuilder:
    build = StreamBuilder()
    build.start()
    return build


def snapshot_event(task: dict[str, Any], number: int) -> Event:
    return {
        "type": "task.snapshot",
        "task_id": "task_1",
        "sequence_number": number,
        "timestamp": TIMESTAMP,
        "task": task,
        "reason": "retention",
    }


def test_a_snapshot_event_replaces_everything_also_backwards() -> None:
    events = simple_stream("Hel", "lo")
    earlier = TaskFold()
    for event in events[:6]:
        earlier.apply(event)
    fold = TaskFold()
    for event in events:
        fold.apply(event)
    final = fold.snapshot()
    fold.apply(snapshot_event(earlier.snapshot(), 5))
    assert fold.sequence_number == 5
    assert fold.snapshot() == earlier.snapshot()
    for event in events:
        fold.apply(event)
    assert fold.snapshot() == final


def test_a_log_may_begin_with_a_snapshot_whose_number_is_the_event_s() -> None:
    task = started().snapshot()
    del task["sequence_number"]
    fold = TaskFold()
    fold.apply(snapshot_event(task, 41))
    assert fold.snapshot()["sequence_number"] == 41


def test_a_base_without_a_number_takes_the_log_from_the_start() -> None:
    fold = TaskFold({"id": "task_1", "sequence_number": None})
    assert (fold.status, fold.sequence_number) == ("created", -1)
    events = simple_stream("Hi")
    for event in events:
        fold.apply(event)
    assert fold.status == "completed"


def test_a_base_keeps_its_rollouts_usage_and_fields_of_a_newer_server() -> None:
    build = started()
    build.finish(message(build, "Hi"), usage=usage())
    build.emit("task.rollout", **rollout(1, is_answer=True))
    task = build.fold.snapshot() | {"mood": "good", "pause_requested": True}
    assert TaskFold(task).snapshot() == task


def test_open_items_of_a_base_grow_on_whatever_form_their_content_has() -> None:
    output = [
        {"type": "message", "role": "assistant", "message_content": "He", "status": "in_progress"},
        {"type": "message", "id": "msg_2", "message_content": ["He"], "status": "in_progress"},
    ]
    fold = TaskFold({"id": "t", "status": "working", "output": output, "sequence_number": 9})
    assert fold.snapshot()["output"] == output
    assert [(item.id, item.agent_step) for item in fold.open_items()] == [("#0", 0), ("msg_2", 0)]
    for number, item_id in enumerate(("#0", "msg_2"), 10):
        ids = {"item_id": item_id, "agent_step": 1, "content_index": 0}
        delta = {"type": "task.text.delta", "task_id": "t", "delta": "y", "logprobs": []}
        fold.apply(delta | ids | {"sequence_number": number})
    contents = [item["message_content"] for item in fold.snapshot()["output"]]
    assert contents == [[{"type": "text", "text": "Hey"}]] * 2


def test_parts_without_a_text_field_stay_without_until_they_have_text() -> None:
    build = started()
    item_id = message(build)
    build.add_part(item_id, 1, {"type": "hologram", "size": 3})
    assert build.open_item(item_id).parts[1].part == {"type": "hologram", "size": 3}
    build.text(item_id, "x", index=1)
    assert build.open_item(item_id).parts[1].part == {"type": "hologram", "size": 3, "text": "x"}


def test_a_part_added_again_begins_anew() -> None:
    build = started()
    item_id = message(build, "Hel")
    build.add_part(item_id)
    assert build.open_item(item_id).parts[0].part["text"] == ""


def test_a_file_that_grows_only_in_its_done_part_is_taken() -> None:
    build = started()
    item_id = message(build)
    build.finish(item_id)
    done = build.events[-2]
    assert done["type"] == "task.content_part.done"
    fresh = StreamBuilder()
    fresh.start()
    fresh_id = message(fresh)
    file = {"type": "file", "file": {"file_url": "u", "filename": "f", "file_data": "QUJD"}}
    fresh.emit(**{k: v for k, v in done.items() if k not in _STAMPS}, kind=done["type"], part=file)
    assert fresh.fold.snapshot()["output"][0]["message_content"] == [file]
    assert fresh.open_item(fresh_id).parts == ()


_STAMPS = frozenset({"type", "task_id", "sequence_number", "part"})


def test_a_pause_that_took_effect_or_came_too_late_is_no_longer_requested() -> None:
    for status in ("paused", "canceled"):
        build = started()
        fold = TaskFold(build.fold.snapshot() | {"pause_requested": True})
        build.emit("task.queued")
        build.emit("task.working")
        for event in build.events:
            fold.apply(event)
        assert fold.snapshot()["pause_requested"] is True
        fold.apply(build.emit(f"task.{status}"))
        assert fold.snapshot()["pause_requested"] is False


def test_a_created_event_without_a_task_gives_id_and_time() -> None:
    fold = TaskFold()
    created = {"type": "task.created", "task_id": "task_1", "sequence_number": 0}
    fold.apply(created | {"timestamp": "1970-01-01T00:01:00Z"})
    task = fold.snapshot()
    assert (task["id"], task["created_at"], task["object"]) == ("task_1", 60, "task")
    untimed = TaskFold()
    untimed.apply(created)
    assert untimed.snapshot()["created_at"] is None


def test_an_item_that_is_done_without_having_been_added_is_taken_as_it_is() -> None:
    build = started()
    item = {"type": "tool_result", "id": "tr_1", "call_id": "c", "message_content": "42"}
    build.emit("task.output_item.done", agent_step=1, item=item | {"status": "completed"})
    assert build.fold.snapshot()["output"] == [item | {"status": "completed"}]
    assert build.fold.open_items() == []


def test_an_event_of_an_unknown_type_counts_and_changes_nothing_else() -> None:
    build = started()
    before = build.fold.snapshot()
    build.emit("task.mood", mood="good")
    assert build.fold.snapshot() == before | {"sequence_number": 3}


def test_an_unknown_item_keeps_its_data_and_its_parts_are_its_content() -> None:
    build = started()
    build.begin_call()
    item_id = build.add_item("dance", "dn", figure="turn")
    build.add_part(item_id, 0, {"type": "text", "text": ""})
    (item,) = build.fold.snapshot()["output"]
    assert item == {
        "type": "dance",
        "id": item_id,
        "status": "in_progress",
        "figure": "turn",
        "content": [{"type": "text", "text": ""}],
    }


def test_the_middle_of_a_log_alone_can_t_be_folded() -> None:
    with pytest.raises(FoldError, match=r"event 1 .*does not start at task.created"):
        TaskFold().apply(simple_stream()[1])
    with pytest.raises(FoldError, match="no event yet"):
        TaskFold().snapshot()


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("task.text.delta", {"item_id": "msg_9", "content_index": 0, "delta": "x"}),
        ("task.text.delta", {"item_id": "msg_1", "content_index": 1, "delta": "x"}),
        ("task.text.delta", {"item_id": "msg_1", "content_index": 0}),
        ("task.text.delta", {"item_id": "msg_1", "content_index": "0", "delta": "x"}),
        ("task.content_part.added", {"item_id": "msg_1", "content_index": 2, "part": {}}),
        ("task.output_item.done", {"item": None}),
        ("task.rollout", {"sequence_number": None}),
    ],
)
def test_what_was_never_added_or_is_missing_is_an_error(kind: str, fields: Event) -> None:
    build = started()
    message(build)
    put(build, kind, **fields)
    number = build.fold.sequence_number
    with pytest.raises(FoldError, match=r"missing, mistyped or never added"):
        build.fold.apply(build.events[-1])
    assert build.fold.sequence_number == number
