"""A Python function becomes a tool: its schema, its description, and how it is called."""

import dataclasses
import datetime as dt
import enum
import functools
import json
import math
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any, Literal

import pydantic
import pytest
from pydantic import Field
from typing_extensions import TypedDict

from agentlin_client import ToolArgumentsError
from agentlin_client.lib.functions import FunctionTool
from agentlin_client.lib.tools import ToolContext, tool

CONTEXT = ToolContext(task_id="task_1", call_id="call_1")


def parameters(function: Any) -> dict[str, Any]:
    return dict(FunctionTool.of(function).definition["function"]["parameters"])


def properties(function: Any) -> dict[str, Any]:
    return parameters(function)["properties"]


class Unit(enum.Enum):
    CELSIUS = "C"
    FAHRENHEIT = "F"


class Place(pydantic.BaseModel):
    """Where it is."""

    title: str
    height: Annotated[float, Field(description="In metres.")] = 0.0


class Options(TypedDict, total=False):
    wind: bool


@dataclasses.dataclass
class Span:
    start: dt.date
    days: int = 1


# --------------------------------------------------------------------------------------------------
# Definition


def test_a_function_becomes_the_tool_that_the_wire_has() -> None:
    def get_weather(city: str, days: int = 1) -> str:
        """Forecast the weather.

        Args:
            city: Its English name.
            days: How many ahead.

        Returns:
            Not shown.
        """
        return f"{city} {days}"

    assert FunctionTool.of(get_weather).definition == {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Forecast the weather.",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string", "description": "Its English name."},
                    "days": {
                        "type": "integer",
                        "description": "How many ahead.",
                        "default": 1,
                    },
                },
                "required": ["city"],
                "additionalProperties": False,
            },
        },
    }


def test_a_function_without_parameters_and_docstring_will_do() -> None:
    def ping() -> None: ...

    assert FunctionTool.of(ping).definition["function"] == {
        "name": "ping",
        "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
    }


def test_every_kind_of_hint_has_its_schema() -> None:
    def f(
        unit: Unit,
        place: Place,
        span: Span,
        options: Options,
        how: Literal["a", "b"],
        maybe: int | None,
        many: list[Place],
        limited: Annotated[int, Field(ge=1, description="From one.")],
        anything,
    ) -> None: ...

    schema = parameters(f)
    found = schema["properties"]
    assert schema["$defs"]["Unit"] == {"enum": ["C", "F"], "type": "string"}
    assert schema["$defs"]["Place"] == {
        "type": "object",
        "description": "Where it is.",
        "properties": {
            "title": {"type": "string"},
            "height": {"type": "number", "default": 0.0, "description": "In metres."},
        },
        "required": ["title"],
        "additionalProperties": False,
    }
    assert schema["$defs"]["Span"]["properties"]["start"] == {"type": "string", "format": "date"}
    assert schema["$defs"]["Options"]["additionalProperties"] is False
    assert found["how"] == {"enum": ["a", "b"], "type": "string"}
    assert found["maybe"] == {"anyOf": [{"type": "integer"}, {"type": "null"}]}
    assert found["many"]["items"] == {"$ref": "#/$defs/Place"}
    assert found["limited"] == {"type": "integer", "minimum": 1, "description": "From one."}
    assert found["anything"] == {}
    assert schema["required"] == list(found)


def test_names_that_a_pydantic_model_has_itself_are_fine() -> None:
    def f(schema: str, copy: int, model_config: bool, _x: int, self_: str) -> list[object]:  # noqa: FBT001
        return [schema, copy, model_config, _x, self_]

    given = {"schema": "s", "copy": 1, "model_config": True, "_x": 2, "self_": "t"}
    assert FunctionTool.of(f).invoke(json.dumps(given)) == ["s", 1, True, 2, "t"]


def test_a_default_without_json_is_not_shown() -> None:
    nothing = object()

    def f(x: Any = nothing) -> bool:
        return x is nothing

    assert properties(f) == {"x": {}}
    assert FunctionTool.of(f).invoke("{}") is True


