"""`<think>` at the start of an answer is reasoning, however it is cut."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlin_server.domain.model import ReasoningDelta, TextDelta
from agentlin_server.models.think import ThinkSplitter

ONE = ({"token": "x", "bytes": [120], "logprob": -0.1, "top_logprobs": []},)


def split(*pieces: str) -> list[TextDelta | ReasoningDelta]:
    splitter = ThinkSplitter()
    return [out for piece in pieces for out in splitter.feed(TextDelta(piece))] + splitter.flush()


def joined(out: list[TextDelta | ReasoningDelta]) -> tuple[str, str]:
    assert all(delta.text for delta in out)
    return (
        "".join(delta.text for delta in out if isinstance(delta, ReasoningDelta)),
        "".join(delta.text for delta in out if isinstance(delta, TextDelta)),
    )


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        ("Hello", "", "Hello"),
        ("<think>So.</think>\n\nHi", "So.", "Hi"),
        ("\n <think>\nSo.\n</think>Hi\n", "So.\n", "Hi\n"),
        ("<think>\n\n</think>\n\nHi", "", "Hi"),
        ("<think></think>", "", ""),
        ("<think>a < b </ c</thin</think>d", "a < b </ c</thin", "d"),
        ("<think>a</think>b<think>c</think>", "a", "b<think>c</think>"),
        ("Hi <think>x</think>", "", "Hi <think>x</think>"),
        ("<thinking>x", "", "<thinking>x"),
        ("  indented", "", "  indented"),
        ("  ", "", "  "),
        ("<thi", "", "<thi"),
        ("<think>never closed</th", "never closed</th", ""),
        ("<think>a</think>\r\n\r\n  b", "a", "  b"),
        ("", "", ""),
    ],
)
@given(st.data())
def test_any_cut_gives_the_same_texts(
    text: str, reasoning: str, answer: str, data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    at = [0, *cuts, len(text)]
    pieces = [text[start:end] for start, end in itertools.pairwise(at) if start < end]
    assert joined(split(*pieces)) == (reasoning, answer)
    assert joined(split(*text)) == (reasoning, answer)


def test_held_pieces_come_out_unmerged() -> None:
    assert split("<", "b", ">bold") == [TextDelta("<"), TextDelta("b"), TextDelta(">bold")]
    assert split("<think>", "if a ", "<", " b", "</think>")[1:] == [
        ReasoningDelta("<"),
        ReasoningDelta(" b"),
    ]


def test_plain_text_keeps_its_logprobs_and_is_decided_at_once() -> None:
    splitter = ThinkSplitter()
    assert splitter.feed(TextDelta(" ", ONE)) == []
    assert not splitter.is_decided
    assert splitter.feed(TextDelta("x", ONE)) == [TextDelta(" ", ONE), TextDelta("x", ONE)]
    assert splitter.is_decided
    assert splitter.feed(TextDelta("<think>", ONE)) == [TextDelta("<think>", ONE)]


def test_text_after_the_thought_keeps_its_logprobs_unless_its_chunk_was_cut() -> None:
    splitter = ThinkSplitter()
    splitter.feed(TextDelta("<think>a</think>"))
    assert splitter.feed(TextDelta("x", ONE)) == [TextDelta("x", ONE)]
    splitter = ThinkSplitter()
    assert splitter.feed(TextDelta("<think>a</think>x", ONE)) == [
        ReasoningDelta("a"),
        TextDelta("x"),
    ]


def test_a_long_thought_costs_linear_time() -> None:
    splitter = ThinkSplitter()
    splitter.feed(TextDelta("<think>"))
    pieces = sum(len(splitter.feed(TextDelta("<"))) for _ in range(20_000))
    assert pieces == 19_999
