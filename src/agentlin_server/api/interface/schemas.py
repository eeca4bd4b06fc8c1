"""The schemas of the document, generated from the contract types."""

import re
from collections.abc import Mapping
from typing import Any, Final, Literal, cast

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from agentlin_client import types as contract
from agentlin_client.types import JsonrpcError, TaskObject
from agentlin_server.api.interface import docstrings

_REF_TEMPLATE: Final = "#/components/schemas/{model}"

# Names that stand for a union or a set of words, and the modules that define them. Inner ones
# come first: an outer one refers to them by name.
_ALIASES: Final = {
    "TaskStatus": "status",
    "ItemStatus": "items",
    "Annotation": "annotations",
    "ContentItem": "content",
    "MessageContent": "content",
    "TaskOutputItem": "items",
    "AgentTaskEvent": "agent_task_event",
    "AnnotationParam": "annotation_params",
    "MessageContentParam": "content_params",
    "HistoryItemParam": "item_params",
}
_CLASSES: Final = (
    "TaskCreateBody",
    "ToolResultsParams",
    "TaskCreateResponse",
    "TaskRetrieveResponse",
    "TaskCancelResponse",
    "TaskDeleteResponse",
    "TaskPauseResponse",
    "TaskResumeResponse",
    "TaskToolResultsResponse",
    "TaskEventEnvelope",
)
_WORDS: Final = (
    (re.compile(r"\bNone\b"), "null"),
    (re.compile(r"\bTrue\b"), "true"),
    (re.compile(r"\bFalse\b"), "false"),
    (re.compile(r"\s*Source: contract[^\n]*"), ""),
    (re.compile(r"\s*\((?:contract, )?section \d[^)]*\)"), ""),
)
"""What docstrings say for Python, and what it is on the wire."""

_BESIDE_A_REF: Final = frozenset({"default", "description"})


class TaskListResponse(BaseModel):
    """One page of tasks, newest first."""

    jsonrpc: Literal["2.0"]
    """Always `2.0`."""

    id: str
    """Id of the request."""

    result: list[TaskObject]
    """The tasks, without their rollouts; an empty list ends the paging."""


class ErrorResponse(BaseModel):
    """The envelope of a request that failed."""

    jsonrpc: Literal["2.0"]
    """Always `2.0`."""

    id: str
    """Id of the request; also in the header `X-Request-ID`."""

    error: JsonrpcError
    """What is wrong."""


class Health(BaseModel):
    """The process lives."""

    status: Literal["ok"]
    """Always `ok`."""

    version: str
    """The server's version."""


class Readiness(BaseModel):
    """Whether the server can take tasks."""

    status: Literal["ready", "unavailable"]
    """`unavailable` comes with status 503."""

    version: str | None = None
    """The server's version, if it is ready."""

    reason: str | None = None
    """What is missing, if it is not, e.g. `database`."""


def ref(name: str) -> dict[str, Any]:
    """Return a reference to a schema."""
    return {"$ref": _REF_TEMPLATE.format(model=name)}


def components() -> dict[str, Any]:
    """Return all schemas by name: those of the contract, and of the server's own answers."""
    named = {name: getattr(contract, name) for name in (*_ALIASES, *_CLASSES)}
    ours = (TaskListResponse, ErrorResponse, Health, Readiness)
    adapters: dict[str, TypeAdapter[Any]] = {
        name: TypeAdapter(form) for name, form in (named | {c.__name__: c for c in ours}).items()
    }
    by_key, shared = TypeAdapter.json_schemas(
        [(name, "validation", adapter) for name, adapter in adapters.items()],
        ref_template=_REF_TEMPLATE,
        schema_generator=_Documented,
    )
    schemas: dict[str, Any] = dict(shared["$defs"])
    for name, module in _ALIASES.items():
        alias = by_key[name, "validation"]
        schemas = cast("dict[str, Any]", _by_name(schemas, name, alias))
        by_key = cast("dict[Any, JsonSchemaValue]", _by_name(by_key, name, alias))
        docs = docstrings.of_names(f"{contract.__name__}.{module}")
        schemas[name] = {"title": name, "description": _worded(docs.get(name, ""))} | alias
    return dict(sorted(schemas.items()))


class _Documented(GenerateJsonSchema):
    """Pydantic's generator, with the fields' docstrings and without titles made of names."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """Describe a model."""
        return _described(super().model_schema(schema), schema["cls"])

    def typed_dict_schema(self, schema: core_schema.TypedDictSchema) -> JsonSchemaValue:
        """Describe a TypedDict."""
        described = super().typed_dict_schema(schema)
        cls = schema.get("cls")
        return described if cls is None else _described(described, cls)

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        """Describe a union that is told apart by a field, or by a function.

        A function's choice is not for JSON Schema to repeat: there `oneOf` would refuse what
        fits two members, e.g. an item of type message, which has a chat message's fields too.
        """
        described = super().tagged_union_schema(schema)
        if "oneOf" in described and "discriminator" not in described:
            described["anyOf"] = described.pop("oneOf")
        return described

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 # pydantic's
        """Leave out titles like "Task Id" for `task_id`."""
        return False


def _described(schema: JsonSchemaValue, cls: type) -> JsonSchemaValue:
    docs = docstrings.of_fields(cls)
    if "description" in schema:
        schema["description"] = _worded(schema["description"])
    properties: Mapping[str, JsonSchemaValue] = schema.get("properties", {})
    for name, prop in properties.items():
        if name in docs:
            prop.setdefault("description", _worded(docs[name]))
        if prop.get("default", ...) is None:
            del prop["default"]  # an absent field and null mean the same, everywhere
    return schema


def _worded(doc: str) -> str:
    """Return a docstring in the words of JSON, without references to our own papers."""
    for pattern, words in _WORDS:
        doc = pattern.sub(words, doc)
    return doc


def _by_name(value: object, name: str, alias: JsonSchemaValue) -> object:
    """Return a copy of `value` in which `name` stands for each schema that equals `alias`."""
    if isinstance(value, list):
        return [_by_name(element, name, alias) for element in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    schema = cast("dict[str, Any]", value)
    beside = {key: schema[key] for key in schema if key not in alias}
    if alias.items() <= schema.items() and beside.keys() <= _BESIDE_A_REF:
        return ref(name) | beside
    copy: dict[str, Any] = {key: _by_name(element, name, alias) for key, element in schema.items()}
    members: list[object] = alias.get("anyOf", [])
    wider: list[object] = copy.get("anyOf", [])
    if members and all(member in wider for member in members):
        # The union went up in a wider one, e.g. with null.
        copy["anyOf"] = [ref(name), *(member for member in wider if member not in members)]
    return copy
