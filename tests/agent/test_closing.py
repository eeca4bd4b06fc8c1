"""Closing what a crash left open: with what there is, as a valid end of the stream."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlin_server.agent.closing import close_open, finished_items_of_unfinished_calls
from agentlin_server.agent.reply import Reply
from agentlin_server.agent.toolresult import whole_result
from agentlin_server.agent.usage import estimate, to_wire
from agentlin_server.domain import events
from agentlin_server.domain.events import Draft
from agentlin_server.domain.model import ReasoningDelta, TextDelta, ToolCallDelta, Usage
from tests.agent.chunks import USAGE
from tests.agent.chunks import batches as some_batches
from tests.agent.events import Log
from tests.requirements import requirement


@requirement("task.unfinished-call", "task.restart")
@given(some_batches, st.integers(0, 40))
def test_a_log_that_breaks_off_anywhere_can_be_closed(batches: list[Any], cut: int) -> None:
    whole, one = Log(), Reply(step=1, attempt=1, superseded=(), used_call_ids=set())
    drafts = [draft for batch in batches for draft in one.feed(batch)][:cut]
    whole.append(drafts)
    before = [(item["id"], item.get("arguments")) for item in whole.output]
    for step, item in finished_items_of_unfinished_calls(whole.events):
        whole.append([events.item_done(item | {"status": "incomplete"}, step=step)])
    for open_item in whole.fold.open_items():
        closing, ended = close_open(open_item)
        whole.append(closing)
        assert ended["status"] == "incomplete"
    whole.append([events.failed({"code": -32000, "message": "x"})])
    assert [(item["id"], item.get("arguments")) for item in whole.output] == before
    assert {item["status"] for item in whole.output} <= {"incomplete"}


@requirement("task.unfinished-call")
def test_items_of_a_call_that_finished_stay_completed() -> None:
    log, one = Log(), Reply(step=1, attempt=1, superseded=(), used_call_ids=set())
    log.append(one.feed([ReasoningDelta("r"), TextDelta("t")]))
    (left,) = finished_items_of_unfinished_calls(log.events)
    assert (left[0], left[1]["type"]) == (1, "reasoning")
    log.append(one.end(usage=USAGE).drafts)
    assert finished_items_of_unfinished_calls(log.events) == []


@pytest.mark.parametrize("has_text_done", [False, True])
def test_a_summary_is_closed_like_any_other_text(*, has_text_done: bool) -> None:
    log = Log()
    item = {"type": "reasoning", "id": "rs_1", "status": "in_progress"} | {
        "summary": [],
        "content": [],
    }
    at = {"item_id": "rs_1", "agent_step": 1, "summary_index": 0}
    part = {"type": "summary_text", "text": ""}
    log.append([
        events.item_added(item, step=1),
        Draft("task.reasoning_summary_part.added", at | {"part": part}),
        Draft("task.reasoning_summary_text.delta", at | {"content_index": 0, "delta": "so"}),
    ])  # fmt: skip
    if has_text_done:
        log.append([Draft("task.reasoning_summary_text.done", at | {"text": "so"})])
    (left,) = log.fold.open_items()
    log.append(close_open(left)[0])
    log.append([events.canceled()])
    assert log.output[0]["summary"] == [{"type": "summary_text", "text": "so"}]


def test_a_tool_result_that_was_growing_is_closed_with_what_there_is() -> None:
    log, one = Log(), Reply(step=1, attempt=1, superseded=(), used_call_ids=set())
    log.append(one.feed([ToolCallDelta(0, "call_1", "look", "{}")]))
    log.append(one.end(usage=USAGE).drafts)
    drafts, _ = whole_result("call_1", "half", step=1)
    log.append(drafts[:2])
    (left,) = log.fold.open_items()
    log.append(close_open(left)[0])
    log.append([events.canceled()])
    assert log.output[1]["message_content"] == [{"type": "text", "text": "half"}]
    assert log.output[1]["status"] == "incomplete"


@requirement("task.deltas.add-up")
def test_a_tools_result_is_streamed_and_adds_up() -> None:
    log, one = Log(), Reply(step=1, attempt=1, superseded=(), used_call_ids=set())
    log.append(one.feed([ToolCallDelta(0, "call_1", "look", "{}")]))
    log.append(one.end(usage=USAGE).drafts)
    drafts, item = whole_result("call_1", "seen", step=1)
    log.append([*drafts, events.completed()])
    assert log.output[1] == item


@requirement("task.usage")
def test_usage_in_wire_form_sums_and_an_estimate_is_flagged() -> None:
    assert to_wire(Usage(5, 2, 7, 3)) == {
        "input_tokens": 5,
        "input_tokens_details": {"cached_tokens": 2},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 3},
        "total_tokens": 12,
        "estimated": False,
    }
    guess = estimate([{"role": "user", "content": "x" * 400}], output_bytes=5)
    assert (guess.estimated, guess.output_tokens) == (True, 2)
    assert 100 <= guess.input_tokens <= 120
    assert estimate([], output_bytes=0).output_tokens == 0
