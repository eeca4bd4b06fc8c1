"""final_text: which items are the answer, and what of them is text."""

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given

from agentlin_client import TaskFailedError, lib
from agentlin_client._lenient import construct
from agentlin_client.lib import (
    answer_items,
    final_refusal,
    final_text,
    raise_for_status,
    superseded_ids,
)
from agentlin_client.lib.text import shown_items, text_of
from agentlin_client.types import TaskObject
from agentlin_client.types.fold import TaskFold
from tests.sdk import wire
from tests.types.stream_builder import Event
from tests.types.streams import valid_streams


def message(*texts: str, status: str | None = "completed", **fields: Any) -> dict[str, Any]:
    parts = [{"type": "output_text", "text": text} for text in texts]
    item = {"type": "message", "role": "assistant", "message_content": parts, "status": status}
    return item | fields


def result(**fields: Any) -> dict[str, Any]:
    return {"type": "tool_result", "call_id": "c", "message_content": "", "block_list": []} | fields


CALL = {"type": "tool_call", "call_id": "c", "name": "search", "arguments": "{}"}
REASONING = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [],
    "content": [{"type": "reasoning_text", "text": "hm"}],
}


def task(*output: dict[str, Any], **fields: Any) -> TaskObject:
    return TaskObject.model_validate(wire.task(output=list(output), **fields))


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ([], ""),
        ([message("a", "b")], "ab"),
        ([message("a", status=None)], "a"),
        ([message("a"), message("b")], "ab"),
        ([REASONING, message("a")], "a"),
        ([message("Let me look."), CALL, result(), message("18.")], "18."),
        ([message("Let me look."), CALL, result()], ""),
        ([message("Let me look."), CALL], "Let me look."),
        ([message("a", status="incomplete")], ""),
        ([message("a", status="in_progress")], ""),
        ([message("a", status="incomplete"), message("b")], "b"),
        ([message("a", id="m1"), message("b", attempt=2, supersedes="m1")], "b"),
        ([message("a"), result(status="incomplete"), message("b")], "b"),
        ([message("a", role="user"), message("b")], "b"),
        ([message("a"), {"type": "chart", "supersedes": "m9"}], "a"),
        ([message(message_content="plain")], "plain"),
        ([message(message_content=["plain", {"type": "text", "text": "!"}])], "plain!"),
        ([message(message_content=[{"type": "refusal", "text": "no"}])], ""),
        ([message(message_content=[{"type": "hologram", "text": "no"}])], ""),
    ],
)
def test_the_text_is_that_of_the_whole_messages_of_the_last_model_call(
    output: list[dict[str, Any]], expected: str
) -> None:
    assert final_text(task(*output)) == expected


def test_a_refusal_is_told_apart_from_an_answer() -> None:
    refused = task(message(message_content=[{"type": "refusal", "text": "I can't."}]))
    assert (final_text(refused), final_refusal(refused)) == ("", "I can't.")
    assert final_refusal(task(message("a", message_content=["b"]))) == ""


def test_growing_items_count_if_they_are_asked_for() -> None:
    output = task(message("a", status="in_progress"), message("b", status="incomplete")).output
    assert answer_items(output) == []
    assert answer_items(output, include_open=True) == [output[0]]


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ([message("a"), message("b", status="in_progress")], "ab"),
        ([message("a"), message("b", status="incomplete")], "ab"),
        ([message("a", status="incomplete"), message("b")], "b"),
        ([message("a", status="incomplete"), REASONING | {"attempt": 2}], ""),
        ([message("a", id="m1"), message("b", attempt=2, supersedes="m1")], "b"),
        ([message("a", status="incomplete"), CALL, result()], ""),
        ([message("a", status="incomplete"), message("b", role="user")], "a"),
    ],
)
def test_what_was_shown_counts_until_it_is_said_anew(
    output: list[dict[str, Any]], expected: str
) -> None:
    assert text_of(shown_items(task(*output).output)) == expected


def test_superseded_items_are_named_by_those_that_replace_them() -> None:
    output = task(
        message("a", id="m1"),
        {"type": "chart", "supersedes": "m0"},
        message("b", supersedes="m1"),
    ).output
    assert superseded_ids(output) == {"m0", "m1"}


@given(valid_streams())
def test_the_text_is_what_the_whole_messages_after_the_last_result_streamed(
    events: list[Event],
) -> None:
    fold = TaskFold()
    streamed: dict[str, str] = {}
    for event in events:
        fold.apply(event)
        item = event.get("item", {})
        if event["type"] == "task.output_item.added" and item["type"] == "tool_result":
            streamed.clear()
        elif event["type"] == "task.output_item.added" and item["type"] == "message":
            streamed[item["id"]] = ""
        elif event["type"] == "task.text.delta":
            streamed[event["item_id"]] += event["delta"]
        elif event["type"] == "task.output_item.done" and item["status"] == "incomplete":
            streamed.pop(item["id"], None)
    task = TaskObject.model_validate(fold.snapshot())
    assert final_text(task) == "".join(streamed.values())


@pytest.mark.parametrize(
    "output",
    [
        ["text", 5, None],
        [{"type": "message"}],
        [{"type": "message", "role": "assistant"}],
        [{"type": "message", "role": "assistant", "message_content": 5}],
        [{"type": "message", "role": "assistant", "message_content": [5, {"type": "text"}]}],
        [{"type": "message", "role": "assistant", "message_content": [{"text": 7}]}],
    ],
)
def test_what_came_from_a_lenient_client_has_no_text_but_breaks_nothing(output: list[Any]) -> None:
    lenient = construct(TaskObject, wire.task(output=output))
    assert final_text(lenient) == ""


@pytest.mark.parametrize("status", ["failed", "expired", "canceled"])
def test_a_task_without_a_result_raises_with_the_task(status: str) -> None:
    error = {"code": -32000, "message": "model failure"} if status != "canceled" else None
    ended = task(message("half", status="incomplete"), status=status, error=error)
    with pytest.raises(TaskFailedError, match=f"task_1 is {status}") as caught:
        raise_for_status(ended)
    assert caught.value.task is ended
    assert caught.value.error is ended.error


@pytest.mark.parametrize("status", ["completed", "input-required", "paused", "working"])
def test_any_other_task_is_returned_as_it_is(status: str) -> None:
    going_on = task(status=status)
    assert raise_for_status(going_on) is going_on


@pytest.mark.parametrize("name", lib.__all__)
def test_every_name_of_the_package_is_there(name: str) -> None:
    assert getattr(lib, name) is not None
    assert name in dir(lib)


def test_the_table_of_lazy_names_is_the_list_of_names() -> None:
    assert set(lib._MODULE_OF) == set(lib.__all__)
    with pytest.raises(AttributeError, match="no attribute 'TaskSteam'"):
        _ = lib.TaskSteam


def test_importing_the_package_loads_nothing_else() -> None:
    code = (
        "import sys; before = set(sys.modules); import agentlin_client.lib;"
        "print(*sorted(set(sys.modules) - before))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=30
    )
    assert run.stdout.split() == ["agentlin_client", "agentlin_client.lib"]
