"""The parameters of a function, as JSON Schema for a model and as a validator of what it writes.

Pure, but for pydantic, which builds both from the type hints.
"""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass
from types import SimpleNamespace, UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Final,
    NotRequired,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticSerializationError, to_jsonable_python
from typing_extensions import TypedDict

from agentlin_client._errors import ToolArgumentsError

from .schemas import strict as strict_schema
from .schemas import tidy
from .tools import ToolContext

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SHOWN_CHARS_MAX: Final = 100
"""How much of a wrong value an error repeats."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a function can be called with.

    Attributes:
        schema: JSON Schema of the arguments: one object, closed.
    """

    schema: Mapping[str, Any]
    _adapter: TypeAdapter[dict[str, Any]]
    _contexts: tuple[str, ...]

    def read(self, text: str, context: ToolContext | None) -> dict[str, Any]:
        """Return the keyword arguments for a call, validated and converted.

        Args:
            text: A JSON object, as the model wrote it; nothing at all counts as `{}`.
            context: For the parameters that ask for it.

        Raises:
            ToolArgumentsError: The arguments are no JSON or not of the schema; says what is wrong
                in words for the model.
        """
        try:
            given = self._adapter.validate_json(text if text.strip() else "{}")
        except ValidationError as error:
            raise ToolArgumentsError(_explained(error)) from error
        return {**given, **dict.fromkeys(self._contexts, context)}


def read_arguments(
    function: Callable[..., Any], descriptions: Mapping[str, str], *, strict: bool
) -> Arguments:
    """Read the signature and the type hints of a function.

    A parameter that a `functools.partial` has bound is not offered to the model, nor is one
    annotated `ToolContext`; one without annotation takes any JSON.

    Args:
        function: What is to be called.
        descriptions: What the docstring says of each parameter; a `Field(description=...)` wins.
        strict: Whether the schema is to be in the form that strict providers take.

    Raises:
        TypeError: The function has parameters that a JSON object can't name (positional-only,
            `*args`, `**kwargs`), or hints without a JSON Schema.
    """
    hints = _hints(function)
    offered: dict[str, inspect.Parameter] = {}
    contexts: list[str] = []
    for name, parameter in _parameters(function).items():
        if _is_context(hints.get(name)):
            contexts.append(name)
        else:
            offered[name] = parameter
    fields = {name: _field_type(hints.get(name, Any), given) for name, given in offered.items()}
    try:
        adapter = _adapter(fields)
        schema = adapter.json_schema()
    except PydanticUserError as error:
        raise TypeError(f"its annotations have no JSON Schema: {error.message}") from error
    _describe(schema, offered, descriptions)
    clean = strict_schema(schema) if strict else tidy(schema)
    return Arguments(clean, adapter, tuple(contexts))


def innermost(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function in a `functools.partial`, however deep."""
    while isinstance(function, functools.partial):
        function = cast("functools.partial[Any]", function).func
    return function


def code_of(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return what has the hints: the function in a partial, or an object's `__call__`."""
    function = innermost(function)
    if inspect.isroutine(function):
        return function
    return type(function).__call__


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    refused = {
        inspect.Parameter.POSITIONAL_ONLY: "is positional-only, but a model names its arguments",
        inspect.Parameter.VAR_POSITIONAL: "takes any number of values; use a list",
        inspect.Parameter.VAR_KEYWORD: "takes any name; use a parameter of type dict",
    }
    parameters = _signed(function)
    while isinstance(function, functools.partial):
        bound = cast("functools.partial[Any]", function)
        parameters = {name: p for name, p in parameters.items() if name not in bound.keywords}
        function = bound.func
    for name, parameter in parameters.items():
        if parameter.kind in refused:
            raise TypeError(f"the parameter {name!r} {refused[parameter.kind]}")
    first = next(iter(parameters.values()), None)
    if first is not None and first.name in {"self", "cls"} and first.annotation is first.empty:
        raise TypeError("it is a method of no object: pass the method of an instance")
    return parameters


def _signed(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    try:
        return dict(inspect.signature(function).parameters)
    except ValueError as error:
        raise TypeError("it does not tell its parameters") from error


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    code = code_of(function)
    # The parameters' alone: a result may well have a type that only a type checker can import.
    annotations = {
        name: parameter.annotation
        for name, parameter in _signed(code).items()
        if parameter.annotation is not inspect.Parameter.empty
    }
    names = getattr(inspect.unwrap(getattr(code, "__func__", code)), "__globals__", {})
    try:
        return get_type_hints(
            SimpleNamespace(__annotations__=annotations), globalns=names, include_extras=True
        )
    except NameError as error:
        raise TypeError(
            f"its annotations name {error.name!r}, which is unknown at run time: import it outside "
            "TYPE_CHECKING, and define it at the top of the module"
        ) from error


def _is_context(hint: object) -> bool:
    if get_origin(hint) in {Annotated, Union, UnionType}:
        return any(_is_context(part) for part in get_args(hint))
    return hint is ToolContext


def _field_type(hint: Any, parameter: inspect.Parameter) -> Any:
    default = parameter.default
    if isinstance(default, FieldInfo):
        is_required = default.is_required()
        hint = Annotated[hint, default]
    else:
        is_required = default is parameter.empty
    return hint if is_required else NotRequired[hint]


def _adapter(fields: Mapping[str, Any]) -> TypeAdapter[dict[str, Any]]:
    # A TypedDict takes any name, those of a pydantic model's own methods too, and what was not
    # given stays out, so that the function's own defaults apply (but a `Field`'s is put in).
    shape = cast("Any", TypedDict)("Arguments", dict(fields))
    shape.__pydantic_config__ = ConfigDict(extra="forbid")
    return TypeAdapter(shape)


def _describe(
    schema: Mapping[str, Any],
    parameters: Mapping[str, inspect.Parameter],
    descriptions: Mapping[str, str],
) -> None:
    for name, parameter in parameters.items():
        entry: dict[str, Any] | None = schema["properties"].get(name)
        if entry is None:  # the hint gives it an alias
            continue
        if name in descriptions:
            entry.setdefault("description", descriptions[name])
        default = parameter.default
        if default is parameter.empty or isinstance(default, FieldInfo):
            continue
        try:
            entry.setdefault("default", to_jsonable_python(default))
        except PydanticSerializationError:
            continue  # the model needn't know it


def _explained(error: ValidationError) -> str:
    lines = ["The call was not run, its arguments are not valid:"]
    for mistake in error.errors(include_url=False, include_context=False):
        place = ".".join(str(part) for part in mistake["loc"])
        shown = repr(mistake["input"])
        if len(shown) > _SHOWN_CHARS_MAX:
            shown = f"{shown[:_SHOWN_CHARS_MAX]}..."
        got = "" if mistake["type"] == "missing" else f" (got {shown})"
        lines.append(f"- {place + ': ' if place else ''}{mistake['msg']}{got}")
    return "\n".join(lines)
