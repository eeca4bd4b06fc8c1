"""The request types, as a server validates bodies with them."""

import json
from typing import Any, get_type_hints

import pytest
from pydantic import TypeAdapter, ValidationError

from agentlin_client import types as t

PARAMS: TypeAdapter[Any] = TypeAdapter(t.TaskCreateParams)
BODY: TypeAdapter[Any] = TypeAdapter(t.TaskCreateBody)
SEED_AND_EXTENSIONS = {
    "agent_config",
    "allowed_subagents",
    "allowed_tools",
    "client_id",
    "client_tools",
    "disallowed_tools",
    "env",
    "history_messages",
    "include_compress_model_rollout",
    "include_subagent_rollout",
    "inference_args",
    "log_dir",
    "request_id",
    "return_rollout",
    "rollout_save_dir",
    "session_id",
    "stop_tools",
    "stream",
    "structured_output",
    "task_id",
    "thought_messages",
    "user_id",
    "user_message_content",
    "workspace_dir",
    "background",
    "metadata",
    "on_busy",
    "require_approval",
    "timeout_s",
    "webhook_url",
}
FILE_PATH: dict[str, Any] = {"type": "file_path", "file_url": "u", "index": 0}
CHAT_CALL: dict[str, Any] = {
    "id": "c",
    "type": "function",
    "function": {"name": "f", "arguments": ""},
}
REASONING: dict[str, Any] = {"type": "reasoning", "id": "rs_1", "summary": "short"}
CALL: dict[str, Any] = {"type": "tool_call", "call_id": "c2", "name": "f", "arguments": "{}"}
FULL: dict[str, Any] = {
    "stream": True,
    "user_message_content": [
        "Look:",
        {"type": "input_text", "text": "x", "annotations": [FILE_PATH]},
        {"type": "image_url", "image_url": {"url": "data:,", "detail": "low"}},
        {"type": "input_audio", "input_audio": {"data": "", "format": "mp3"}},
        {"type": "file", "file": {"file_url": "u", "filename": "f"}},
    ],
    "agent_config": {"model": "scripted/x", "env": {"A": "b"}, "mood": 1},
    "client_tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
    "history_messages": [
        {"role": "user", "content": [{"type": "text", "text": "hi"}]},
        {"role": "assistant", "content": None, "tool_calls": [CHAT_CALL]},
        {"role": "tool", "content": "42", "tool_call_id": "c"},
        REASONING | {"content": [{"type": "reasoning_text", "text": "x"}]},
        {"type": "message", "role": "assistant", "message_content": "Hi", "mood": "kept"},
        CALL | {"status": "completed"},
        {"type": "tool_result", "call_id": "c2", "message_content": ["42"], "block_list": []},
    ],
    "timeout_s": 30,
    "on_busy": "reject",
    "stroam": True,
}


def errors_of(body: dict[str, Any]) -> list[tuple[tuple[int | str, ...], str]]:
    with pytest.raises(ValidationError) as caught:
        BODY.validate_json(json.dumps(body), strict=True)
    return [(e["loc"], e["msg"]) for e in caught.value.errors(include_input=False)]


def test_a_full_body_passes_and_comes_back_as_it_was() -> None:
    assert PARAMS.validate_json(json.dumps(FULL), strict=True) == FULL
    assert BODY.validate_json(json.dumps(FULL), strict=True) == FULL


def test_the_params_are_those_of_the_contract() -> None:
    assert set(get_type_hints(t.TaskCreateParams)) == SEED_AND_EXTENSIONS
    assert t.TaskCreateParams.__required_keys__ == {"stream", "user_message_content"}
    assert t.TaskCreateBody.__required_keys__ == {"user_message_content"}
    assert t.AgentConfig.__required_keys__ == {"model"}


@pytest.mark.parametrize("name", sorted(SEED_AND_EXTENSIONS - {"stream", "user_message_content"}))
def test_every_optional_param_may_be_null(name: str) -> None:
    body = {"stream": False, "user_message_content": "", name: None}
    assert PARAMS.validate_json(json.dumps(body), strict=True) == body


def test_a_body_without_stream_is_a_body_but_no_params() -> None:
    sent = '{"user_message_content": "Hi"}'
    assert BODY.validate_json(sent) == {"user_message_content": "Hi"}
    with pytest.raises(ValidationError, match="Field required"):
        PARAMS.validate_json(sent)


@pytest.mark.parametrize(
    ("param", "value", "where", "message"),
    [
        ("user_message_content", 3, (), "Input should be a string or a list"),
        ("user_message_content", {"type": "text"}, (), "Input should be a string or a list"),
        ("user_message_content", [{"type": "SECRET"}], ("list", 0), "content of type text, "),
        ("user_message_content", [{"type": []}], ("list", 0), "content of type text, "),
        ("user_message_content", [{"type": "text"}], ("list", 0, "text", "text"), "required"),
        ("stream", "yes", (), "valid boolean"),
        ("agent_config", {}, ("model",), "Field required"),
        ("agent_config", {"model": "m", "max_response_length": 0}, ("max_response_length",), "1"),
        ("history_messages", [{"type": "SECRET"}], (0,), "a chat message without type"),
        ("history_messages", ["SECRET"], (0,), "a chat message without type"),
        ("history_messages", [{"role": "SECRET"}], (0, "chat", "role"), "'system', 'developer'"),
        ("thought_messages", [{"type": "tool_result"}], (0, "tool_result", "call_id"), "required"),
        ("timeout_s", 0, (), "greater than 0"),
        ("on_busy", "SECRET", (), "'enqueue', 'reject' or 'interrupt'"),
        ("env", {"A": 1}, ("A",), "valid string"),
    ],
)
def test_an_invalid_param_is_named_and_never_echoed(
    param: str, value: Any, where: tuple[Any, ...], message: str
) -> None:
    found = errors_of({"user_message_content": "Hi", param: value})
    loc, text = found[0]
    assert loc == (param, *where)
    assert message in text
    assert "SECRET" not in str(found)


TWINS = [
    "AnnotationContainerFileCitation",
    "AnnotationFileCitation",
    "AnnotationFilePath",
    "AnnotationURLCitation",
    "AudioContentItem",
    "FileContentItem",
    "ImageContentItem",
    "TextContentItem",
    "LogProb",
    "TopLogProb",
    "MessageItem",
    "ReasoningItem",
    "ToolCallItem",
    "ToolResultItem",
]
ANSWER = {"answered_by", "answered_at"}
"""What only a server tells of a tool result."""


@pytest.mark.parametrize("name", TWINS)
def test_every_content_item_and_annotation_type_has_its_param_twin(name: str) -> None:
    model, param = getattr(t, name), getattr(t, f"{name}Param")
    assert set(get_type_hints(param)) | ANSWER == set(model.model_fields) | ANSWER
    needed = {key for key, field in model.model_fields.items() if field.is_required()}
    assert param.__required_keys__ == needed
