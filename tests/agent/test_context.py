"""The context of a model call: who said what, in the order of the contract."""

from typing import Any

import pytest

from agentlin_server.agent import context as contexts
from agentlin_server.agent.context import text_of, to_chat
from agentlin_server.domain.errors import UnsupportedContentError
from tests.requirements import requirement


def message(text: Any, *, role: str = "assistant", **fields: Any) -> dict[str, Any]:
    return {"type": "message", "id": f"msg_{text}", "role": role, "status": "completed",
            "message_content": text} | fields  # fmt: skip


def call(call_id: str, **fields: Any) -> dict[str, Any]:
    return {"type": "tool_call", "id": f"tc_{call_id}", "call_id": call_id, "name": "look",
            "arguments": "{}", "status": "completed"} | fields  # fmt: skip


def result(call_id: str, text: str = "seen") -> dict[str, Any]:
    return {"type": "tool_result", "id": f"tr_{call_id}", "call_id": call_id,
            "status": "completed", "message_content": text, "block_list": []}  # fmt: skip


def task(*output: dict[str, Any], status: str = "completed", user: Any = "Hi") -> dict[str, Any]:
    return {"status": status, "output": list(output), "user_message_content": user}


def start(**given: Any) -> contexts.Context:
    fields: dict[str, Any] = {"turns": (), "history": (), "user_content": "now", "thoughts": ()}
    return contexts.start(given.pop("prompt", ""), **fields | given)


def brief(context: contexts.Context) -> list[tuple[str, str]]:
    calls = [[one["id"] for one in m.get("tool_calls") or ()] for m in context.messages]
    return [
        (m["role"], "+".join(ids) or m["content"])
        for m, ids in zip(context.messages, calls, strict=True)
    ]


@requirement("session.context")
def test_prompt_turns_history_user_and_thoughts_come_in_this_order() -> None:
    context = start(
        prompt="Be brief.",
        turns=[("task_1", task(message("Hello.")))],
        history=[{"role": "user", "content": "elsewhere"}],
        thoughts=[message("hm")],
    )
    assert brief(context) == [
        ("system", "Be brief."),
        ("user", "Hi"),
        ("assistant", "Hello."),
        ("user", "elsewhere"),
        ("user", "now"),
        ("assistant", "hm"),
    ]
    assert context.refs == ["prompt", "t:task_1", "history", "user", "thoughts"]


def test_an_empty_user_message_is_no_message() -> None:
    assert brief(start(user_content="", thoughts=[message("x")])) == [("assistant", "x")]


@requirement("session.context")
def test_a_turn_shows_only_what_was_completed() -> None:
    turn = task(
        message("half", status="incomplete"),
        {"type": "reasoning", "id": "rs_1", "summary": [], "status": "completed"},
        message("whole"),
    )
    assert brief(start(turns=[("t", turn)])) == [
        ("user", "Hi"), ("assistant", "whole"), ("user", "now"),
    ]  # fmt: skip


@requirement("session.context")
@pytest.mark.parametrize(
    ("turn", "is_shown"),
    [
        (task(status="failed"), False),
        (task(message("x", status="incomplete"), status="canceled"), False),
        (task(message("x"), status="failed"), True),
        (task(status="completed"), True),
    ],
)
def test_a_task_that_came_to_nothing_is_left_out(turn: dict[str, Any], *, is_shown: bool) -> None:
    assert (("user", "Hi") in brief(start(turns=[("t", turn)]))) == is_shown


@requirement("session.context")
def test_a_call_that_was_never_answered_gets_an_answer_that_says_so() -> None:
    turn = task(call("a"), call("b"), result("b"), status="canceled")
    context = start(turns=[("t", turn)])
    answered = [m["tool_call_id"] for m in context.messages if m["role"] == "tool"]
    assert sorted(answered) == ["a", "b"]
    (synthetic,) = [m for m in context.messages if m.get("tool_call_id") == "a"]
    assert "no result" in synthetic["content"]


def test_calls_of_one_answer_are_one_message_with_its_text() -> None:
    context = start()
    context.add_items([message("Let me look."), call("a"), call("b"), result("a"), result("b")])
    context.add_items([call("c"), result("c")])
    assert brief(context) == [
        ("user", "now"), ("assistant", "a+b"), ("tool", "seen"), ("tool", "seen"),
        ("assistant", "c"), ("tool", "seen"),
    ]  # fmt: skip
    assert context.messages[1]["content"] == "Let me look."


def test_what_is_merged_never_changes_what_the_request_brought() -> None:
    given = {"role": "assistant", "content": "x"}
    start(history=[given, call("a")], user_content="")
    assert given == {"role": "assistant", "content": "x"}


@requirement("session.context")
def test_history_that_the_session_knows_is_not_repeated() -> None:
    known, new = message("known"), message("new")
    context = start(
        turns=[("t", task(known))], history=[known, new, {"role": "user", "content": "u"}]
    )
    assert [text for _, text in brief(context)] == ["Hi", "known", "new", "u", "now"]


def test_chat_messages_keep_what_else_they_hold() -> None:
    given = {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "x"}]}
    (first, _) = start(history=[given]).messages
    assert first == {"role": "tool", "tool_call_id": "a", "content": "x"}
    (first, _) = start(history=[{"role": "assistant", "content": None, "tool_calls": []}]).messages
    assert first["content"] is None


def test_a_developer_speaks_as_the_system_and_reasoning_is_not_shown() -> None:
    assert to_chat(message("x", role="developer")) == {"role": "system", "content": "x"}
    assert to_chat({"type": "reasoning", "id": "rs", "summary": []}) is None


def test_empty_arguments_are_an_empty_object() -> None:
    shown = to_chat(call("a", arguments=""))
    assert shown is not None
    assert shown["tool_calls"][0]["function"]["arguments"] == "{}"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("plain", "plain"),
        ([], ""),
        (["a", {"type": "input_text", "text": "b"}], "a\nb"),
        ([{"type": "refusal", "text": "no"}], "no"),
    ],
)
def test_content_is_read_as_text(content: Any, text: str) -> None:
    assert text_of(content) == text


@pytest.mark.parametrize("kind", ["image_url", "input_audio", "file"])
def test_content_that_is_no_text_is_refused_by_its_type(kind: str) -> None:
    with pytest.raises(UnsupportedContentError, match=kind):
        text_of([{"type": kind}])
