"""What an answer is to look like: a type becomes a schema, a text becomes a value."""

import dataclasses
import decimal
import enum
import pickle
import types
from typing import Annotated, Any, Literal, NotRequired, assert_type

import pydantic
import pytest
from pydantic import Field, TypeAdapter
from typing_extensions import TypedDict

from agentlin_client import OutputValidationError
from agentlin_client.lib.schemas import strict
from agentlin_client.lib.structured import OutputType
from agentlin_client.lib.task_run import TaskRun
from agentlin_client.types import TaskObject
from tests.sdk.wire import task


class Color(enum.Enum):
    RED = "red"


class Wheel(pydantic.BaseModel):
    """A wheel."""

    size: float = 1.0


class Car(pydantic.BaseModel):
    title: str
    color: Color = Field(default=Color.RED, description="Of the roof.")
    wheels: list[Wheel] = []
    spare: Annotated[Wheel | None, Field(description="In the boot.")] = None
    main: Wheel = Field(default_factory=Wheel, description="The first.")


class Node(pydantic.BaseModel):
    children: list["Node"] = []


class Cat(pydantic.BaseModel):
    kind: Literal["cat"]


class Dog(pydantic.BaseModel):
    kind: Literal["dog"]


class Owner(pydantic.BaseModel):
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    extra: dict[str, int] = {}


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


class Box(TypedDict):
    width: int
    height: NotRequired[int]


def objects(schema: Any) -> list[dict[str, Any]]:
    """Return all schemas of objects in a schema."""
    found: list[dict[str, Any]] = []
    if isinstance(schema, dict):
        found = [schema] if "properties" in schema else []
        found += [inner for value in schema.values() for inner in objects(value)]
    elif isinstance(schema, list):
        found = [inner for value in schema for inner in objects(value)]
    return found


def test_a_models_schema_is_what_strict_providers_take() -> None:
    schema = OutputType.of(Car).schema
    assert schema["properties"] == {
        "title": {"type": "string"},
        "color": {"anyOf": [{"$ref": "#/$defs/Color"}], "description": "Of the roof."},
        "wheels": {"type": "array", "items": {"$ref": "#/$defs/Wheel"}},
        "spare": {
            "anyOf": [{"$ref": "#/$defs/Wheel"}, {"type": "null"}],
            "description": "In the boot.",
        },
        "main": {"anyOf": [{"$ref": "#/$defs/Wheel"}], "description": "The first."},
    }
    assert schema["$defs"]["Wheel"]["description"] == "A wheel."


@pytest.mark.parametrize("spec", [Car, Node, Owner, Point, Box, list[Car], Cat | Dog, int])
def test_every_object_is_closed_and_every_property_required(spec: Any) -> None:
    schema = OutputType.of(spec).schema
    assert schema["type"] == "object"
    assert objects(schema)
    for found in objects(schema):
        assert found["required"] == list(found["properties"])
        assert found["additionalProperties"] is False


def test_a_model_that_refers_to_itself_has_an_object_at_its_root() -> None:
    schema = OutputType.of(Node).schema
    assert "$ref" not in schema
    assert schema["properties"]["children"]["items"] == {"$ref": "#/$defs/Node"}


