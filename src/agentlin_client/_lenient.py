"""From JSON to typed objects, whatever the JSON: what fits is validated, the rest is kept.

A server may be newer than this client, or wrong in a detail. A program that reads a field which
is fine should not fail for one which is not. So where an answer does not fit its type, an object
of the type is built all the same, part by part.

That goes for our models and those derived from them. Of any other class we don't know what its
author relies on (validators, a root value, names in JSON that are no names of fields): what does
not fit such a class is no object of it.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from types import UnionType
from typing import Annotated, Any, Final, Literal, TypeVar, Union, cast, get_args, get_origin

from pydantic import BaseModel as AnyModel
from pydantic import PydanticSchemaGenerationError, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from agentlin_client._models import BaseModel
from agentlin_client.types.unknown import KNOWN_TYPES_ONLY

ModelT = TypeVar("ModelT", bound=AnyModel)

_TAG: Final = "type"
"""The field that tells the members of our unions apart."""


def parse(cast_to: type[ModelT], data: bytes, *, strict: bool) -> ModelT:
    """Return a JSON object as `cast_to`: validated if it fits, else built by `construct`.

    Args:
        cast_to: The model; only a class derived from our `BaseModel` is built.
        data: JSON text, UTF-8.
        strict: Refuse what does not fit, and objects of unknown types.

    Raises:
        ValidationError: The text is no JSON object; or it does not fit, and `strict` is set or
            `cast_to` is a foreign class.
    """
    try:
        return cast_to.model_validate_json(data, context=KNOWN_TYPES_ONLY if strict else None)
    except ValidationError:
        is_built = not strict and issubclass(cast_to, BaseModel)
        body = decode_object(data) if is_built else None
        if body is None:
            raise
    return construct(cast_to, body)


def decode_object(data: bytes) -> dict[str, Any] | None:
    r"""Return the JSON object that a text holds; None if it is anything else.

    Takes what a validator of pydantic does not: half a surrogate pair (`"\\ud83d"`), which is what
    some servers make of an emoji that two deltas share.
    """
    try:
        body: object = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", body) if isinstance(body, dict) else None


def construct(hint: Any, value: Any) -> Any:
    """Return a decoded JSON value as what a type hint says, as far as it fits. Never raises.

    - What is valid becomes what it always becomes.
    - An object where a model should be becomes that model, whatever its fields: those that are
      valid are validated, those that are not are constructed by these same rules, unknown ones
      are kept, absent ones have their defaults. A field that is required and absent has none:
      reading it raises AttributeError, which names the model and the field; `to_dict`,
      `model_fields_set` and `hasattr` tell that it is not there.
    - Elements of lists and values of dicts likewise, one by one.
    - In a union it is the object's `type` that chooses the model.
    - All else is kept as it came: a string where a number should be stays a string, an object
      that does not fit a model which is not derived from our `BaseModel` stays a dict.

    Args:
        hint: A model, or any hint made of models and plain types, such as AgentTaskEvent.
        value: What a JSON decoder returned.
    """
    return _part(hint).build(value)


class _Part:
    """A type hint, and how to build what it says; the adapters are made on first use."""

    def __init__(self, hint: Any) -> None:
        self._hint = hint

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        return TypeAdapter(self._hint)

    @cached_property
    def _members(self) -> Sequence[Any]:
        return tuple(_members(self._hint))

    @cached_property
    def _models(self) -> Sequence[type[BaseModel]]:
        return [hint for hint in self._members if _is_model(hint)]

    @cached_property
    def _element(self) -> "_Part | None":
        """Of a list."""
        return self._inside(list)

    @cached_property
    def _entry(self) -> "_Part | None":
        """The value, of a dict."""
        return self._inside(dict)

    def build(self, value: Any) -> Any:
        """Return `value` as the hint says, as far as it fits."""
        try:
            return self._adapter.validate_python(value)
        except (ValidationError, PydanticSchemaGenerationError):
            pass  # it does not fit; or it is of a class that is no part of JSON
        if isinstance(value, dict):
            return self._build_object(cast("dict[str, Any]", value))
        if isinstance(value, list) and (element := self._element):
            return [element.build(each) for each in cast("list[Any]", value)]
        return cast("Any", value)

    def _build_object(self, value: dict[str, Any]) -> Any:
        if model := self._choose(value.get(_TAG)):
            return _build_model(model, value)
        if entry := self._entry:
            return {key: entry.build(each) for key, each in value.items()}
        return value

    def _choose(self, tag: object) -> type[BaseModel] | None:
        """Return the model for an object of this `type`; None if there is no telling."""
        if len(self._models) == 1:
            return self._models[0]
        if not isinstance(tag, str):
            return None
        untagged: type[BaseModel] | None = None  # the one for any other type
        for model in self._models:
            tags = _tags(model)
            if tag in tags:
                return model
            if not tags:
                untagged = model
        return untagged

    def _inside(self, container: type) -> "_Part | None":
        for hint in self._members:
            if get_origin(hint) is container:
                return _Part(get_args(hint)[-1])
        return None


@cache
def _parts(model: type[BaseModel]) -> Mapping[str, tuple[str, _Part]]:
    """Return each field's name in JSON, and its part."""
    return {
        name: (_key_of(field) or name, _Part(_hint_of(field)))
        for name, field in model.model_fields.items()
    }


def _key_of(field: FieldInfo) -> str | None:
    alias = field.validation_alias  # pydantic copies `alias` there
    return alias if isinstance(alias, str) else field.alias


def _hint_of(field: FieldInfo) -> Any:
    hint: Any = field.annotation
    for constraint in field.metadata:
        hint = Annotated[hint, constraint]
    return hint


def _build_model(model: type[BaseModel], value: Mapping[str, Any]) -> BaseModel:
    fields: dict[str, Any] = {}
    parts = _parts(model)
    for name, (key, part) in parts.items():
        if key in value:
            fields[name] = part.build(value[key])
    built = model.model_construct(set(fields), **fields)
    if built.model_extra is not None:
        keys = {key for key, _ in parts.values()}
        extra = {key: each for key, each in value.items() if key not in keys}
        built.model_extra.update(extra)
        built.model_fields_set.update(extra)
    return built


def _members(hint: Any) -> list[Any]:
    """Return what a hint is a union of, without any nesting; itself if it is none."""
    origin = get_origin(hint)
    if origin is Annotated:
        return _members(get_args(hint)[0])
    if origin is Union or origin is UnionType:
        return [member for each in get_args(hint) for member in _members(each)]
    return [hint]


def _is_model(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, BaseModel)


def _tags(model: type[BaseModel]) -> Sequence[Any]:
    """Return the values that the model's `type` may have; none if it may be any."""
    field = model.model_fields.get(_TAG)
    hint = None if field is None else field.annotation
    return get_args(hint) if get_origin(hint) is Literal else ()


@cache
def _part(hint: Any) -> _Part:
    return _Part(hint)
