"""Chat completions become chunks; requests become their JSON."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlin_server.domain.errors import ModelError, ModelStreamError
from agentlin_server.domain.model import (
    Chunk,
    Finish,
    ModelRequest,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from agentlin_server.models.openai_wire import AnswerDecoder, decode_models, encode_request
from tests.models.mock_provider import DONE, delta, event, usage


def decoder(*, is_streamed: bool = True) -> AnswerDecoder:
    def describe(error: Any) -> ModelError:
        return ModelStreamError(f"said {error}", provider="p")

    return AnswerDecoder(provider="p", describe_error=describe, is_streamed=is_streamed)


def decoded(*pieces: bytes, is_streamed: bool = True) -> list[Chunk]:
    """Return the chunks of a whole answer; raise its failure."""
    answer = decoder(is_streamed=is_streamed)
    chunks: list[Chunk] = []
    for piece in (*pieces, b""):
        if answer.failure is None and not answer.has_ended:
            chunks += answer.feed(piece)
    if answer.failure is not None:
        raise answer.failure
    return chunks


def test_every_delta_is_a_chunk_of_its_own() -> None:
    data = delta(role="assistant", content="") + b"".join(delta(content=c) for c in "abc")
    assert decoded(data, delta("stop"), DONE) == [
        TextDelta("a"), TextDelta("b"), TextDelta("c"), Finish("stop"),
    ]  # fmt: skip


@given(st.lists(st.integers(0, 2000), max_size=10))
def test_any_split_of_the_bytes_gives_the_same_chunks(cuts: list[int]) -> None:
    data = (
        delta(content="<think>hm")
        + delta(content="</think>\n\nHé")
        + delta(tool_calls=[{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}])
        + delta("tool_calls")
        + usage(prompt_tokens=1, completion_tokens=2)
        + DONE
    )
    at = [0, *sorted(cut % len(data) for cut in cuts), len(data)]
    pieces = [data[a:b] for a, b in itertools.pairwise(at) if a < b]
    assert decoded(*pieces) == [
        ReasoningDelta("hm"),
        TextDelta("Hé"),
        ToolCallDelta(0, "a", "f", "{}"),
        Usage(input_tokens=1, output_tokens=2),
        Finish("tool_calls"),
    ]


@pytest.mark.parametrize(
    ("fields", "chunk"),
    [
        ({"reasoning_content": "hm"}, ReasoningDelta("hm")),
        ({"reasoning": "hm"}, ReasoningDelta("hm")),
        ({"reasoning": "hm", "reasoning_content": "hm"}, ReasoningDelta("hm")),
        (
            {"reasoning": "hm", "reasoning_details": [{"type": "x"}], "content": ""},
            ReasoningDelta("hm"),
        ),
        ({"refusal": "no"}, RefusalDelta("no")),
    ],
)
def test_reasoning_and_refusal_are_told_from_text(fields: dict[str, Any], chunk: Chunk) -> None:
    assert decoded(delta(**fields), delta("stop", content=None)) == [chunk, Finish("stop")]


def test_one_delta_with_reasoning_and_text_is_both() -> None:
    assert decoded(delta("stop", reasoning="a", content="b")) == [
        ReasoningDelta("a"), TextDelta("b"), Finish("stop"),
    ]  # fmt: skip


def test_held_text_comes_before_what_follows_it() -> None:
    call = [{"index": 0, "id": "a", "function": {"name": "f"}}]
    assert decoded(delta(content="\n"), delta("tool_calls", tool_calls=call)) == [
        TextDelta("\n"), ToolCallDelta(0, "a", "f"), Finish("tool_calls"),
    ]  # fmt: skip
    assert decoded(delta(content="<"), delta("stop", refusal="no")) == [
        TextDelta("<"), RefusalDelta("no"), Finish("stop"),
    ]  # fmt: skip
    assert decoded(delta("stop", content="<th")) == [TextDelta("<th"), Finish("stop")]


def test_logprobs_are_given_in_the_form_of_the_contract() -> None:
    logprobs = {
        "content": [
            {
                "token": "é",
                "logprob": -0.5,
                "bytes": None,
                "top_logprobs": [{"token": "e", "logprob": None, "bytes": [101]}],
            },
            {"token": "!", "logprob": -1},
        ]
    }
    first, second, *_ = decoded(delta(content="x"), delta("stop", logprobs=logprobs, content="é!"))
    assert first == TextDelta("x")
    assert second == TextDelta(
        "é!",
        (
            {
                "token": "é",
                "bytes": [195, 169],
                "logprob": -0.5,
                "top_logprobs": [{"token": "e", "bytes": [101], "logprob": -9999.0}],
            },
            {"token": "!", "bytes": [33], "logprob": -1.0, "top_logprobs": []},
        ),
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 3},
                "completion_tokens_details": {"reasoning_tokens": 4},
            },
            [Usage(input_tokens=10, cached_tokens=3, output_tokens=5, reasoning_tokens=4)],
        ),
        (
            {"prompt_tokens": 10, "completion_tokens": 0, "prompt_cache_hit_tokens": 2},
            [Usage(input_tokens=10, cached_tokens=2)],
        ),
        (
            {"prompt_tokens": 1, "completion_tokens": 1, "prompt_tokens_details": None},
            [Usage(input_tokens=1, output_tokens=1)],
        ),
        (
            {"prompt_tokens": 1, "completion_tokens_details": {"reasoning_tokens": None}},
            [Usage(input_tokens=1)],
        ),
        ({}, []),
    ],
)
def test_usage_is_read_with_its_details(fields: dict[str, Any], expected: list[Chunk]) -> None:
    assert decoded(delta("stop"), usage(**fields), DONE) == [*expected, Finish("stop")]


def test_usage_and_finish_come_once_and_last_however_often_they_are_sent() -> None:
    body = {"choices": [{"delta": {"content": "a"}, "finish_reason": "length"}]}
    running = {"prompt_tokens": 1, "completion_tokens": 1}
    data = (
        event({**body, "usage": running})
        + event({**body, "usage": {**running, "completion_tokens": 2}})
        + delta("stop")
    )
    assert decoded(data) == [
        TextDelta("a"),
        TextDelta("a"),
        Usage(input_tokens=1, output_tokens=2),
        Finish("length"),
    ]


def test_done_without_a_reason_ends_the_answer_too() -> None:
    call = [{"index": 0, "id": "a", "function": {"name": "f"}}]
    assert decoded(delta(content="a"), DONE)[-1] == Finish("stop")
    assert decoded(delta(tool_calls=call), DONE)[-1] == Finish("tool_calls")
    assert decoded(DONE.strip()) == [Finish("stop")]


def test_nothing_after_done_counts() -> None:
    answer = decoder()
    assert answer.feed(delta(content="a") + DONE + delta(content="b")) == [
        TextDelta("a"),
        Finish("stop"),
    ]
    assert answer.has_ended


def test_chunks_without_choices_and_empty_payloads_are_passed_over() -> None:
    data = event({"prompt_filter_results": []}) + event({"choices": []}) + event({"choices": None})
    assert decoded(data, b"data:\n\ndata: \n\n", event({"choices": [{}]}), DONE) == [Finish("stop")]


def test_what_came_before_a_failure_is_given_first() -> None:
    answer = decoder()
    assert answer.feed(delta(content="a") + event({"error": {"code": 1}}) + delta(content="b")) == [
        TextDelta("a")
    ]
    assert str(answer.failure) == "said {'code': 1}"


@pytest.mark.parametrize("data", [b"", delta(content="a"), delta(content="a") + b'data: {"choic'])
def test_an_end_without_a_finish_is_a_cut(data: bytes) -> None:
    with pytest.raises(ModelStreamError, match="p broke off in the middle of its answer") as caught:
        decoded(*([data] if data else []))
    assert caught.value.retryable


def test_a_cut_after_the_finish_loses_nothing_but_the_usage() -> None:
    assert decoded(delta("stop", content="a"), b'data: {"choices":[],"usa') == [
        TextDelta("a"), Finish("stop"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "garbage",
    [
        b"data: hello\n\n",
        b"data: {\n\n",
        b"data: [1]\n\n",
        event({"choices": [{"delta": {"content": {"x": 1}}}]}),
        b'data: {"choices":[{"delta":{"content":"\xff"}}]}\n\n',
        b'data: {"x":' + b"[" * 100_000 + b"\n\n",
    ],
)
def test_garbage_is_refused_with_a_snippet(garbage: bytes) -> None:
    with pytest.raises(
        ModelStreamError, match="p sent what is not a chat-completion chunk"
    ) as caught:
        decoded(garbage)
    assert len(str(caught.value)) < 400


def test_an_event_of_ten_mebibytes_is_refused() -> None:
    big = delta(content="x" * 10 * 1024 * 1024)
    message = "p sent an event of more than 8388608 bytes"
    with pytest.raises(ModelStreamError, match=message):
        decoded(big)
    with pytest.raises(ModelStreamError, match=message):
        decoded(*(big[at : at + 65536] for at in range(0, len(big), 65536)))


def test_a_server_that_does_not_stream_is_understood() -> None:
    body = {
        "choices": [
            {
                "message": {
                    "role": "assistant",
                    "content": "<think>hm</think>Hi",
                    "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}],
                },
                "finish_reason": "tool_calls",
            }
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2},
    }
    data = json.dumps(body, indent=1).encode()
    assert decoded(data[:50], data[50:], is_streamed=False) == [
        ReasoningDelta("hm"),
        TextDelta("Hi"),
        ToolCallDelta(0, "a", "f", "{}"),
        Usage(input_tokens=1, output_tokens=2),
        Finish("tool_calls"),
    ]
    with pytest.raises(ModelStreamError, match="broke off"):
        decoded(data[:50], is_streamed=False)


def encoded(
    *, field: str = "max_tokens", with_usage: bool = True, **request: Any
) -> dict[str, Any]:
    whole = ModelRequest(model="m", messages=[{"role": "user", "content": "é"}], **request)
    return json.loads(encode_request(whole, output_tokens_field=field, with_usage=with_usage))


def test_a_request_holds_what_was_asked() -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    assert encoded(
        tools=[tool], sampling={"temperature": 0, "stop": ["x"]}, output_tokens_max=5
    ) == {
        "model": "m",
        "messages": [{"role": "user", "content": "é"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "tools": [tool],
        "temperature": 0,
        "stop": ["x"],
        "max_tokens": 5,
    }
    assert set(encoded(with_usage=False)) == {"model", "messages", "stream"}


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        ({}, {"max_completion_tokens": 5}),
        ({"max_tokens": 3}, {"max_tokens": 3}),
        ({"max_tokens": 9}, {"max_tokens": 5}),
        ({"max_completion_tokens": 9}, {"max_completion_tokens": 5}),
        ({"max_tokens": None}, {"max_tokens": None, "max_completion_tokens": 5}),
    ],
)
def test_the_lower_limit_of_output_tokens_holds(
    sampling: dict[str, Any], expected: dict[str, Any]
) -> None:
    body = encoded(field="max_completion_tokens", sampling=sampling, output_tokens_max=5)
    assert {name: body[name] for name in body if name.startswith("max_")} == expected


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"data": [{}]}', b"<html>"])
def test_a_list_of_models_must_be_one(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_models(body)
