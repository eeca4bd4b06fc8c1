"""The contract's models: what they keep, how unions are told apart, what unwrap gives."""

import json
import pickle
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from agentlin_client import types as t
from agentlin_client._errors import TaskResponseError
from agentlin_client._models import BaseModel
from agentlin_client.types import _adapters as adapters
from agentlin_client.types.agent_task_event import EVENT_TYPES, KnownTaskEvent
from agentlin_client.types.tool_events import FunctionTool
from tests.types.instances import json_of
from tests.types.stream_builder import StreamBuilder, error
from tests.types.streams import valid_streams

EVENTS = get_args(KnownTaskEvent)
RESPONSES = (
    t.TaskCreateResponse,
    t.TaskRetrieveResponse,
    t.TaskDeleteResponse,
    t.TaskCancelResponse,
    t.TaskPauseResponse,
    t.TaskResumeResponse,
    t.TaskToolResultsResponse,
    t.TaskEventEnvelope,
)
PLAIN = (t.TaskObject, t.JsonrpcError, t.LogProb, t.TopLogProb, FunctionTool, *RESPONSES)
UNIONS: dict[str, TypeAdapter[Any]] = {
    "event": adapters.event_adapter(),
    "item": adapters.item_adapter(),
    "content": adapters.content_adapter(),
    "message content": adapters.message_content_adapter(),
    "annotation": TypeAdapter(t.Annotation),
}
SOURCES: dict[str, Any] = {
    "event": t.AgentTaskEvent,
    "item": t.TaskOutputItem,
    "content": t.ContentItem,
    "message content": t.MessageContent,
    "annotation": t.Annotation,
}
patient = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def dumped(value: Any) -> Any:
    """Return an instance as JSON would have it."""
    if isinstance(value, BaseModel):
        return json.loads(value.to_json())
    return [dumped(element) for element in value] if isinstance(value, list) else value


@pytest.mark.parametrize("model", [*EVENTS, *PLAIN], ids=lambda model: model.__name__)
@settings(patient, max_examples=10)
@given(data=st.data())
def test_any_instance_survives_to_json_and_back(
    model: type[BaseModel], data: st.DataObject
) -> None:
    sent = data.draw(json_of(model))
    instance = model.model_validate_json(json.dumps(sent))
    again = model.model_validate_json(instance.to_json())
    assert again == instance
    assert json.loads(instance.to_json(indent=None)) == sent
    assert model.model_validate(instance.to_dict(mode="json")) == instance
    assert instance.model_fields_set == set(sent)


@pytest.mark.parametrize("name", UNIONS)
@settings(patient, max_examples=40)
@given(data=st.data())
def test_any_member_of_a_union_survives(name: str, data: st.DataObject) -> None:
    adapter = UNIONS[name]
    sent = data.draw(json_of(SOURCES[name]))
    instance = adapter.validate_json(json.dumps(sent))
    assert dumped(instance) == sent
    again = adapter.validate_json(adapter.dump_json(instance, exclude_unset=True))
    assert again == instance
    assert type(again) is type(instance)


@given(valid_streams())
def test_valid_streams_decode_to_known_events_and_back(events: list[dict[str, Any]]) -> None:
    for event in events:
        frame = json.dumps({"jsonrpc": "2.0", "id": "req_1", "result": event})
        decoded = adapters.decode_envelope(frame).result
        assert decoded is not None
        assert decoded == adapters.decode_event(event) == adapters.decode_event(json.dumps(event))
        assert not isinstance(decoded, t.UnknownEvent)
        assert decoded.to_dict() == event


def test_the_contract_has_36_events_and_each_type_is_one_class() -> None:
    of_class = {name: m for m in EVENTS for name in get_args(m.model_fields["type"].annotation)}
    assert set(of_class) == EVENT_TYPES
    assert len(EVENT_TYPES) == len(EVENTS) == 36 + len({"task.snapshot"})


def test_events_of_an_unknown_type_keep_their_data() -> None:
    sent = {"type": "task.mood", "task_id": "t", "sequence_number": 7, "mood": {"good": True}}
    event = adapters.decode_event(sent)
    assert isinstance(event, t.UnknownEvent)
    assert (event.type, event.sequence_number, event.mood) == ("task.mood", 7, {"good": True})
    assert event.model_extra == {"mood": {"good": True}}
    assert event.to_dict() == sent


