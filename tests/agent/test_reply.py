"""A reply: any chunks make events that are a valid stream and add up to what was said."""

import pytest
from hypothesis import given

from agentlin_server.agent.reply import Reply
from agentlin_server.domain import events
from agentlin_server.domain.model import (
    Chunk,
    Finish,
    ProviderState,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from tests.agent.chunks import USAGE
from tests.agent.chunks import batches as some_batches
from tests.agent.events import Log
from tests.requirements import requirement

DELTAS = (TextDelta, ReasoningDelta, RefusalDelta)


def reply(
    *, attempt: int = 1, superseded: tuple[str, ...] = (), used: set[str] | None = None
) -> Reply:
    call_ids = set[str]() if used is None else used
    return Reply(step=1, attempt=attempt, superseded=superseded, used_call_ids=call_ids)


def said(chunks: list[Chunk]) -> dict[str, str]:
    """Return the text of each kind, whatever its items are."""
    return {
        "output_text": "".join(c.text for c in chunks if isinstance(c, TextDelta)),
        "reasoning_text": "".join(c.text for c in chunks if isinstance(c, ReasoningDelta)),
        "refusal": "".join(c.text for c in chunks if isinstance(c, RefusalDelta)),
        "arguments": "".join(c.arguments for c in chunks if isinstance(c, ToolCallDelta)),
    }


def shown(log: Log) -> dict[str, str]:
    """Return the text of each kind, as the task's output has it."""
    found: dict[str, str] = dict.fromkeys(
        ("output_text", "reasoning_text", "refusal", "arguments"), ""
    )
    for item in log.output:
        if item["type"] == "tool_call":
            found["arguments"] += item["arguments"]
        for part in item.get("message_content") or item.get("content") or ():
            found[part["type"]] += part["text"]
    return found


@requirement("task.order", "task.deltas.one-per-chunk", "task.deltas.add-up", "task.usage")
@given(some_batches)
def test_any_answer_is_a_valid_stream_that_adds_up(batches: list[list[Chunk]]) -> None:
    log, one = Log(), reply()
    for batch in batches:
        log.append(one.feed(batch))
    chunks = [chunk for batch in batches for chunk in batch]
    one.feed([Finish("stop")])
    assert one.is_finished
    ending = one.end(usage=USAGE)
    log.append([*ending.drafts, events.completed()])
    want, got = said(chunks), shown(log)
    assert sorted(want.pop("arguments")) == sorted(got.pop("arguments"))  # calls may interleave
    assert got == want
    deltas = [event for event in log.events if event["type"].endswith(".delta")]
    texts = [c for c in chunks if isinstance(c, DELTAS)]
    assert len(deltas) == len(texts) + sum(isinstance(c, ToolCallDelta) for c in chunks)
    dones = [event for event in log.events if event["type"] == "task.output_item.done"]
    assert [event.get("usage") for event in dones] == [None] * (len(dones) - 1) + [USAGE]
    assert [event.get("finish_reason") for event in dones][-1] == "stop"
    assert {item["status"] for item in log.output} == {"completed"}
    assert [done.item["id"] for done in one.done] == [event["item"]["id"] for event in dones]
    calls = [item for item in log.output if item["type"] == "tool_call"]
    assert {call.call_id for call in ending.tool_calls} == {item["call_id"] for item in calls}
    assert len({item["call_id"] for item in calls}) == len(calls)


@requirement("task.unfinished-call", "task.call-again")
@given(some_batches, some_batches)
def test_any_cut_ends_incomplete_and_the_next_attempt_takes_its_place(
    batches: list[list[Chunk]], again: list[list[Chunk]]
) -> None:
    used: set[str] = set()
    log, cut = Log(), reply(used=used)
    for batch in batches:
        log.append(cut.feed(batch))
    log.append(cut.abort(usage=USAGE))
    assert {item["status"] for item in log.output} <= {"incomplete"}
    assert log.fold.open_items() == []
    left = [done.item["id"] for done in cut.done]
    assert sorted(left) == sorted(item["id"] for item in log.output)
    second = reply(attempt=2, superseded=tuple(left), used=used)
    for batch in again:
        log.append(second.feed(batch))
    log.append([*second.end(usage=USAGE).drafts, events.completed()])
    new = log.output[len(left) :]
    assert {item["attempt"] for item in new} == {2}
    assert [item["supersedes"] for item in new if "supersedes" in item] == left[: len(new)]


def test_an_item_ends_where_another_kind_begins_and_calls_stay_open_to_the_end() -> None:
    log, one = Log(), reply()
    log.append(one.feed([ReasoningDelta("r"), TextDelta("t"), ToolCallDelta(0, "", "f", "{")]))
    assert [item["status"] for item in log.output] == ["completed", "completed", "in_progress"]
    log.append(one.feed([ToolCallDelta(1, "", "g"), ToolCallDelta(0, arguments="}")]))
    assert [item.id for item in log.fold.open_items()] == [i["id"] for i in log.output[2:]]
    ending = one.end(usage=USAGE)
    log.append(ending.drafts)
    assert [(call.name, call.arguments) for call in ending.tool_calls] == [("f", "{}"), ("g", "")]


@requirement("task.call-ids")
@pytest.mark.parametrize("given_id", ["", "used", "again"])
def test_an_empty_or_used_call_id_is_replaced(given_id: str) -> None:
    used = {"used"}
    one = Reply(step=1, attempt=1, superseded=(), used_call_ids=used)
    one.feed([ToolCallDelta(0, given_id, "f"), ToolCallDelta(1, given_id, "f")])
    first, second = one.end(usage=USAGE).tool_calls
    assert first.call_id != second.call_id
    assert (first.call_id == given_id) == (given_id == "again")
    assert used == {"used", first.call_id, second.call_id}


def test_nothing_said_is_an_empty_message_with_usage_and_reason() -> None:
    log, one = Log(), reply(attempt=2, superseded=("msg_x",))
    one.feed([Finish("length")])
    ending = one.end(usage=USAGE)
    added, done = ending.drafts
    assert isinstance(added, events.Draft)
    assert isinstance(done, events.Draft)
    assert done.body["item"]["message_content"] == []
    assert (done.body["usage"], done.body["finish_reason"]) == (USAGE, "length")
    assert done.body["item"]["supersedes"] == "msg_x"
    assert ending.tool_calls == ()
    assert log.output == []


def test_a_cut_before_the_first_word_leaves_nothing() -> None:
    one = reply()
    one.feed([Usage(3, 0, 0, 0)])
    assert one.abort(usage=USAGE) == []
    assert one.done == []


def test_what_the_provider_wants_back_goes_with_the_item_it_came_for() -> None:
    one = reply()
    one.feed([ReasoningDelta("r"), ProviderState({"s": 1}), TextDelta("t")])
    one.end(usage=USAGE)
    assert [done.provider_state for done in one.done] == [{"s": 1}, None]


def test_the_size_grows_with_what_is_said() -> None:
    one = reply()
    sizes = [one.size_bytes]
    for chunk in (TextDelta("abc"), ToolCallDelta(0, "", "f", "{}"), ReasoningDelta("x" * 50)):
        one.feed([chunk])
        sizes.append(one.size_bytes)
    assert sizes == sorted(set(sizes))
