"""Fragments of tool calls find their call, whatever the provider leaves out."""

from typing import Any

import msgspec
import pytest

from agentlin_server.domain.model import ToolCallDelta
from agentlin_server.models.toolcalls import ToolCallFragment, ToolCallTracker


def track(*fragments: dict[str, Any]) -> list[tuple[int, str, str, str]]:
    tracker = ToolCallTracker()
    out: list[ToolCallDelta] = []
    for fragment in fragments:
        piece = tracker.feed(msgspec.convert(fragment, ToolCallFragment))
        if piece is not None:
            out.append(piece)
    assert tracker.has_calls is bool(fragments)
    return [(piece.index, piece.call_id, piece.name, piece.arguments) for piece in out]


def fragment(index: int | None, call_id: str | None = None, **function: Any) -> dict[str, Any]:
    return {"index": index, "id": call_id, "function": function}


def test_fragments_of_two_calls_are_told_apart_by_index() -> None:
    assert track(
        fragment(0, "a", name="f", arguments=""),
        fragment(0, arguments='{"x"'),
        fragment(1, "b", name="g", arguments="{}"),
        fragment(0, arguments=":1}"),
    ) == [(0, "a", "f", ""), (0, "", "", '{"x"'), (1, "b", "g", "{}"), (0, "", "", ":1}")]


def test_a_repeated_id_and_name_go_out_once() -> None:
    assert track(
        fragment(0, "a", name="f"),
        fragment(0, "a", name="f", arguments="{"),
        fragment(0, "a", name="f", arguments="}"),
        fragment(0, "a"),
    ) == [(0, "a", "f", ""), (0, "", "", "{"), (0, "", "", "}")]


@pytest.mark.parametrize("index", [0, None])
def test_without_a_telling_index_a_new_id_is_a_new_call(index: int | None) -> None:
    assert track(
        fragment(index, "a", name="f", arguments="{}"),
        fragment(index, "b", name="g", arguments=""),
        fragment(index, None, arguments="{}"),
    ) == [(0, "a", "f", "{}"), (1, "b", "g", ""), (1, "", "", "{}")]


def test_calls_are_numbered_by_appearance_even_if_the_provider_skips() -> None:
    assert track(fragment(3, "a", name="f"), fragment(3, arguments="{}")) == [
        (0, "a", "f", ""),
        (0, "", "", "{}"),
    ]


def test_a_call_without_an_id_is_passed_on_so() -> None:
    assert track(fragment(0, None, name="f", arguments="{}")) == [(0, "", "f", "{}")]


def test_a_late_name_and_an_object_as_arguments_are_understood() -> None:
    assert track({"index": 0, "id": "a"}, fragment(0, name="f", arguments={"x": 1})) == [
        (0, "a", "", ""),
        (0, "", "f", '{"x":1}'),
    ]