def test_items_content_and_annotations_of_an_unknown_type_keep_their_data() -> None:
    annotation = {"type": "footnote", "n": 1}
    content = [{"type": "hologram", "size": 3}, {"type": "text", "text": "x"}]
    content[1]["annotations"] = [annotation]
    output = [
        {"type": "dance", "id": "dn_1", "figure": "turn"},
        {"type": "message", "role": "assistant", "message_content": content},
    ]
    task = t.TaskObject.model_validate(task_json() | {"output": output})
    dance, message = task.output
    assert isinstance(dance, t.UnknownItem)
    assert (dance.id, dance.status, dance.figure) == ("dn_1", None, "turn")
    assert isinstance(message, t.MessageItem)
    hologram, text = message.message_content
    assert isinstance(hologram, t.UnknownContentItem)
    assert isinstance(text, t.TextContentItem)
    assert text.annotations is not None
    assert isinstance(text.annotations[0], t.UnknownAnnotation)
    assert task.to_dict()["output"] == output


def task_json() -> dict[str, Any]:
    build = StreamBuilder()
    build.create()
    return build.snapshot()


@pytest.mark.parametrize("name", ["event", "item", "content", "annotation"])
def test_an_invalid_object_of_a_known_type_is_an_error_and_not_an_unknown_one(name: str) -> None:
    known = {"event": "task.text.delta", "item": "message", "content": "text"}
    bare = {"type": known.get(name, "file_path"), "task_id": "t", "sequence_number": 1}
    with pytest.raises(ValidationError):
        UNIONS[name].validate_python(bare)


@pytest.mark.parametrize("sent", ["[]", "{", '{"type": 3}', '{"type": "task.mood"}', "null"])
def test_what_is_no_event_is_an_error(sent: str) -> None:
    with pytest.raises(ValidationError):
        adapters.decode_event(sent)


def test_an_envelope_may_hold_an_error_beside_or_instead_of_its_event() -> None:
    failed = {"jsonrpc": "2.0", "id": 7, "result": None, "error": error()}
    envelope = adapters.decode_envelope(json.dumps(failed).encode())
    assert (envelope.id, envelope.result) == (7, None)
    assert envelope.error is not None
    assert envelope.error.code == -32000


def test_unknown_fields_are_attributes() -> None:
    failure = t.JsonrpcError.model_validate(error() | {"hint": "try again"})
    assert failure.model_extra == {"hint": "try again"}
    assert getattr(failure, "hint") == "try again"  # noqa: B009  # pyright knows no such field


def test_defaults_are_left_out_unless_asked_for() -> None:
    sent = {"type": "url_citation", "start_index": 0, "end_index": 1, "title": "", "url": "u"}
    citation = t.AnnotationURLCitation.model_validate(sent)
    assert citation.to_dict() == sent
    failure = t.JsonrpcError(code=1, message="m")
    assert failure.to_dict(exclude_unset=False) == {"code": 1, "message": "m", "data": None}
    assert failure.to_dict(exclude_unset=False, exclude_none=True) == {"code": 1, "message": "m"}
    assert failure.to_json(indent=None, exclude_defaults=True) == '{"code":1,"message":"m"}'


def test_instances_pickle() -> None:
    task = t.TaskObject.model_validate(task_json())
    assert pickle.loads(pickle.dumps(task)) == task


@pytest.mark.parametrize("response", RESPONSES[:4], ids=lambda model: model.__name__)
def test_unwrap_gives_the_task_also_a_failed_one(response: type[t.TaskCreateResponse]) -> None:
    task = task_json() | {"status": "failed", "error": error()}
    envelope = response.model_validate({"jsonrpc": "2.0", "id": "req_1", "result": task})
    assert envelope.unwrap() is envelope.result
    assert envelope.unwrap().status == "failed"


def test_unwrap_of_an_error_raises_it_with_the_task_that_came_along() -> None:
    sent = {"jsonrpc": "2.0", "id": None, "result": task_json(), "error": error()}
    envelope = t.TaskCancelResponse.model_validate(sent)
    with pytest.raises(TaskResponseError, match=r"it broke \(-32000\)") as caught:
        envelope.unwrap()
    assert caught.value.error == envelope.error
    assert caught.value.task == envelope.result


def test_unwrap_of_nothing_raises() -> None:
    with pytest.raises(TaskResponseError, match="neither a task nor an error") as caught:
        t.TaskDeleteResponse.model_validate({"jsonrpc": "2.0"}).unwrap()
    assert (caught.value.error, caught.value.task) == (None, None)
