"""A Python function as a tool that a model may call. Pure.

The schema comes from signature and type hints, the descriptions from the docstring:

    @tool(timeout=10)
    def forecast(city: str, days: int = 1) -> Forecast:
        '''Forecast the weather of a city.

Args:
            city: Its English name.
            days: How many days ahead, 1 to 7.
        '''
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from .arguments import Arguments, code_of, innermost, read_arguments
from .docstrings import parse_docstring
from .tools import ToolContext, ToolOptions, options_of

if TYPE_CHECKING:
    from agentlin_client.types import FunctionDefinitionParam, FunctionToolParam

# What providers accept as a name.
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionTool:
    """A function that a model may call; made by `FunctionTool.of`.

    Attributes:
        name: What the model calls it.
        description: What it does and when to call it, None if nobody said so.
        timeout: How long a call may take, in seconds; None for the run's own.
        strict: Whether providers are asked to enforce the schema.
        is_async: Whether it has to be awaited.
        function: What is called.
    """

    name: str
    description: str | None
    timeout: float | None
    strict: bool
    is_async: bool
    function: Callable[..., Any]
    _arguments: Arguments

    @classmethod
    def of(cls, spec: ToolSpec) -> FunctionTool:
        """Make a tool of a function, a bound method, a partial, or an object that can be called.

        Args:
            spec: The function, or it and its `ToolOptions`, which win over those of `@tool`.

        Raises:
            TypeError: It can't be a tool: it is a class, a generator, or has parameters that a
                model can't give; the message says which and what to do.
            ValueError: Its name is not one that providers accept.
        """
        if isinstance(spec, FunctionTool):
            return spec
        function, options = _split(spec)
        name = options.get("name") or _own_name(function)
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"{name!r} can't be a tool's name (1 to 64 of A-Z a-z 0-9 _ -): "
                "give it one, e.g. by @tool(name=...)"
            )
        try:
            code = _checked_code(function)
            docstring = parse_docstring(code.__doc__)
            is_strict = options.get("strict", False)
            arguments = read_arguments(function, docstring.parameters, strict=is_strict)
        except TypeError as error:
            raise TypeError(f"{name} can't be a tool: {error}") from error
        return cls(
            name=name,
            description=options.get("description") or docstring.text or None,
            timeout=options.get("timeout"),
            strict=is_strict,
            is_async=inspect.iscoroutinefunction(code),
            function=function,
            _arguments=arguments,
        )

    @property
    def definition(self) -> FunctionToolParam:
        """The tool as `client_tools` has it."""
        function: FunctionDefinitionParam = {
            "name": self.name,
            "parameters": self._arguments.schema,
        }
        if self.description is not None:
            function["description"] = self.description
        if self.strict:
            function["strict"] = True
        return {"type": "function", "function": function}

    def invoke(self, arguments: str, context: ToolContext | None = None) -> Any:
        """Call the function with the arguments that a model wrote.

        Args:
            arguments: JSON text.
            context: For parameters annotated `ToolContext`.

        Returns:
            What the function returns; of an async function, what is to be awaited.

        Raises:
            ToolArgumentsError: The arguments are not valid; the function was not called.
            Exception: Whatever the function raises.
        """
        return self.function(**self._arguments.read(arguments, context))


ToolSpec: TypeAlias = FunctionTool | Callable[..., Any] | tuple[Callable[..., Any], ToolOptions]
"""What can be given as a tool: a function, or it and its options."""


def _split(
    spec: Callable[..., Any] | tuple[Callable[..., Any], ToolOptions],
) -> tuple[Callable[..., Any], ToolOptions]:
    if not isinstance(spec, tuple):
        return spec, options_of(spec)
    function, options = cast("tuple[Callable[..., Any], ToolOptions]", spec)
    return function, {**options_of(function), **options}


def _own_name(function: Callable[..., Any]) -> str:
    function = innermost(function)
    return getattr(function, "__name__", None) or type(function).__name__


def _checked_code(function: Callable[..., Any]) -> Callable[..., Any]:
    if not callable(cast("object", function)):
        raise TypeError("it is no function")
    if isinstance(function, type):
        raise TypeError("it is a class: write a function that makes the object")
    code = code_of(function)
    if inspect.isgeneratorfunction(code) or inspect.isasyncgenfunction(code):
        raise TypeError("it is a generator: return a list instead")
    return code
