"""Text that a model says anew after its call broke off: a reader is shown it once."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlin_client._lenient import construct
from agentlin_client.lib._told import ToldText
from agentlin_client.lib.accumulator import TaskAccumulator
from agentlin_client.testing import FakeServer, cut, say, think
from agentlin_client.types import AgentTaskEvent
from tests.sdk.task_streams import Face, typed
from tests.types.stream_builder import Event, StreamBuilder, usage

pieces = st.lists(st.text(alphabet="ab", max_size=3), max_size=5)


class Log(StreamBuilder):
    """A task whose model calls break off."""

    def __init__(self) -> None:
        super().__init__()
        self.start()
        self.begin_call()

    def say(self, *deltas: str, **fields: Any) -> str:
        """Begin a message and let it grow."""
        message = self.add_item("message", "msg", role="assistant", message_content=[], **fields)
        self.add_part(message)
        self.text(message, *deltas)
        return message

    def break_off(self) -> None:
        """Crash, and begin the call anew."""
        self.close_all()
        self.begin_call(again=True)

    def end(self, message: str, status: str = "completed") -> list[Event]:
        """End the call, and the task."""
        self.finish(message, usage=usage())
        self.emit(f"task.{status}")
        return self.events


def told(events: list[Event]) -> tuple[list[str], bool]:
    """Return what a reader is told of a log, and whether it was told anew."""
    text, task = ToldText(), TaskAccumulator()
    pieces: list[str] = []
    for event in typed(events):
        task.add(event)
        if (piece := text.take(event, task.text_delta(event))) is not None:
            pieces.append(piece)
    return pieces, text.was_restarted


@pytest.mark.parametrize(
    ("first", "second", "pieces"),
    [
        (["One t"], ["One two"], ["One t", "wo"]),
        (["One ", "two"], ["One ", "two ", "three"], ["One ", "two", " ", "three"]),
        (["One"], ["O", "n", "e"], ["One"]),
        ([], ["One"], ["One"]),
        (["One two"], ["One ", "tree"], ["One two", "\n\nOne tree"]),
        (["One ", "two"], ["Two", " three"], ["One ", "two", "\n\nTwo", " three"]),
        (["One two"], ["One"], ["One two", "\n\nOne"]),
        (["One"], [], ["One", "\n\n"]),
    ],
)
def test_only_what_goes_beyond_the_attempt_before_is_told(
    first: list[str], second: list[str], pieces: list[str]
) -> None:
    log = Log()
    replaced = log.say(*first)
    log.break_off()
    assert told(log.end(log.say(*second, supersedes=replaced))) == (
        pieces,
        any(piece.startswith("\n\n") for piece in pieces),
    )


@given(pieces, pieces, pieces)
def test_what_was_told_since_the_last_new_start_is_what_the_last_attempt_said(
    first: list[str], second: list[str], third: list[str]
) -> None:
    log = Log()
    log.say(*first)
    log.break_off()
    log.say(*second)
    log.break_off()
    parts, was_restarted = told(log.end(log.say(*third)))
    text = "".join(parts)
    assert text.rpartition("\n\n")[2] == "".join(third)
    assert was_restarted == ("\n\n" in text)


def test_an_attempt_that_breaks_off_while_it_repeats_is_no_news() -> None:
    log = Log()
    log.say("One two")
    log.break_off()
    log.say("One")
    log.break_off()
    assert told(log.end(log.say("One two three"))) == (["One two", " three"], False)


@pytest.mark.parametrize("status", ["failed", "canceled", "expired"])
def test_a_task_that_is_stopped_while_it_repeats_has_said_what_was_told(status: str) -> None:
    log = Log()
    log.say("One two")
    log.break_off()
    log.say("One")
    log.close_all()
    log.emit(
        f"task.{status}", **({"error": {"code": 1, "message": "m"}} if status == "failed" else {})
    )
    assert told(log.events) == (["One two"], False)


def test_an_attempt_that_has_fewer_items_than_the_one_before_is_told_once_too() -> None:
    log = Log()
    log.finish(reasoning := log.add_reasoning())
    log.say("One")
    log.close_all()
    log.spoil(reasoning)
    log.begin_call(again=True)
    events = log.end(log.say("One two", supersedes=reasoning))
    assert told(events) == (["One", " two"], False)
    task = TaskAccumulator()
    for event in typed(events):
        task.add(event)
    assert task.text == "One two"


def test_an_attempt_that_calls_a_tool_instead_leaves_a_gap() -> None:
    log = Log()
    log.say("One")
    log.break_off()
    log.finish(log.add_call(call_id="call_1"))
    log.finish(log.add_result("call_1"))
    log.begin_call()
    assert told(log.end(log.say("Two"))) == (["One", "\n\n", "Two"], True)


def test_two_model_calls_may_say_the_same() -> None:
    log = Log()
    log.finish(log.say("One"))
    log.finish(log.add_call(call_id="call_1"))
    log.finish(log.add_result("call_1"))
    log.begin_call()
    assert told(log.end(log.say("One"))) == (["One", "One"], False)


def test_what_the_call_before_left_open_is_told_when_the_next_begins() -> None:
    log = Log()
    log.say("One two")
    log.break_off()
    log.finish(log.say("One"))  # and no usage, that would show it to be the last
    log.begin_call()
    assert told(log.end(log.say("Three"))) == (["One two", "\n\nOne", "Three"], True)


def snapshot(log: Log, *, without: str = "", cut_to: str | None = None) -> Event:
    """Return task.snapshot in the place of what has happened, some of it lost."""
    task = log.snapshot()
    task["output"] = [item for item in task["output"] if item["id"] != without]
    if cut_to is not None:
        task["output"][-1]["message_content"][0]["text"] = cut_to
    last = {"task_id": "task_1", "sequence_number": len(log.events), "timestamp": "", "reason": ""}
    return {"type": "task.snapshot", **last, "task": task}


@pytest.mark.parametrize(
    ("known", "then", "pieces"),
    [
        ("One two", " three", ["One two", " three"]),
        ("One", " two", ["One two"]),
        ("One two th", "ree", ["One two", " th", "ree"]),
        ("Two", " three", ["One two", "\n\nTwo", " three"]),
    ],
)
def test_text_that_was_lost_is_told_once_though_it_is_said_again(
    known: str, then: str, pieces: list[str]
) -> None:
    log = Log()
    log.say("One two")
    lost = snapshot(log, cut_to=known)
    delta = log.events[-1] | {"delta": then, "sequence_number": len(log.events) + 1}
    assert told([*log.events, lost, delta]) == (pieces, known == "Two")


def test_a_message_whose_beginning_was_lost_is_told_once() -> None:
    log = Log()
    message = log.say("One t")
    lost = snapshot(log, without=message)
    again = Log()
    again.say("One two")
    events = [*log.events, lost, *again.events[3:]]
    for number, event in enumerate(events):
        event["sequence_number"] = number
    assert told(events) == (["One t", "wo"], False)


def test_a_stream_that_begins_in_the_middle_of_a_message_is_told_once() -> None:
    log = Log()
    log.say("One ", "two")
    log.break_off()
    events = log.end(log.say("two three"))
    middle = next(i for i, event in enumerate(events) if event.get("delta") == "two")
    assert told(events[middle:]) == (["two", " three"], False)


@pytest.mark.parametrize(
    "event",
    [
        {"type": "task.output_item.added", "item": "none"},
        {"type": "task.output_item.done", "item": None, "usage": {}},
        {"type": "task.snapshot", "task": "none"},
        {"type": "task.snapshot", "task": {"output": 5}},
        {"type": "task.snapshot", "task": {"output": ["none", {"type": "message"}]}},
        {"type": "task.text.delta"},
    ],
)
def test_events_of_a_lenient_client_break_nothing(event: Event) -> None:
    text = ToldText()
    assert text.take(construct(AgentTaskEvent, event), None) is None


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_over_a_client_a_cut_in_the_middle_of_a_word_does_not_show(kind: str) -> None:
    face, server = Face(kind), FakeServer()
    server.script([think("Hm."), say("One t", cut()), think("Hm."), say("One ", "two"), "."])
    server.script([say("One", cut()), "Two"])
    client = server.client() if face.is_sync else server.async_client()
    stream = client.tasks.stream(user_message_content="Count.")
    assert await face.within(stream, lambda s: face.all(s.text_deltas)) == ["One ", "t", "wo", "."]
    assert not stream.was_restarted
    stream = client.tasks.stream(user_message_content="Count.")
    assert await face.within(stream, lambda s: face.all(s.text_deltas)) == ["One", "\n\nTwo"]
    assert stream.was_restarted
    assert stream.text == "Two"
    await face.done(client.close())
