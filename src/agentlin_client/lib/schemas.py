"""JSON Schemas as pydantic writes them -> as a model should read them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Schema = dict[str, Any]

# The keywords whose values hold schemas; all others (default, enum, const, examples) hold data.
_NAMED: Final = frozenset({"properties", "$defs", "definitions", "patternProperties"})
_LISTED: Final = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_SINGLE: Final = frozenset(
    {"items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"}
)


def tidy(schema: Mapping[str, Any]) -> Schema:
    """Return the schema without titles, its objects closed.

    Titles only repeat the names of properties. An object that lists its properties gets
    `additionalProperties: false`, unless it says what it does with others.

    >>> tidy({"title": "Place", "properties": {"title": {"title": "Title", "type": "string"}}})
    {'properties': {'title': {'type': 'string'}}, 'additionalProperties': False}
    """
    return _mapped(schema, _tidied)


def strict(schema: Mapping[str, Any]) -> Schema:
    """Return the schema in the form that strict providers take: tidy, and nothing left open.

    All properties are required and no others allowed, defaults are gone (the model gives every
    value), `oneOf` is `anyOf`, and a `$ref` stands alone. What they can't take and nothing can
    say in another way, such as objects with free keys, stays as it is.

    >>> strict({"properties": {"a": {"type": "integer", "default": 1}}})["required"]
    ['a']
    """
    hoisted = dict(schema)
    if "$ref" in hoisted:  # the root must be an object itself; pydantic refers to it if it recurs
        name = str(hoisted.pop("$ref")).rpartition("/")[2]
        hoisted = {**hoisted["$defs"][name], **hoisted}
    return _mapped(hoisted, _made_strict)


def is_object(schema: Mapping[str, Any]) -> bool:
    """Return whether the schema, in the form of `strict`, is one of an object."""
    return schema.get("type") == "object"


def _mapped(schema: Mapping[str, Any], change: Callable[[Schema], Schema]) -> Schema:
    """Return the schema with `change` made to it and to all schemas in it, inner ones first."""

    def mapped(value: Any) -> Any:  # `true` and `false` are schemas too
        return _mapped(cast("Schema", value), change) if isinstance(value, dict) else value

    def children(keyword: str, value: Any) -> Any:
        if keyword in _NAMED:
            return {name: mapped(child) for name, child in value.items()}
        if keyword in _LISTED:
            return [mapped(child) for child in value]
        return mapped(value) if keyword in _SINGLE else value

    return change({keyword: children(keyword, value) for keyword, value in schema.items()})


def _tidied(schema: Schema) -> Schema:
    schema.pop("title", None)
    if "properties" in schema:
        schema.setdefault("additionalProperties", False)
    return schema


def _made_strict(schema: Schema) -> Schema:
    schema = _tidied(schema)
    schema.pop("default", None)
    schema.pop("discriminator", None)
    if "oneOf" in schema:
        schema["anyOf"] = schema.pop("oneOf")
    if "properties" in schema:
        schema["required"] = list(schema["properties"])
        schema["additionalProperties"] = False
    if "$ref" in schema and len(schema) > 1:
        schema = {"anyOf": [{"$ref": schema.pop("$ref")}], **schema}
    return schema