def test_a_field_as_default_works() -> None:
    def f(
        x: int = Field(default=3, ge=2),
        y: list[int] = Field(default_factory=list),  # noqa: B008 - as users of pydantic write it
    ) -> Any:
        return x, y

    assert properties(f)["x"] == {"type": "integer", "minimum": 2, "default": 3}
    tool = FunctionTool.of(f)
    assert tool.invoke("{}") == (3, [])
    with pytest.raises(ToolArgumentsError, match="x: Input should be greater than or equal to 2"):
        tool.invoke('{"x": 1}')


def test_an_alias_is_the_name_that_the_model_sees() -> None:
    def f(start: Annotated[int, Field(alias="from", description="First.")] = 1) -> int:
        return start

    assert properties(f) == {"from": {"type": "integer", "description": "First."}}
    assert FunctionTool.of(f).invoke('{"from": 3}') == 3
    assert FunctionTool.of(f).invoke("{}") == 1


def test_a_result_type_that_only_a_type_checker_knows_does_not_matter() -> None:
    def f(x: int) -> "Nowhere":  # type: ignore[name-defined] # noqa: F821
        return x

    assert FunctionTool.of(f).invoke('{"x": 1}') == 1


def test_a_parameter_type_that_only_a_type_checker_knows_is_refused() -> None:
    def f(x: "Nowhere") -> None: ...  # type: ignore[name-defined] # noqa: F821

    with pytest.raises(TypeError, match=r"f can't be a tool: its annotations name 'Nowhere'"):
        FunctionTool.of(f)


def test_methods_partials_and_callable_objects_are_functions_too() -> None:
    class Adder:
        def __init__(self, base: int) -> None:
            self.base = base

        def plus(self, x: int) -> int:
            """Add."""
            return self.base + x

        def __call__(self, x: int) -> int:
            """Add, called."""
            return self.base + x

        @classmethod
        def make(cls, x: int) -> int:
            return x

        @staticmethod
        def twice(x: int) -> int:
            return 2 * x

    def scale(x: int, factor: int, offset: int = 0) -> int:
        """Scale."""
        return x * factor + offset

    ten = Adder(10)
    made: list[tuple[Callable[..., Any], str, str | None, int]] = [
        (ten.plus, "plus", "Add.", 11),
        (ten, "Adder", "Add, called.", 11),
        (ten.make, "make", None, 1),
        (Adder.twice, "twice", None, 2),
        (functools.partial(scale, factor=3), "scale", "Scale.", 3),
        (functools.partial(functools.partial(scale, factor=3), offset=1), "scale", "Scale.", 4),
    ]
    for function, name, description, result in made:
        tool = FunctionTool.of(function)
        assert (tool.name, tool.description) == (name, description)
        assert tool.invoke('{"x": 1}') == result
    assert list(properties(functools.partial(scale, factor=3))) == ["x", "offset"]
    assert list(properties(functools.partial(scale, 1))) == ["factor", "offset"]
    with pytest.raises(TypeError, match="method of no object"):
        FunctionTool.of(Adder.plus)


def test_what_a_model_cannot_call_is_refused_with_the_reason() -> None:
    def positional(x: int, /) -> None: ...
    def starred(*values: int) -> None: ...
    def named(**values: int) -> None: ...
    def opaque(x: object, y: Callable[[], int]) -> None: ...
    def generator() -> Iterator[int]:
        yield 1

    async def stream() -> AsyncIterator[int]:
        yield 1

    refused: list[tuple[Any, str]] = [
        (positional, "positional can't be a tool: the parameter 'x' is positional-only"),
        (starred, r"the parameter 'values' takes any number"),
        (named, r"the parameter 'values' takes any name"),
        (opaque, r"its annotations have no JSON Schema"),
        (generator, r"it is a generator: return a list"),
        (stream, r"it is a generator: return a list"),
        (Place, r"Place can't be a tool: it is a class"),
        (7, r"it is no function"),
        (max, r"it does not tell its parameters"),
    ]
    for function, reason in refused:
        with pytest.raises(TypeError, match=reason):
            FunctionTool.of(function)


@pytest.mark.parametrize("name", ["<lambda>", "has space", "x" * 65])
def test_a_name_that_providers_refuse_is_refused_here(name: str) -> None:
    with pytest.raises(ValueError, match="can't be a tool's name"):
        FunctionTool.of((lambda: None, {"name": name}))


# --------------------------------------------------------------------------------------------------
# Options


