"""TaskObject.final_text: the answer, read off a task. Which items count: tests/sdk/test_text.py."""

import json
import pickle
from typing import Any

import pytest

from agentlin_client._lenient import construct
from agentlin_client.types import TaskObject
from tests.types.stream_builder import StreamBuilder


def task_json(*output: Any, **fields: Any) -> dict[str, Any]:
    build = StreamBuilder()
    build.create()
    return build.snapshot() | {"output": list(output)} | fields


def said(*texts: str, **fields: Any) -> dict[str, Any]:
    parts = [{"type": "output_text", "text": text} for text in texts]
    return {"type": "message", "role": "assistant", "message_content": parts} | fields


RESULT = {"type": "tool_result", "call_id": "c", "message_content": "18", "block_list": []}


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ([], ""),
        ([said("It is ", "18.")], "It is 18."),
        ([said("Let me look."), RESULT], ""),
        ([said("Let me look."), RESULT, said("18.")], "18."),
        ([said("half", status="incomplete"), said("whole", status="completed")], "whole"),
        ([said("more and", status="in_progress")], ""),
        ([said("a", id="m1"), said("b", attempt=2, supersedes="m1")], "b"),
        ([said("a"), {"type": "chart", "id": "x", "role": "assistant"}], "a"),
        ([said(message_content=[{"type": "refusal", "text": "no"}])], ""),
    ],
)
def test_the_answer_is_what_the_assistant_said_last(output: list[Any], expected: str) -> None:
    assert TaskObject.model_validate(task_json(*output)).final_text == expected


@pytest.mark.parametrize(
    "broken",
    [{"output": None}, {"output": "text"}, {"output": [None, 5, {}, {"type": "message"}]}],
    ids=str,
)
def test_a_task_whose_output_is_no_list_of_items_has_no_answer(broken: dict[str, Any]) -> None:
    assert construct(TaskObject, task_json() | broken).final_text == ""


def test_a_task_without_output_has_no_answer() -> None:
    sent = task_json()
    del sent["output"]
    assert construct(TaskObject, sent).final_text == ""


def test_an_answer_among_items_that_do_not_fit_is_found() -> None:
    task = construct(
        TaskObject, task_json(None, said("18.", attempt="second"), {"type": "message"})
    )
    assert task.final_text == "18."


def test_the_answer_is_no_field() -> None:
    sent = task_json(said("18."))
    task = TaskObject.model_validate(sent)
    assert task.to_dict() == sent
    assert json.loads(task.to_json()) == sent
    assert "final_text" not in task.model_dump()
    assert "final_text" not in repr(task)
    assert "final_text" not in TaskObject.model_json_schema(mode="serialization")["properties"]
    assert pickle.loads(pickle.dumps(task)).final_text == "18."


def test_a_field_of_that_name_that_a_server_sends_is_kept_beside_it() -> None:
    task = TaskObject.model_validate(task_json(said("18."), final_text="other"))
    assert task.final_text == "18."
    assert task.to_dict()["final_text"] == "other"
