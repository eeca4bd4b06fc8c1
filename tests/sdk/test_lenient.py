"""Lenient objects: what fits is validated, what does not is kept, nothing raises."""

import json
import pickle
from datetime import datetime
from typing import Annotated, Any, get_args

import httpx
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from agentlin_client import APIResponseValidationError
from agentlin_client import types as t
from agentlin_client._lenient import construct, decode_object, parse
from agentlin_client._models import BaseModel
from agentlin_client._response import parse_as
from agentlin_client.types.agent_task_event import KnownTaskEvent
from tests.sdk import wire
from tests.types.instances import json_of, json_values

EVENTS = get_args(KnownTaskEvent)
HINTS: dict[str, Any] = {
    "task": t.TaskObject,
    "response": t.TaskCreateResponse,
    "event": t.AgentTaskEvent,
    "item": t.TaskOutputItem,
    "content": t.MessageContent,
}


def dumped(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.to_dict(warnings=False)
    return [dumped(each) for each in value] if isinstance(value, list) else value


def agrees(built: Any, sent: Any) -> bool:
    """Whether a dumped value is what was sent, but for scalars that a field converted."""
    if isinstance(sent, dict):
        return built.keys() == sent.keys() and all(agrees(built[key], sent[key]) for key in sent)
    if isinstance(sent, list):
        return len(built) == len(sent) and all(map(agrees, built, sent))
    converted = isinstance(sent, str) and isinstance(built, int | float)  # "1" -> 1, "on" -> True
    return built == sent or converted or (isinstance(built, float) and built == float(sent))


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to every part of a JSON value."""
    if isinstance(value, dict):
        steps = list(value.items())
    else:
        steps = list(enumerate(value)) if isinstance(value, list) else []
    return [path, *(p for step, inner in steps for p in paths(inner, (*path, step)))]


def spoiled(value: Any, path: tuple[Any, ...], part: Any) -> Any:
    """Return a copy of a JSON value with another part at `path`."""
    if not path:
        return part
    copy = json.loads(json.dumps(value))
    at = copy
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = part
    return copy


@pytest.mark.parametrize("hint", HINTS.values(), ids=HINTS.keys())
@settings(max_examples=30)
@given(st.data())
def test_what_is_valid_becomes_what_it_always_becomes(hint: Any, data: st.DataObject) -> None:
    sent = data.draw(json_of(hint))
    assert construct(hint, sent) == TypeAdapter(hint).validate_python(sent)


@pytest.mark.parametrize("hint", HINTS.values(), ids=HINTS.keys())
@settings(max_examples=30)
@given(st.data())
def test_any_json_is_taken_and_nothing_of_it_is_lost(hint: Any, data: st.DataObject) -> None:
    sent = data.draw(json_of(hint))
    path = data.draw(st.sampled_from(paths(sent)))
    wrong = spoiled(sent, path, data.draw(json_values))
    built = construct(hint, wrong)
    assert agrees(dumped(built), wrong)
    if isinstance(wrong, dict) and isinstance(hint, type):
        assert isinstance(built, hint)


@given(st.data())
def test_an_event_that_lacks_a_field_is_of_its_class_and_has_the_others(
    data: st.DataObject,
) -> None:
    model = data.draw(st.sampled_from(EVENTS))
    sent = data.draw(json_of(model))
    name = data.draw(st.sampled_from(sorted(set(sent) - {"type"})))
    rest = {key: value for key, value in sent.items() if key != name}
    built = construct(t.AgentTaskEvent, rest)
    assert type(built) is model
    assert built.model_fields_set == set(rest)
    whole = model.model_validate(sent)
    assert all(getattr(built, key) == getattr(whole, key) for key in rest)


def test_a_required_field_that_did_not_come_is_an_attribute_error_that_names_it() -> None:
    built = construct(t.TaskTextDeltaEvent, {"type": "task.text.delta", "task_id": "t"})
    with pytest.raises(AttributeError, match=r"TaskTextDeltaEvent.*delta"):
        _ = built.delta
    assert not hasattr(built, "sequence_number")
    assert built.logprobs is None
    assert built.to_dict() == {"type": "task.text.delta", "task_id": "t"}
    assert "task_id='t'" in repr(built)
    assert pickle.loads(pickle.dumps(built)) == built


def test_valid_parts_are_models_and_numbers_where_their_neighbours_are_not() -> None:
    text = {"type": "output_text", "text": "hi", "logprobs": [{"token": 1}, "?"], "tags": ["a", 2]}
    task = wire.task(
        created_at="soon",
        status="dreaming",
        output=[
            {"type": "message", "role": "assistant", "message_content": [text, "plain", 3, {}]},
            {"type": "tool_call", "call_id": "c"},
            {"type": "dance", "id": 5},
            {"type": 7},
            None,
        ],
        error="boom",
        usage=[],
        input_required={"call_id": "c", "name": "f", "arguments": "{}"},
    )
    built = construct(t.TaskObject, task)
    message, call, dance, *rest = built.output
    content = message.message_content
    assert isinstance(message, t.MessageItem)
    assert isinstance(content[0], t.TextContentItem)
    assert (content[0].text, content[0].tags, content[1:]) == ("hi", ["a", 2], ["plain", 3, {}])
    assert isinstance(content[0].logprobs[0], t.LogProb)
    assert content[0].logprobs[1] == "?"
    assert isinstance(call, t.ToolCallItem)
    assert call.call_id == "c"
    assert isinstance(dance, t.UnknownItem)
    assert rest == [{"type": 7}, None]
    assert isinstance(built.input_required, t.ToolCallItem)
    assert (built.created_at, built.error, built.usage) == ("soon", "boom", [])
    assert built.to_dict(warnings=False) == task


def test_a_value_is_converted_where_its_field_would_and_kept_where_that_fails() -> None:
    built = construct(t.LogProb, {"token": "a", "bytes": ["1", "x"], "logprob": "-0.5"})
    assert (built.bytes, built.logprob) == ([1, "x"], -0.5)
    assert construct(t.TopLogProb, {"logprob": float("inf")}).logprob == float("inf")


@pytest.mark.parametrize("value", ["text", 1, None, [], [{}], True])
def test_what_is_no_object_is_kept_where_a_model_should_be(value: Any) -> None:
    assert construct(t.TaskObject, value) == value


def test_names_that_python_gives_a_meaning_are_fields_like_others() -> None:
    sent = {"_fields_set": [1], "self": 2, "cls": 3, "model_extra": 4, "__dict__": 5, "type": "x"}
    built = construct(t.TaskObject, sent)
    assert built.model_fields_set == set(sent)
    assert built.to_dict() == sent


def test_models_that_users_derive_from_ours_are_built_by_the_same_rules() -> None:
    class Inner(BaseModel):
        at: datetime

    class Outer(BaseModel):
        by_name: dict[str, Inner] = pydantic.Field(alias="byName")
        other: list[Inner] | dict[str, int] | None = None
        positive: int = pydantic.Field(gt=0)

    sent = {
        "positive": "-5",
        "byName": {"a": {"at": "2026-01-01"}, "b": {"at": "?"}, "c": 1},
        "other": {"x": "y"},
    }
    built = construct(Outer, sent | {"more": 1})
    assert built.positive == "-5"
    assert built.by_name["a"].at == datetime(2026, 1, 1)  # noqa: DTZ001 - as it was sent
    assert isinstance(built.by_name["b"], Inner)
    assert (built.by_name["b"].at, built.by_name["c"], built.other) == ("?", 1, {"x": "y"})
    assert built.model_extra == {"more": 1}


def answered(body: Any) -> httpx.Response:
    return httpx.Response(200, json=body, request=httpx.Request("GET", "http://x"))


class Elsewhere:
    """What pydantic knows nothing of."""


class Plain(pydantic.BaseModel):
    ok: bool


class Aliased(pydantic.BaseModel):
    a: int = pydantic.Field(validation_alias="A")
    b: int


class Root(pydantic.RootModel[dict[str, int]]): ...


class Arbitrary(pydantic.BaseModel, arbitrary_types_allowed=True):
    a: int = 0
    elsewhere: Elsewhere | None = None


@pytest.mark.parametrize(
    ("model", "sent"),
    [
        (Plain, {"ok": "maybe"}),
        (Aliased, {"A": 1, "b": "bad"}),
        (Root, {"a": "x"}),
        (Arbitrary, {"a": "no number", "elsewhere": None}),
    ],
)
@pytest.mark.parametrize("strict", [False, True])
def test_a_model_of_the_user_s_own_fits_or_is_refused(
    model: type[pydantic.BaseModel], sent: dict[str, Any], *, strict: bool
) -> None:
    with pytest.raises(APIResponseValidationError, match=f"is no {model.__name__}"):
        parse_as(answered(sent), model, is_strict=strict)


def test_a_derived_model_keeps_a_part_of_a_foreign_class_that_does_not_fit() -> None:
    class Holder(BaseModel, arbitrary_types_allowed=True):
        plain: Plain
        elsewhere: Elsewhere | None = None
        renamed: int = pydantic.Field(validation_alias="Renamed")

    sent = {"plain": {"ok": "maybe"}, "elsewhere": {"x": 1}, "Renamed": "7"}
    built: Any = construct(Holder, sent)
    assert (built.plain, built.elsewhere, built.renamed) == ({"ok": "maybe"}, {"x": 1}, 7)


def test_an_answer_may_be_cast_to_a_type_that_has_no_hash() -> None:
    hint = Annotated[list[int], {"unit": "s"}]
    assert parse_as(answered([1]), hint, is_strict=False) == [1]


@pytest.mark.parametrize("strict", [False, True])
def test_parse_gives_the_model_of_a_valid_answer(*, strict: bool) -> None:
    data = b"  \n" + wire.envelope(wire.task(new=[1]))
    answer = parse(t.TaskCreateResponse, data, strict=strict)
    assert answer == t.TaskCreateResponse.model_validate_json(data)
    assert answer.unwrap().model_extra == {"new": [1]}


@pytest.mark.parametrize(
    "fields", [{"status": "dreaming"}, {"output": [{"type": "dance"}]}, {"created_at": None}]
)
def test_parse_is_lenient_unless_it_is_to_be_strict(fields: dict[str, Any]) -> None:
    task = wire.task(**fields)
    answer = parse(t.TaskCreateResponse, wire.envelope(task), strict=False)
    assert answer.result is not None
    assert type(answer.result) is t.TaskObject
    assert answer.result.to_dict(warnings=False) == task
    with pytest.raises(ValidationError):
        parse(t.TaskCreateResponse, wire.envelope(task), strict=True)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("data", [b"", b"<html>", b"[]", b"null", b'"x"', b'{"a":', b"[" * 10**5])
def test_parse_refuses_what_is_no_json_object(*, data: bytes, strict: bool) -> None:
    with pytest.raises(ValidationError):
        parse(t.TaskCreateResponse, data, strict=strict)


def test_an_object_is_decoded_also_if_it_holds_half_a_surrogate_pair() -> None:
    assert decode_object(rb'{"a": "\ud83d"}') == {"a": "\ud83d"}
    assert decode_object(b'{"a": "\xff"}') is None
