"""TaskAccumulator: typed events in, the task so far out, worked out only when asked for."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlin_client._lenient import construct
from agentlin_client.lib import TaskAccumulator
from agentlin_client.lib import accumulator as accumulator_module
from agentlin_client.types import AgentTaskEvent, TaskObject, TaskTextDeltaEvent
from agentlin_client.types.fold import TaskFold
from tests.sdk.task_streams import typed
from tests.types.stream_builder import Event, StreamBuilder, rollout
from tests.types.streams import simple_stream, valid_streams


def accumulated(events: list[Event], base: TaskObject | None = None) -> TaskAccumulator:
    accumulator = TaskAccumulator(base)
    for event in typed(events):
        accumulator.add(event)
    return accumulator


def folded(events: list[Event]) -> dict[str, Any]:
    fold = TaskFold()
    for event in events:
        fold.apply(event)
    return fold.snapshot()


def shown(accumulator: TaskAccumulator) -> dict[str, Any]:
    assert accumulator.task is not None
    return accumulator.task.to_dict(mode="json")


@given(valid_streams(), st.data())
def test_the_task_is_the_fold_of_the_events_whenever_it_is_asked_for(
    events: list[Event], data: st.DataObject
) -> None:
    accumulator = TaskAccumulator()
    fold = TaskFold()
    for event in events:
        accumulator.add(typed([event])[0])
        fold.apply(event)
        if data.draw(st.booleans()):
            assert shown(accumulator) == fold.snapshot()
    assert shown(accumulator) == fold.snapshot()
    assert accumulator.status == fold.status
    assert accumulator.is_final == fold.is_final
    assert accumulator.is_at_rest == (fold.is_final or fold.is_resting)
    assert accumulator.sequence_number == fold.sequence_number


@given(valid_streams(), st.data())
def test_a_retrieved_task_and_a_stream_that_overlaps_it_fit_together(
    events: list[Event], data: st.DataObject
) -> None:
    seen = data.draw(st.integers(1, len(events)))
    start = data.draw(st.integers(0, seen))
    base = TaskObject.model_validate(folded(events[:seen]))
    accumulator = accumulated(events[start:], base)
    expected = folded(events)
    # Which calls of a model a usage belongs to is not in a snapshot: a call that broke off and
    # reports again counts anew, as for everyone who begins with a snapshot.
    expected.pop("usage")
    result = shown(accumulator)
    result.pop("usage")
    assert result == expected
    assert accumulator.status == expected["status"]


def test_before_the_first_event_there_is_no_task() -> None:
    accumulator = TaskAccumulator()
    assert accumulator.task is None
    assert accumulator.task_id is None
    assert accumulator.status is None
    assert accumulator.text == ""
    assert not accumulator.is_at_rest
    assert accumulator.sequence_number == -1


def test_a_base_is_the_task_until_an_event_comes() -> None:
    base = TaskObject.model_validate(folded(simple_stream("Hi")))
    accumulator = TaskAccumulator(base)
    assert accumulator.task is base
    assert (accumulator.task_id, accumulator.status) == (base.id, "completed")
    assert accumulator.text == "Hi"


def test_the_same_task_is_returned_until_the_next_event() -> None:
    events = typed(simple_stream("a", "b"))
    accumulator = TaskAccumulator()
    accumulator.add(events[0])
    first = accumulator.task
    assert accumulator.task is first
    accumulator.add(events[0])  # known already
    assert accumulator.task is first
    accumulator.add(events[1])
    assert accumulator.task is not first


def test_nothing_is_folded_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: AgentTaskEvent, **options: object) -> dict[str, Any]:
        raise AssertionError("an event was converted")

    monkeypatch.setattr(TaskTextDeltaEvent, "to_dict", refuse)
    accumulator = accumulated(simple_stream("a", "b"))
    assert accumulator.status == "completed"
    assert accumulator.task_id == "task_1"
    # Deltas are folded as they are, without a conversion.
    assert accumulator.text == "ab"


def test_events_are_not_kept_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accumulator_module, "_PENDING_MAX", 3)
    events = simple_stream(*"abcdefgh")
    accumulator = TaskAccumulator()
    for event in typed(events):
        accumulator.add(event)
        assert len(accumulator._pending) < 3
    assert shown(accumulator) == folded(events)


def test_log_probabilities_of_deltas_are_folded_too() -> None:
    logprob = {"token": "a", "bytes": [97], "logprob": -0.5, "top_logprobs": []}
    events = simple_stream("a", "b")
    events = [e | {"logprobs": [logprob]} if e["type"] == "task.text.delta" else e for e in events]
    last = next(n for n, e in enumerate(events) if e["type"] == "task.text.done")
    assert shown(accumulated(events[:last])) == folded(events[:last])


def test_unknown_fields_and_rollouts_survive() -> None:
    build = StreamBuilder()
    build.create(mood="good")
    build.emit("task.working")
    build.emit("task.tools_updated", tools=[])
    build.begin_call()
    item = build.add_item("message", "msg", role="assistant", message_content=[], colour="red")
    build.add_part(item)
    build.text(item, "Hi")
    build.finish(item)
    build.emit("task.rollout", **rollout(1, is_answer=True), extra={"a": [1]})
    build.emit("task.completed")
    accumulator = accumulated(build.events)
    task = accumulator.task
    assert task is not None
    assert shown(accumulator) == folded(build.events)
    assert (task.model_extra or {})["mood"] == "good"
    assert (task.output[0].model_extra or {})["colour"] == "red"
    assert [entry["extra"] for entry in task.rollouts or ()] == [{"a": [1]}]


def test_a_snapshot_stands_for_what_was_missed() -> None:
    events = simple_stream("a", "b")
    whole = folded(events)
    snapshot = {
        "type": "task.snapshot",
        "task_id": "task_1",
        "sequence_number": whole["sequence_number"],
        "timestamp": "2026-11-23T18:00:00Z",
        "task": whole,
        "reason": "compacted",
    }
    for before in ([], events[:4]):
        accumulator = accumulated([*before, snapshot])
        assert shown(accumulator) == whole
        assert accumulator.status == "completed"


@pytest.mark.parametrize("start", [6, -1])
def test_events_from_the_middle_show_the_task_as_soon_as_one_event_does(start: int) -> None:
    events = simple_stream("a", "b")
    accumulator = accumulated(events[start:-1])
    assert accumulator.task is None
    accumulator.add(typed(events)[-1])
    assert accumulator.task_id == "task_1"
    assert shown(accumulator) == folded(events)


def test_an_event_that_does_not_fit_is_passed_over() -> None:
    events = simple_stream("a", "b", "c")
    lost = next(n for n, e in enumerate(events) if e["type"] == "task.content_part.added")
    accumulator = accumulated(events[:lost] + events[lost + 1 : -1])
    assert accumulator.task is not None
    assert accumulator.task.status == "working"
    assert accumulator.text == "abc"  # the item's done has it all


def test_a_fold_that_lacks_something_is_put_right_by_the_next_event_that_shows_all() -> None:
    build = StreamBuilder()
    build.start()
    build.begin_call()
    build.finish(build.add_call(call_id="call_1"))
    result = build.add_result("call_1")
    build.result(result, "18")
    build.finish(result)
    build.emit("task.paused")
    begins, ends = "task.output_item.added", "task.output_item.done"
    partial = [
        e for e in build.events if e["type"] not in (begins, ends) or e["item"]["id"] != result
    ]
    build.emit("task.queued")
    build.emit("task.working")
    accumulator = accumulated(partial[:-1])
    assert accumulator.task is not None
    assert len(accumulator.task.output) == 1
    for event in typed([*partial[-1:], *build.events[-2:]]):
        accumulator.add(event)
    assert shown(accumulator) == folded(build.events)
    # An event that fits does not hide that others did not.
    late = accumulated([*partial[:-1], *build.events[-2:]])
    assert late.task is not None
    assert len(late.task.output) == 1
    build.emit("task.completed")
    late.add(typed(build.events)[-1])
    assert shown(late) == folded(build.events)


@pytest.mark.parametrize(
    "event",
    [
        {"type": "task.text.delta", "task_id": "task_1", "sequence_number": 5.5, "delta": 7},
        {"type": "task.content_part.added"},
        {"type": "task.snapshot", "task": "none"},
        {"type": "task.snapshot", "task": {"status": "working"}},
        {"type": "task.output_item.added", "sequence_number": 5, "item": "none"},
    ],
)
def test_events_of_a_lenient_client_break_nothing(event: Event) -> None:
    accumulator = accumulated(simple_stream("a", "b")[:5])
    odd = construct(AgentTaskEvent, event)
    accumulator.add(odd)
    assert accumulator.text_delta(odd) is None
    assert accumulator.task is not None
    assert accumulator.text == ""
    last = {"type": "task.completed", "task": folded(simple_stream("a", "b"))}
    accumulator.add(construct(AgentTaskEvent, last))
    assert accumulator.is_final
    assert accumulator.task is not None
    assert accumulator.task.status == "completed"


def test_an_invalid_task_is_a_task_all_the_same() -> None:
    events = simple_stream("a")
    events[0]["task"]["created_at"] = "yesterday"
    accumulator = TaskAccumulator()
    for event in events:
        accumulator.add(construct(AgentTaskEvent, event))
    task = accumulator.task
    assert task is not None
    assert task.created_at == "yesterday"
    assert accumulator.text == "a"


def test_half_a_surrogate_pair_is_kept_until_its_other_half_comes() -> None:
    events = simple_stream("\ud83d", "\ude00")
    accumulator = TaskAccumulator()
    for event in events:
        accumulator.add(construct(AgentTaskEvent, event))
        assert accumulator.task is not None
    assert accumulator.text == "\ud83d\ude00"


def test_the_text_so_far_is_that_of_the_last_model_call() -> None:
    build = StreamBuilder()
    build.start()
    build.begin_call()
    message = build.add_message()
    build.add_part(message)
    build.text(message, "Let me ", "look.")
    assert accumulated(build.events).text == "Let me look."
    build.finish(message)
    call = build.add_call(call_id="call_1")
    build.finish(call)
    assert accumulated(build.events).text == "Let me look."
    build.finish(build.add_result("call_1"))
    assert accumulated(build.events).text == ""
    build.begin_call()
    message = build.add_message()
    build.add_part(message)
    build.text(message, "It is ")
    assert accumulated(build.events).text == "It is "
    build.finish(message, "incomplete")
    assert accumulated(build.events).text == "It is "
    build.begin_call(again=True)
    message = build.add_message()
    assert accumulated(build.events).text == ""
    build.add_part(message)
    build.text(message, "18.")
    build.close_all()
    build.emit("task.canceled")
    assert accumulated(build.events).text == "18."


def test_deltas_of_a_refusal_are_not_text() -> None:
    build = StreamBuilder()
    build.start()
    build.begin_call()
    message = build.add_message()
    build.add_part(message, 0)
    build.add_part(message, 1, {"type": "refusal", "text": ""})
    build.text(message, "Well. ", index=0)
    build.text(message, "I can't.", index=1)
    accumulator = TaskAccumulator()
    deltas: list[str | None] = []
    for event in typed(build.events):
        accumulator.add(event)
        deltas.append(accumulator.text_delta(event))
    assert [delta for delta in deltas if delta is not None] == ["Well. "]
    assert accumulator.text == "Well. "
    assert accumulator.refusal == "I can't."
    assert accumulated(simple_stream("Well.")).refusal is None
    assert TaskAccumulator().refusal is None