def test_a_union_by_tag_becomes_a_plain_one() -> None:
    pet = OutputType.of(Owner).schema["properties"]["pet"]
    assert pet == {"anyOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}]}


def test_free_keys_stay_free() -> None:
    extra = OutputType.of(Owner).schema["properties"]["extra"]
    assert extra == {"type": "object", "additionalProperties": {"type": "integer"}}
    assert OutputType.of(dict[str, int]).parse('{"a": 1}') == {"a": 1}


def test_data_in_a_schema_is_left_alone() -> None:
    schema = {"enum": [{"title": "a", "default": 1}], "properties": {"default": {"const": "title"}}}
    assert strict(schema)["enum"] == [{"title": "a", "default": 1}]
    assert strict(schema)["properties"] == {"default": {"const": "title"}}


def test_values_come_back_as_their_types() -> None:
    assert OutputType.of(Car).parse('{"title": "a"}') == Car(title="a")
    assert OutputType.of(Point).parse('{"x": 1, "y": 2}') == Point(1, 2)
    assert OutputType.of(Box).parse('{"width": 1}') == {"width": 1}


def test_what_is_no_object_is_asked_for_in_one() -> None:
    output = OutputType.of(list[Point])
    assert list(output.schema["properties"]) == ["value"]
    assert "$defs" in output.schema
    assert output.parse('{"value": [{"x": 1, "y": 2}]}') == [Point(1, 2)]
    for wrong in ('[{"x": 1}]', '{"values": []}'):
        with pytest.raises(OutputValidationError, match="not an object with a property 'value'"):
            output.parse(wrong)


def test_a_json_schema_is_sent_as_it_is() -> None:
    schema = {"title": "T", "type": "object"}
    output = OutputType.of(schema)
    assert output.schema is schema
    assert output.parse('{"a": [1]}') == {"a": [1]}
    with pytest.raises(OutputValidationError, match="the answer is no JSON"):
        output.parse("Sorry!")


def test_an_answer_of_another_type_says_where() -> None:
    with pytest.raises(OutputValidationError) as caught:
        OutputType.of(Car).parse('{"title": "a", "wheels": [{"size": "big"}]}')
    error = caught.value
    assert "wheels.0.size: Input should be a valid number" in error.message
    assert error.text.startswith('{"title"')
    assert error.errors[0]["loc"] == ("wheels", 0, "size")
    again = pickle.loads(pickle.dumps(error))
    assert (again.text, again.errors) == (error.text, error.errors)


def test_a_type_without_a_schema_is_refused() -> None:
    with pytest.raises(TypeError, match="there is no JSON Schema for"):
        OutputType.of(types.FunctionType)
    with pytest.raises(TypeError, match="there is no JSON Schema for"):
        OutputType.of(type("Opaque", (), {}))


def test_an_output_type_can_be_made_once_and_used_often() -> None:
    output = OutputType.of(TypeAdapter(Point | None))
    assert OutputType.of(output) is output
    assert output.parse('{"value": null}') is None


@pytest.mark.parametrize("text", ['"1.10"', "1.10", "12345678901234567890"])
def test_a_wrapped_answer_is_read_as_pydantic_reads_it_alone(text: str) -> None:
    alone = TypeAdapter(decimal.Decimal).validate_json(text)
    assert OutputType.of(decimal.Decimal).parse(f'{{"value": {text}}}') == alone


@pytest.mark.parametrize("spec", [{"type": "object"}, Node, list[Node], TypeAdapter(int)])
def test_an_answer_that_is_nested_too_deep_is_told_as_one_of_another_type(spec: Any) -> None:
    for deep in ("[" * 100_000, '{"value":' * 100_000):
        with pytest.raises(OutputValidationError):
            OutputType.of(spec).parse(deep)


def test_what_is_wrong_in_a_wrapped_answer_is_placed_as_in_the_type() -> None:
    with pytest.raises(OutputValidationError, match=r"type: 1\.x: ") as caught:
        OutputType.of(list[Point]).parse('{"value": [{"x": 1, "y": 1}, {"x": "a", "y": 1}]}')
    assert caught.value.errors[0]["loc"] == (1, "x")


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (Car, '{"title": "a"}'),
        (list[Point], '{"value": [{"x": 1, "y": 2}]}'),
        (TypeAdapter(Point | None), '{"value": null}'),
        ({"type": "object"}, "{}"),
    ],
)
def test_an_output_type_and_a_run_can_be_pickled(spec: Any, text: str) -> None:
    output = OutputType.of(spec)
    again = pickle.loads(pickle.dumps(output))
    assert again.schema == output.schema
    assert again.parse(text) == output.parse(text)
    run = TaskRun(TaskObject.model_validate(task("completed")), output)
    assert pickle.loads(pickle.dumps(run)).status == "completed"


def types_follow() -> None:
    """Nothing runs this; pyright checks it."""
    assert_type(OutputType.of(Car), OutputType[Car])
    assert_type(OutputType.of(Point).parse("{}"), Point)
    assert_type(OutputType.of(Box).parse("{}"), Box)
    assert_type(OutputType.of(list[Car]).parse("{}"), list[Car])
    assert_type(OutputType.of(TypeAdapter(int)).parse("{}"), int)
    schema: dict[str, Any] = {}
    assert_type(OutputType.of(schema).parse("{}"), Any)
