"""How models are shown: cut by `repr`, as a report in a notebook."""

import json
from typing import Any

import pytest

from agentlin_client._html import html_of
from agentlin_client.types import (
    LogProb,
    MessageItem,
    TaskCreateResponse,
    TaskObject,
    ToolCallItem,
)
from tests.sdk import wire


def test_the_repr_of_a_large_model_is_short_and_says_what_it_leaves_out() -> None:
    blob = "QUJD" * 1_000_000
    picture = {"type": "output_image", "image_url": {"url": f"data:image/png;base64,{blob}"}}
    message = {"type": "message", "role": "assistant", "message_content": [picture]}
    task = TaskObject.model_validate(
        wire.task(output=[message] * 60, metadata={"deep": [blob]}, surprise=blob)
    )
    for shown in (repr(task), str(task)):
        assert len(shown) < 50_000
        assert "(4000022 characters)" in shown
        assert "... 10 more" in shown
        assert shown.count("(4000000 characters)") == 2
    assert task.output[0].to_dict()["message_content"][0] == picture


def test_the_repr_of_a_small_model_is_as_ever() -> None:
    item = MessageItem(type="message", role="user", message_content=["Hi"])
    assert repr(item) == (
        "MessageItem(status=None, attempt=None, supersedes=None, type='message', role='user', "
        "message_content=['Hi'], id=None, block_list=None, name=None)"
    )


SECRET = "hunter2"


def test_a_repr_hides_what_is_named_like_a_secret_and_the_values_stay() -> None:
    metadata = {"api_key": SECRET, "deep": [{"password": SECRET, "env": {"A": SECRET}}], "n": 1}
    call = {
        "type": "tool_call",
        "call_id": "c",
        "name": "login",
        "arguments": json.dumps({"user": "Ada", "password": SECRET}),
    }
    task = TaskObject.model_validate(
        wire.task(metadata=metadata, output=[call], env={"B": SECRET}, dsn=SECRET)
    )
    for shown in (repr(task), str(task), repr(TaskCreateResponse(jsonrpc="2.0", result=task))):
        assert SECRET not in shown
        assert "'api_key': '<redacted>'" in shown
        assert "env={'B': '<redacted>'}" in shown
        assert '"user": "Ada"' in shown
    assert task.metadata == metadata
    assert task.to_dict()["env"] == {"B": SECRET}
    html: Any = task._repr_html_()
    assert "Ada" in html
    assert SECRET not in html


def test_a_repr_shows_counts_of_tokens_tokens_of_logprobs_and_harmless_arguments() -> None:
    usage = {"input_tokens": 3, "input_tokens_details": {"cached_tokens": 1}}
    assert repr(usage) in repr(TaskObject.model_validate(wire.task(usage=usage)))
    assert "token='Hi'" in repr(LogProb(token="Hi", bytes=[72], logprob=-0.1, top_logprobs=[]))
    arguments = '{"city":  "Rome"}'
    call = ToolCallItem(type="tool_call", call_id="c", name="f", arguments=arguments)
    assert f"arguments='{arguments}'" in repr(call)


SCRIPT = "<img src=x onerror=alert(1)>"
NOTEBOOK_TASK = wire.task(
    status="failed",
    usage={"input_tokens": 12, "output_tokens": 34, "estimated": True},
    error={"code": -32000, "message": f"No {SCRIPT}"},
    output=[
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [],
            "content": [{"type": "reasoning_text", "text": f"Hm {SCRIPT}"}],
        },
        {"type": "tool_call", "call_id": "c", "name": f"look{SCRIPT}", "arguments": '{"a": 1}'},
        {"type": "tool_result", "call_id": "c", "message_content": "x" * 5000, "block_list": []},
        {
            "type": "message",
            "role": "assistant",
            "message_content": ["Done", {"type": "output_image", "image_url": {"url": "u"}}],
        },
        {"type": "new_thing"},
    ],
)


@pytest.mark.parametrize(
    "model",
    [
        TaskObject.model_validate(NOTEBOOK_TASK),
        TaskCreateResponse(jsonrpc="2.0", result=TaskObject.model_validate(NOTEBOOK_TASK)),
    ],
    ids=["task", "envelope"],
)
def test_a_notebook_shows_a_task_as_a_report_in_which_nothing_is_live(
    model: TaskObject | TaskCreateResponse,
) -> None:
    shown = model._repr_html_()
    assert shown is not None
    assert SCRIPT not in shown
    assert "<img" not in shown
    for part in ("failed", wire.TASK_ID, "about 12 + 34 tokens", "Hm &lt;img", "Done[output_image]",
                 "(-32000)", "new_thing", "(5000 characters)", "&quot;a&quot;: 1"):  # fmt: skip
        assert part in shown


def test_a_notebook_shows_other_models_by_their_repr() -> None:
    assert MessageItem(type="message", role="user", message_content="Hi")._repr_html_() is None
    assert html_of({"result": [1]}) is None
    assert html_of({"result": {"object": "list"}}) is None
    assert html_of({"object": "task", "output": 7}) is not None
