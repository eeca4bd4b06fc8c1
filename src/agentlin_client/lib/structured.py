"""What a task's answer is to look like: a Python type (or a JSON Schema) and back. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar, cast, overload

from agentlin_client._errors import OutputValidationError

from .schemas import is_object, strict

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")
AnyT = TypeVar("AnyT")

_WRAPPED: Final = "value"
"""The one property of the object around an answer that is no object itself."""

_NOT_WRAPPED: Final = frozenset({"dict_type", "missing"})
"""What pydantic calls the lack of that object, and of that property."""


@dataclass(frozen=True, slots=True)
class OutputType(Generic[T]):
    """A type for a task's answer; made by `OutputType.of`.

    Attributes:
        schema: JSON Schema, as `structured_output` of create takes it.
    """

    schema: Mapping[str, Any]
    _adapter: TypeAdapter[Any] | None  # None where a JSON Schema is all there is
    _is_wrapped: bool = False

    def parse(self, text: str) -> T:
        """Return the value that an answer's text stands for.

        Raises:
            OutputValidationError: The text is no JSON, or not of the type.
        """
        if self._adapter is None:
            return _decoded(text)
        if self._is_wrapped:
            return _unwrapped(self._adapter, text)
        return _validated(self._adapter, text)

    def __reduce__(self) -> tuple[Any, ...]:
        # A `TypeAdapter` can't be pickled, but the type that it is of can.
        spec = self.schema if self._adapter is None else getattr(self._adapter, "_type")  # noqa: B009
        return OutputType[Any].of, (spec,)

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
            return OutputType(cast("Mapping[str, Any]", spec), None)
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
        return OutputType(schema, adapter)
    definitions = schema.pop("$defs", None)
    wrapped: dict[str, Any] = {
        "type": "object",
        "properties": {_WRAPPED: schema},
        "required": [_WRAPPED],
        "additionalProperties": False,
    }
    if definitions:
        wrapped["$defs"] = definitions
    return OutputType(wrapped, adapter, _is_wrapped=True)


def _validated(adapter: TypeAdapter[Any], text: str) -> Any:
    from pydantic import ValidationError

    try:
        return adapter.validate_json(text)
    except ValidationError as error:
        raise _misfit(_mistakes(error), text) from error


def _unwrapped(adapter: TypeAdapter[Any], text: str) -> Any:
    from pydantic import ValidationError
    from pydantic_core import SchemaValidator, core_schema

    # As one, from the text: decoded in between, a Decimal would lose digits.
    field = core_schema.typed_dict_field(adapter.core_schema)
    validator = SchemaValidator(core_schema.typed_dict_schema({_WRAPPED: field}))
    try:
        return validator.validate_json(text)[_WRAPPED]
    except ValidationError as error:
        mistakes = _mistakes(error)
        if mistakes[0]["loc"] in {(), (_WRAPPED,)} and mistakes[0]["type"] in _NOT_WRAPPED:
            message = f"the answer is not an object with a property {_WRAPPED!r}"
            raise OutputValidationError(message, text=text, errors=[]) from error
        inner = [{**mistake, "loc": mistake["loc"][1:]} for mistake in mistakes]
        raise _misfit(inner, text) from error


def _mistakes(error: ValidationError) -> list[dict[str, Any]]:
    mistakes = error.errors(include_url=False, include_context=False, include_input=False)
    return [cast("dict[str, Any]", mistake) for mistake in mistakes]


def _misfit(mistakes: list[dict[str, Any]], text: str) -> OutputValidationError:
    place = ".".join(str(part) for part in mistakes[0]["loc"])
    return OutputValidationError(
        f"the answer does not fit the type: {place + ': ' if place else ''}{mistakes[0]['msg']}",
        text=text,
        errors=mistakes,
    )


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise OutputValidationError(
            f"the answer is no JSON: {error}", text=text, errors=[]
        ) from error


OutputSpec: TypeAlias = "type[T] | TypeAdapter[T] | OutputType[T]"
"""A type that answers can have, in the forms that a type checker can follow."""
