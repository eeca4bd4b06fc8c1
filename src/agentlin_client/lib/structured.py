"""What a task's answer is to look like: a Python type (or a JSON Schema) and back. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar, cast, overload

from agentlin_client._errors import OutputValidationError

from .schemas import is_object, strict

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import TypeAdapter

T = TypeVar("T")
AnyT = TypeVar("AnyT")

_WRAPPED: Final = "value"
"""The one property of the object around an answer that is no object itself."""


@dataclass(frozen=True, slots=True)
class OutputType(Generic[T]):
    """A type for a task's answer; made by `OutputType.of`.

    Attributes:
        schema: JSON Schema, as `structured_output` of create takes it.
        parse: From the answer's text to the value; raises OutputValidationError.
    """

    schema: Mapping[str, Any]
    parse: Callable[[str], T]

    @overload
    @classmethod
    def of(cls, spec: OutputSpec[AnyT]) -> OutputType[AnyT]: ...

    @overload
    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> OutputType[Any]: ...

    @overload
    @classmethod
    def of(cls, spec: object) -> OutputType[Any]: ...

    @classmethod
    def of(cls, spec: object) -> OutputType[Any]:
        """Read what the answer is to look like.

        A type's schema is made for providers that enforce it: objects are closed and all their
        properties required, those with a default too, so that a model which may leave a value out
        needs a type that allows None. An answer that is not an object (a list, a union) is asked
        for, and taken out of, an object with one property, `value`.

        >>> OutputType.of(list[int]).parse('{"value": [1, 2]}')
        [1, 2]

        Args:
            spec: A pydantic model, dataclass, TypedDict or any other type that pydantic knows, or
                a `TypeAdapter`; or a JSON Schema, which is sent as it is: then `parse` returns the
                decoded JSON and leaves it to the server to have checked it.

        Raises:
            TypeError: The type has no JSON Schema.
        """
        if isinstance(spec, OutputType):
            return cast("OutputType[Any]", spec)
        if isinstance(spec, Mapping):
            return OutputType(cast("Mapping[str, Any]", spec), _decoded)
        return _of_type(spec)


def _of_type(spec: object) -> OutputType[Any]:
    from pydantic import TypeAdapter
    from pydantic.errors import PydanticUserError

    try:
        is_adapter = isinstance(spec, TypeAdapter)
        adapter = cast("TypeAdapter[Any]", spec) if is_adapter else TypeAdapter(cast("Any", spec))
        schema = strict(adapter.json_schema())
    except PydanticUserError as error:
        raise TypeError(f"there is no JSON Schema for {spec!r}: {error.message}") from error
    if is_object(schema):
        return OutputType(schema, lambda text: _validated(adapter, text))
    definitions = schema.pop("$defs", None)
    wrapped: dict[str, Any] = {
        "type": "object",
        "properties": {_WRAPPED: schema},
        "required": [_WRAPPED],
        "additionalProperties": False,
    }
    if definitions:
        wrapped["$defs"] = definitions
    return OutputType(wrapped, lambda text: _validated(adapter, _unwrapped(text)))


def _validated(adapter: TypeAdapter[Any], text: str) -> Any:
    from pydantic import ValidationError

    try:
        return adapter.validate_json(text)
    except ValidationError as error:
        mistakes = error.errors(include_url=False, include_context=False, include_input=False)
        errors = [cast("dict[str, Any]", mistake) for mistake in mistakes]
        first = errors[0]
        place = ".".join(str(part) for part in first["loc"])
        raise OutputValidationError(
            f"the answer does not fit the type: {place + ': ' if place else ''}{first['msg']}",
            text=text,
            errors=errors,
        ) from error


def _unwrapped(text: str) -> str:
    answer = _decoded(text)
    if not isinstance(answer, dict) or _WRAPPED not in answer:
        raise OutputValidationError(
            f"the answer is not an object with a property {_WRAPPED!r}", text=text, errors=[]
        )
    return json.dumps(answer[_WRAPPED])


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise OutputValidationError(
            f"the answer is no JSON: {error}", text=text, errors=[]
        ) from error


OutputSpec: TypeAlias = "type[T] | TypeAdapter[T] | OutputType[T]"
"""A type that answers can have, in the forms that a type checker can follow."""
