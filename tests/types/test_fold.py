"""The fold: what the events of a task add up to."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlin_client.types.fold import TaskFold
from tests.types.breaking import call, message, put
from tests.types.stream_builder import Event, StreamBuilder, ask, error, rollout, usage
from tests.types.streams import simple_stream, valid_streams


def folded(events: list[Event], base: dict[str, Any] | None = None) -> TaskFold:
    fold = TaskFold(base)
    for event in events:
        fold.apply(event)
    return fold


def started() -> StreamBuilder:
    build = StreamBuilder()
    build.start()
    return build


@given(valid_streams(), st.data())
def test_a_snapshot_and_the_rest_fold_to_the_same_bytes(
    events: list[Event], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(1, len(events)))
    base = json.loads(json.dumps(folded(events[:cut]).snapshot()))
    overlap = data.draw(st.integers(0, cut))
    resumed = folded(events[overlap:], base)
    assert json.dumps(resumed.snapshot()) == json.dumps(folded(events).snapshot())


@given(valid_streams(), st.data())
def test_a_later_event_changes_no_snapshot_and_no_event(
    events: list[Event], data: st.DataObject
) -> None:
    before = copy.deepcopy(events)
    cut = data.draw(st.integers(1, len(events)))
    fold = folded(events[:cut])
    snapshot = fold.snapshot()
    kept = copy.deepcopy(snapshot)
    for event in events[cut:]:
        fold.apply(event)
        fold.snapshot()
    assert snapshot == kept
    assert events == before


@given(valid_streams())
def test_the_final_task_is_what_deltas_and_dones_say(events: list[Event]) -> None:
    fold = folded(events)
    task = fold.snapshot()
    assert task["sequence_number"] == len(events) - 1 == fold.sequence_number
    assert fold.is_final != fold.is_resting
    assert not fold.open_items()
    assert {item["status"] for item in task["output"]} <= {"completed", "incomplete"}
    deltas: dict[tuple[str, str, int], str] = {}
    for event in events:
        if event["type"] in ("task.text.delta", "task.reasoning_text.delta"):
            key = (event["item_id"], "content", event["content_index"])
        elif event["type"] == "task.reasoning_summary_text.delta":
            key = (event["item_id"], "summary", event["summary_index"])
        else:
            continue
        deltas[key] = deltas.get(key, "") + event["delta"]
    for item in task["output"]:
        content = "message_content" if item["type"] == "message" else "content"
        for place, field in (("content", content), ("summary", "summary")):
            for index, part in enumerate(_texts(item, field)):
                assert part == deltas.get((item["id"], place, index), "")


def _texts(item: dict[str, Any], field: str) -> list[str]:
    if item["type"] not in ("message", "reasoning"):
        return []
    return [part["text"] for part in item.get(field) or () if "text" in part]


@given(valid_streams())
def test_every_prefix_shows_open_items_in_progress(events: list[Event]) -> None:
    fold = TaskFold()
    for event in events:
        fold.apply(event)
        in_progress = [i["id"] for i in fold.snapshot()["output"] if i["status"] == "in_progress"]
        assert [item.id for item in fold.open_items()] == in_progress


def test_the_keys_come_in_the_documented_order() -> None:
    build = StreamBuilder()
    build.create(forked_from="task_0")
    build.emit("task.rollout", **rollout(1, is_answer=True))
    assert list(build.fold.snapshot()) == [
        "id",
        "object",
        "created_at",
        "status",
        "session_id",
        "user_id",
        "output",
        "error",
        "input_required",
        "metadata",
        "previous_task_id",
        "rollouts",
        "usage",
        "user_message_content",
        "input_required_call_ids",
        "pause_requested",
        "sequence_number",
        "forked_from",
    ]


def test_open_items_tell_what_is_needed_to_close_them() -> None:
    build = started()
    build.begin_call()
    reasoning = build.add_reasoning()
    build.add_summary(reasoning)
    build.text(reasoning, "so", place="summary")
    build.add_part(reasoning)
    build.text(reasoning, "Hm", "m")
    ids = {"item_id": reasoning, "agent_step": 1, "content_index": 0}
    build.emit("task.reasoning_text.done", **ids, text="Hmm")
    tool_call = build.add_call(call_id="call_1")
    build.arguments(tool_call, "{")
    ids = {"item_id": tool_call, "agent_step": 1, "call_id": "call_1"}
    build.emit("task.tool_call_arguments.done", **ids, arguments="{")
    first, second = build.fold.open_items()
    assert (first.id, first.type, first.agent_step) == (reasoning, "reasoning", 1)
    assert [(p.place, p.index, p.part["text"], p.text_done) for p in first.parts] == [
        ("content", 0, "Hmm", True),
        ("summary", 0, "so", False),
    ]
    assert (first.value_done, second.value_done) == (False, True)
    assert second.item["arguments"] == "{"
    assert first.item["status"] == second.item["status"] == "in_progress"


def test_the_last_done_of_an_item_counts() -> None:
    build = started()
    item_id = message(build, "Hi")
    build.finish(item_id)
    build.spoil(item_id)
    (item,) = build.fold.snapshot()["output"]
    assert (item["status"], item["message_content"][0]["text"]) == ("incomplete", "Hi")


def test_usage_is_null_until_the_first_call_reports_it() -> None:
    build = started()
    build.finish(message(build, "Hi"))
    assert build.fold.snapshot()["usage"] is None


def test_usage_sums_calls_repeats_and_compressions_and_counts_tools() -> None:
    build = started()
    build.finish(message(build), "incomplete", usage=usage(1, 10, estimated=True))
    build.begin_call(again=True)
    tool_call = build.add_call(call_id="call_1")
    build.finish(tool_call, usage=usage(2, 20))
    build.finish(build.add_result("call_1"), "incomplete")
    build.finish(build.add_result("call_1"))
    build.emit("task.context_compression.completed", usage=usage(3, 30))
    build.emit("task.context_compression.completed")
    build.begin_call()
    build.finish(build.add_message(), usage={"input_tokens": 4, "output_tokens": 40})
    expected = {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 100,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 110,
        "model_calls": 4,
        "tool_calls": 1,
        "estimated": True,
    }
    assert build.fold.snapshot()["usage"] == expected


def test_a_call_that_reports_its_usage_twice_counts_once() -> None:
    build = started()
    item_id = message(build)
    build.finish(item_id, usage=usage(1, 1))
    done = build.events[-1]
    put(build, **{**done, "kind": done["type"], "sequence_number": 99, "usage": usage(5, 5)})
    build.fold.apply(build.events[-1])
    task_usage = build.fold.snapshot()["usage"]
    assert (task_usage["total_tokens"], task_usage["model_calls"]) == (10, 1)


def test_usage_goes_on_from_a_base() -> None:
    build = started()
    build.finish(message(build), usage=usage(1, 1, estimated=True))
    resumed = TaskFold(build.fold.snapshot())
    build.begin_call()
    build.finish(build.add_message(), usage=usage(2, 2))
    for event in build.events:
        resumed.apply(event)
    assert resumed.snapshot() == build.fold.snapshot()
    assert resumed.snapshot()["usage"]["model_calls"] == 2


def test_input_required_lasts_until_the_task_goes_on() -> None:
    build = started()
    build.finish(call(build, "{}"))
    ask(build, "call_1")
    task = build.fold.snapshot()
    assert task["input_required"]["call_id"] == "call_1"
    assert task["input_required_call_ids"] == ["call_1"]
    assert build.fold.is_resting
    assert not build.fold.is_final
    build.emit("task.queued")
    task = build.fold.snapshot()
    assert task["input_required"] is None
    assert task["input_required_call_ids"] == []


def test_input_required_without_the_extension_means_its_one_call() -> None:
    build = started()
    item = {"type": "tool_call", "call_id": "call_1", "name": "ask", "arguments": "{}"}
    build.emit("task.input_required", input_required=item)
    assert build.fold.snapshot()["input_required_call_ids"] == ["call_1"]


@pytest.mark.parametrize("status", ["failed", "expired"])
def test_the_error_is_that_of_the_final_event(status: str) -> None:
    build = started()
    build.emit(f"task.{status}", error=error())
    assert build.fold.snapshot()["error"] == error()
    assert build.fold.status == status
    assert build.fold.is_final


def test_a_snapshot_in_a_later_event_is_not_copied() -> None:
    events = simple_stream("Hi")
    lie = {**events[-1], "task": {"id": "?", "status": "failed", "output": []}}
    assert folded([*events[:-1], lie]).snapshot() == folded(events).snapshot()


def test_rollouts_are_kept_without_the_fields_of_the_event() -> None:
    build = started()
    assert "rollouts" not in build.fold.snapshot()
    build.emit("task.rollout", **rollout(1, is_answer=True))
    assert build.fold.snapshot()["rollouts"] == [
        {"task_id": "task_1", **rollout(1, is_answer=True)}
    ]


def test_adjacent_text_of_a_tool_result_is_merged() -> None:
    build = started()
    build.finish(call(build))
    item_id = build.add_result("call_1")
    image = {"type": "image", "image_url": {"url": "data:,"}}
    build.result(item_id, [{"type": "text", "text": "4"}], [{"type": "text", "text": "a"}])
    build.result(item_id, [], [{"type": "chart"}, 3])
    build.result(item_id, [{"type": "text", "text": "2"}, image], [{"type": "chart"}])
    build.result(item_id, "fin", [{"type": "text", "text": "b", "id": 1}])
    build.result(item_id, ["ish"])
    for _ in range(2):  # reading changes nothing
        item = build.open_item(item_id).item
        assert item["message_content"] == [{"type": "text", "text": "42"}, image, "finish"]
        assert item["block_list"] == [
            {"type": "text", "text": "a"},
            {"type": "chart"},
            3,
            {"type": "chart"},
            {"type": "text", "text": "b", "id": 1},
        ]


def test_logprobs_grow_with_the_text_and_the_done_sets_them() -> None:
    build = started()
    ids = {"item_id": message(build), "agent_step": 1, "content_index": 0}
    first, second = ({"token": t, "bytes": [], "logprob": -1.0, "top_logprobs": []} for t in "ab")
    build.emit("task.text.delta", **ids, delta="a", logprobs=[first])
    build.emit("task.text.delta", **ids, delta="b", logprobs=[second])
    (part,) = build.fold.snapshot()["output"][0]["message_content"]
    assert (part["text"], part["logprobs"]) == ("ab", [first, second])
    build.emit("task.text.done", **ids, text="ab", logprobs=[second])
    (part,) = build.fold.snapshot()["output"][0]["message_content"]
    assert part["logprobs"] == [second]


def test_audio_and_files_grow_and_previews_of_images_do_not() -> None:
    build = started()
    item_id = message(build)
    ids = {"item_id": item_id, "agent_step": 1}
    build.add_part(item_id, 1, {"type": "audio", "input_audio": {"data": "", "format": "wav"}})
    build.add_part(item_id, 2, {"type": "file", "file": {"file_url": "", "filename": "f"}})
    build.add_part(item_id, 3, {"type": "image", "image_url": {"url": "data:,"}})
    for data in ("QUJD", "REVG"):
        build.emit("task.audio.delta", **ids, delta=data)
        build.emit("task.file.delta", **ids, partial_file_b64=data, partial_file_index=0)
        build.emit("task.image.delta", **ids, partial_image_b64=data, partial_image_index=0)
    _, audio, file, image = build.fold.snapshot()["output"][0]["message_content"]
    assert audio["input_audio"]["data"] == "QUJDREVG"
    assert file["file"]["file_data"] == "QUJDREVG"
    assert image == {"type": "image", "image_url": {"url": "data:,"}}
    build.finish(item_id)
    assert build.fold.snapshot()["output"][0]["message_content"][2] == file


def test_media_without_a_part_is_let_go() -> None:
    build = started()
    ids = {"item_id": message(build), "agent_step": 1}
    before = build.fold.snapshot()["output"]
    build.emit("task.audio.delta", **ids, delta="QUJD")
    build.emit("task.file.delta", **ids, partial_file_b64="QUJD", partial_file_index=0)
    assert build.fold.snapshot()["output"] == before