def test_options_come_from_the_decorator_and_from_the_list_of_tools() -> None:
    @tool(name="weather", description="Ask the sky.", timeout=2.0)
    def f(x: int) -> int:
        """Not this."""
        return x

    assert f(1) == 1
    made = FunctionTool.of(f)
    assert (made.name, made.description, made.timeout) == ("weather", "Ask the sky.", 2.0)
    other = FunctionTool.of((f, {"timeout": math.inf}))
    assert (other.name, other.timeout) == ("weather", math.inf)
    assert FunctionTool.of(made) is made


def test_the_decorator_works_on_methods_and_without_parentheses() -> None:
    class Service:
        @tool(name="ask")
        def f(self, x: int) -> int:
            return x

        @tool
        def g(self) -> int:
            return 1

    assert FunctionTool.of(Service().f).name == "ask"
    assert FunctionTool.of(Service().f).invoke('{"x": 2}') == 2
    assert FunctionTool.of(functools.partial(Service().f, x=2)).name == "ask"
    assert FunctionTool.of(Service().g).invoke("{}") == 1


def test_a_misspelt_option_is_refused() -> None:
    with pytest.raises(TypeError, match="no option 'time_out'"):
        tool(time_out=1)  # type: ignore[call-overload]


def test_a_strict_tool_has_nothing_left_open() -> None:
    def f(x: int = 1, place: Place | None = None) -> int:
        return x

    definition = FunctionTool.of((f, {"strict": True})).definition["function"]
    assert definition.get("strict") is True
    schema = definition["parameters"]
    assert schema["required"] == ["x", "place"]
    assert schema["properties"]["x"] == {"type": "integer"}
    assert schema["$defs"]["Place"]["required"] == ["title", "height"]


def test_a_context_is_given_and_not_offered() -> None:
    def f(x: int, context: ToolContext, *, again: ToolContext | None = None) -> object:
        return context, again

    made = FunctionTool.of(f)
    assert list(properties(made)) == ["x"]
    assert made.invoke('{"x": 1}', CONTEXT) == (CONTEXT, CONTEXT)
    assert CONTEXT.idempotency_key == "task_1:call_1"


# --------------------------------------------------------------------------------------------------
# Calls


def test_arguments_are_converted() -> None:
    def f(unit: Unit, place: Place, span: Span, when: dt.datetime) -> list[object]:
        return [unit, place, span, when]

    given = {
        "unit": "C",
        "place": {"title": "Rome"},
        "span": {"start": "2026-01-02"},
        "when": "2026-01-02T03:04:05Z",
    }
    assert FunctionTool.of(f).invoke(json.dumps(given)) == [
        Unit.CELSIUS,
        Place(title="Rome"),
        Span(dt.date(2026, 1, 2)),
        dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC),
    ]


@pytest.mark.parametrize("text", ["", "  \n", "{}"])
def test_no_arguments_are_an_empty_object(text: str) -> None:
    assert FunctionTool.of((lambda: 7, {"name": "f"})).invoke(text) == 7


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "Invalid JSON"),
        ("[1]", "valid dictionary|an object"),
        ("{}", "- x: Field required"),
        ('{"x": "many"}', r"- x: Input should be a valid integer.* \(got 'many'\)"),
        ('{"x": 1, "y": 2}', r"- y: Extra inputs are not permitted \(got 2\)"),
        ('{"x": 1, "place": {}}', "- place.title: Field required"),
        (json.dumps({"x": "a" * 500}), r"\(got 'a{99}\.\.\.\)"),
    ],
)
def test_a_wrong_call_says_exactly_what_is_wrong(text: str, complaint: str) -> None:
    def f(x: int, place: Place | None = None) -> None:
        raise AssertionError

    with pytest.raises(ToolArgumentsError, match=complaint) as caught:
        FunctionTool.of(f).invoke(text)
    assert caught.value.message.startswith("The call was not run")


async def later(x: int) -> int:
    return x


def test_async_functions_are_known_however_they_are_wrapped() -> None:
    class Caller:
        async def __call__(self) -> None: ...

    for function in (later, functools.partial(later, x=1), Caller()):
        assert FunctionTool.of(function).is_async
    assert not FunctionTool.of((lambda: None, {"name": "f"})).is_async
