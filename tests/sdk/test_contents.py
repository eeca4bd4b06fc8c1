"""What a tool returns becomes what the model sees."""

import dataclasses
import datetime as dt
import enum
import json

import pydantic
import pytest

from agentlin_client.lib.contents import to_content
from agentlin_client.types import FileContentItem, TextContentItem
from agentlin_client.types.content import FileData


class Unit(enum.Enum):
    CELSIUS = "C"


class Place(pydantic.BaseModel):
    title: str
    height: float = 0.0


@dataclasses.dataclass
class Span:
    start: dt.date
    days: int = 1


async def later() -> None: ...


IMAGE = {"type": "input_image", "image_url": {"url": "data:image/png;base64,AA=="}}


@pytest.mark.parametrize(
    ("value", "content"),
    [
        ("as it is", "as it is"),
        ("", ""),
        (None, "null"),
        (3.5, "3.5"),
        ({"é": [1, (2,)]}, '{"é":[1,[2]]}'),
        (Place(title="Rome"), '{"title":"Rome","height":0.0}'),
        (Span(dt.date(2026, 1, 2)), '{"start":"2026-01-02","days":1}'),
        ([Unit.CELSIUS], '["C"]'),
        ([], "[]"),
        (["a", "b"], '["a","b"]'),
        (IMAGE, [IMAGE]),
        (["Look:", IMAGE], ["Look:", IMAGE]),
        ((TextContentItem(type="text", text="hi"),), [{"type": "text", "text": "hi"}]),
        (
            FileContentItem(type="file", file=FileData(file_url="u", filename="n")),
            [{"type": "file", "file": {"file_url": "u", "filename": "n"}}],
        ),
        ([IMAGE, 1], json.dumps([IMAGE, 1], separators=(",", ":"))),
        ({"type": "file", "path": "x"}, '{"type":"file","path":"x"}'),
        ({"type": "apple"}, '{"type":"apple"}'),
    ],
)
def test_what_a_tool_returns_becomes_content(value: object, content: object) -> None:
    assert to_content(value) == content


def test_what_has_no_json_is_refused() -> None:
    refused = {b"\0": "bytes can't be shown", object(): "there is no JSON"}
    for value, reason in refused.items():
        with pytest.raises(TypeError, match=reason):
            to_content(value)
    pending = later()
    with pytest.raises(TypeError, match="has to be awaited"):
        to_content(pending)
    pending.close()
    circle: list[object] = []
    circle.append(circle)
    with pytest.raises(TypeError, match="there is no JSON"):
        to_content(circle)
