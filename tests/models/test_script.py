"""Scripts are read, checked and refused with the name of the field."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlin_server.domain import errors
from agentlin_server.domain.model import Finish, ModelRequest, Usage
from agentlin_server.models.script import (
    ERROR_KINDS,
    Answer,
    Delay,
    Fail,
    Gate,
    Reasoning,
    ScriptError,
    Text,
    ToolCall,
    last_user_text,
    load_script,
    parse_script,
    split_text,
)

EXAMPLE = """
answers:
  - match: weather
    results: 2
    repeat: true
    steps:
      - {reasoning: Let me see., chunks: words}
      - {delay_s: 1}
      - {gate: go}
      - {tool_call: {name: get_weather, arguments: {city: Oslo}, call_id: call_1}, chunks: 4}
      - {usage: {input_tokens: 12, output_tokens: 7}}
      - {finish: tool_calls}
  - {text: It rains., chunks: 3, delay_s: 0.5}
  - error: {kind: rate_limit, message: slow down, status: 429, retry_after_s: 3}
  - error: stream
  - {delay_s: 2}
"""


def test_a_script_file_becomes_answers(tmp_path: Path) -> None:
    path = tmp_path / "script.yaml"
    path.write_text(EXAMPLE)
    assert load_script(path) == [
        Answer(
            (
                Reasoning("Let me see.", "words"),
                Delay(1.0),
                Gate("go"),
                ToolCall("get_weather", '{"city":"Oslo"}', "call_1", 4),
                Usage(input_tokens=12, output_tokens=7),
                Finish("tool_calls"),
            ),
            match="weather",
            results=2,
            repeat=True,
        ),
        Answer((Text("It rains.", 3, 0.5),)),
        Answer((Fail("rate_limit", "slow down", 429, None, 3.0),)),
        Answer((Fail("stream"),)),
        Answer((Delay(2.0),)),
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("text", "Expected `object`, got `str`"),
        ({}, "missing required field `answers`"),
        ([{"txet": "x"}], r"unknown field `txet` - at `answers\[0\]`"),
        ([{"text": 1}], r"Expected `str \| null`, got `int` - at `answers\[0\].text`"),
        (
            [{"text": "a"}, {"steps": [{"text": "b", "chunks": 0}]}],
            r"`answers\[1\].steps\[0\].chunks`",
        ),
        (
            [{"steps": [{"chunks": 2}]}],
            r"`answers\[0\].steps\[0\]` needs exactly one of .* has none",
        ),
        ([{"text": "a", "error": "stream"}], r"`answers\[0\]` needs exactly one .* text and error"),
        ([{}], r"`answers\[0\]` needs either `steps` or one step"),
        ([{"text": "a", "steps": []}], r"`answers\[0\]` needs either"),
        ([{"steps": [{"gate": "x", "chunks": 2}]}], r"steps\[0\].chunks` does not go with gate"),
        ([{"steps": [{"finish": "x", "delay_s": 2}]}], r"delay_s` does not go with finish"),
        ([{"text": "x", "match": "("}], r"`answers\[0\].match` is no regular expression"),
        ([{"error": "oops"}], r"`answers\[0\].error`: unknown kind 'oops'; known: authentication"),
        ([{"delay_s": -1}], r"`answers\[0\].delay_s`"),
        ([{"usage": {"tokens": 1}}], r"unknown field `tokens` - at `answers\[0\].usage`"),
        ([{"tool_call": {"name": "f", "arguments": {"x": {1: object()}}}}], "arguments"),
    ],
)
def test_an_invalid_script_is_refused_with_the_field(data: Any, message: str) -> None:
    with pytest.raises(ScriptError, match=message):
        parse_script(data)


@pytest.mark.parametrize("text", ["a: [", "[{txet: x}]", None])
def test_a_file_that_can_not_be_read_is_named(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "broken.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ScriptError, match=r"script broken\.yaml: "):
        load_script(path)


def test_every_error_of_a_model_has_a_name_in_scripts() -> None:
    declared = {one for one in vars(errors).values() if isinstance(one, type)}
    failures = {one for one in declared if issubclass(one, errors.ModelError)} - {errors.ModelError}
    assert set(ERROR_KINDS.values()) == failures


@given(st.text(alphabet="ab \n\u00e9", max_size=20), st.sampled_from(["words", None, 1, 3]))
def test_the_pieces_of_a_text_add_up(text: str, chunks: Any) -> None:
    pieces = list(split_text(text, chunks))
    assert "".join(pieces) == text
    assert all(pieces)


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        ([], ""),
        ([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "a"),
        ([{"role": "user", "content": None}], ""),
        (
            [
                {
                    "role": "user",
                    "content": [{"type": "text", "text": "a"}, "b", {"type": "image_url"}],
                }
            ],
            "a\nb",
        ),
    ],
)
def test_the_last_user_text_is_found_in_any_form(messages: list[dict[str, Any]], text: str) -> None:
    assert last_user_text(ModelRequest(model="m", messages=messages)) == text
