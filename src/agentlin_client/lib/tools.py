"""What a user writes around a tool: `@tool(...)`, `ToolOptions`, `ToolContext`. No pydantic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypedDict, TypeVar, cast, overload

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

_OPTIONS: Final = "__agentlin_tool__"


class ToolOptions(TypedDict, total=False):
    """What is not in a function's signature and docstring."""

    name: str
    """The name that the model knows the tool by; the function's own by default. 1 to 64 of
    A-Z a-z 0-9 _ and -."""

    description: str
    """What the tool does and when to call it; from the docstring by default."""

    timeout: float | None
    """How long a call may take, in seconds; `math.inf` for no limit. None for the run's own."""

    strict: bool
    """Whether the schema is made for providers that enforce it, and they are asked to: the model
    must then give every parameter, also those with a default."""


@dataclass(frozen=True, slots=True)
class ToolContext:
    """Which call a tool answers, for a parameter annotated with this class; hidden from the model.

    Attributes:
        task_id: The task that the call is of.
        call_id: The call, unique in the task.
    """

    task_id: str
    call_id: str

    @property
    def idempotency_key(self) -> str:
        """The same for each run of the same call: pass it on where an effect must happen once.

        A client that dies after it ran a tool and before it sent the result will be asked again.
        """
        return f"{self.task_id}:{self.call_id}"


@overload
def tool(function: FunctionT, /) -> FunctionT: ...


@overload
def tool(
    *,
    name: str = ...,
    description: str = ...,
    timeout: float | None = ...,
    strict: bool = ...,
) -> Callable[[FunctionT], FunctionT]: ...


def tool(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Give a function the options that it has as a tool; it stays the function that it is.

    >>> @tool(name="add", timeout=1.0)
    ... def plus(a: int, b: int) -> int:
    ...     return a + b
    >>> plus(1, 2), options_of(plus)
    (3, {'name': 'add', 'timeout': 1.0})

    What takes no attributes (a bound method, say) is wrapped in a `functools.partial`.

    Args:
        function: The function, where the decorator is used without parentheses.
        options: See `ToolOptions`.

    Raises:
        TypeError: There is no such option.
    """
    if unknown := options.keys() - ToolOptions.__annotations__.keys():
        raise TypeError(f"tool() has no option {min(unknown)!r}")

    def marked(function: Callable[..., Any]) -> Callable[..., Any]:
        try:
            setattr(function, _OPTIONS, options)
        except AttributeError:
            function = partial(function)
            setattr(function, _OPTIONS, options)
        return function

    return marked if function is None else marked(function)


def options_of(function: object) -> ToolOptions:
    """Return the options that `tool` has given to a function, none if it has not.

    Those of a `functools.partial` win over those of the function in it.
    """
    own = cast("ToolOptions", getattr(function, _OPTIONS, {}))
    if isinstance(function, partial):
        return {**options_of(cast("partial[Any]", function).func), **own}
    return own
