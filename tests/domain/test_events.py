"""Events are encoded once; deltas faster, but to the same bytes."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlin_client.types.status import STATUS_OF_EVENT
from agentlin_server.domain import events
from agentlin_server.domain.events import DeltaEncoder, Draft, encode_json

_text = st.text(st.characters(exclude_categories=["Cs"]))


@given(step=st.integers(1, 10**6), index=st.integers(0, 99), item_id=_text, text=_text)
def test_a_delta_is_encoded_as_plain_json_would_be(
    step: int, index: int, item_id: str, text: str
) -> None:
    fields = {"item_id": item_id, "agent_step": step, "content_index": index, "delta": text}
    plain = encode_json(fields)[1:]
    assert events.reasoning_delta(item_id, step=step, index=index)([text]).tails == [b"," + plain]
    with_logprobs = encode_json(fields | {"logprobs": []})[1:]
    assert events.text_delta(item_id, step=step, index=index)([text]).tails == [
        b"," + with_logprobs
    ]


@given(st.lists(_text, max_size=5))
def test_a_run_of_deltas_has_one_line_per_text_each_with_its_own(texts: list[str]) -> None:
    run = DeltaEncoder("task.x.delta", {"a": 1})(texts)
    assert run.type == "task.x.delta"
    assert not [tail for tail in run.tails if b"\n" in tail or b"\r" in tail]
    assert [json.loads(b'{"type":"x"' + tail) for tail in run.tails] == [
        {"type": "x", "a": 1, "delta": text} for text in texts
    ]
    assert events.count([events.queued(), run, events.working()]) == len(texts) + 2


def test_a_delta_with_logprobs_has_the_keys_of_one_without_in_the_same_order() -> None:
    logprobs = [{"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}]
    slow = events.text_delta_with_logprobs("m", step=1, index=0, delta="a", logprobs=logprobs)
    fast: dict[str, Any] = json.loads(
        b"{" + events.text_delta("m", step=1, index=0)(["a"]).tails[0].removeprefix(b",")
    )
    assert list(slow.body) == list(fast)
    assert slow.body == fast | {"logprobs": logprobs}


@pytest.mark.parametrize("event_type", sorted(STATUS_OF_EVENT))
def test_every_status_event_is_stamped(event_type: str) -> None:
    assert Draft(event_type, {}).is_stamped


def test_events_about_items_are_not_stamped() -> None:
    assert not events.item_added({"id": "m"}, step=1).is_stamped
    assert not events.tools_updated([]).is_stamped


def test_snapshots_go_with_all_status_events_but_queued_and_working() -> None:
    assert set(STATUS_OF_EVENT) - {"task.queued", "task.working"} == events.SNAPSHOT_TYPES
    assert events.FINAL_TYPES | events.RESTING_TYPES < events.SNAPSHOT_TYPES


def test_the_end_of_an_item_says_only_what_is_known() -> None:
    assert events.item_done({"id": "m"}, step=1).body == {"agent_step": 1, "item": {"id": "m"}}
    done = events.item_done({"id": "m"}, step=1, usage={"total_tokens": 3}, finish_reason="stop")
    assert done.body["usage"] == {"total_tokens": 3}
    assert done.body["finish_reason"] == "stop"


def test_a_draft_cannot_be_changed() -> None:
    assert isinstance(events.queued(), msgspec.Struct)
    with pytest.raises(AttributeError):
        events.queued().type = "task.failed"  # pyright: ignore[reportAttributeAccessIssue]
