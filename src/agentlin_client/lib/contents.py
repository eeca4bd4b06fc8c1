"""What a tool returns, as the content of a message. Pure."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, cast

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_json

from agentlin_client._models import BaseModel
from agentlin_client.types.content import (
    AudioContentItem,
    FileContentItem,
    ImageContentItem,
    TextContentItem,
)
from agentlin_client.types.content_params import ContentItemParam
from agentlin_client.types.unknown import UnknownContentItem

if TYPE_CHECKING:
    from agentlin_client.types import MessageContentParam

_MODELS = (
    TextContentItem,
    ImageContentItem,
    AudioContentItem,
    FileContentItem,
    UnknownContentItem,
)


def to_content(value: object) -> MessageContentParam:
    """Return the content that shows a value to a model.

    A string stays as it is. Content (our content models, and dicts that are valid content: by
    `type` and fields) stays content; so does a list of content and strings with at least one
    piece of content in it. All else becomes JSON text, as pydantic writes it; None is `null`.

    >>> to_content({"degrees": 18}), to_content(None), to_content(["a"])
    ('{"degrees":18}', 'null', '["a"]')
    >>> to_content({"type": "text", "text": "sunny"})
    [{'type': 'text', 'text': 'sunny'}]

    Raises:
        TypeError: There is no JSON for the value, or it is bytes, which may be anything.
    """
    if isinstance(value, str):
        return value
    if parts := _parts(value):
        return cast("MessageContentParam", [_wire(part) for part in parts])
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError(
            "bytes can't be shown to a model: return text, or content such as "
            '{"type": "input_image", "image_url": {"url": "data:image/png;base64,..."}}'
        )
    if inspect.isawaitable(value):
        raise TypeError("what it returned has to be awaited: use AsyncClient for such a tool")
    try:
        return to_json(value).decode()
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        raise TypeError(f"there is no JSON for what it returned: {error}") from error


def _parts(value: object) -> Sequence[object]:
    """Return the pieces of content that the value consists of; none if it is no content."""
    several = isinstance(value, (list, tuple))
    parts = cast("Sequence[object]", value) if several else [value]
    are_content = [_is_content(part) for part in parts if not isinstance(part, str)]
    return parts if are_content and all(are_content) else ()


def _is_content(value: object) -> bool:
    if isinstance(value, _MODELS):
        return True
    if not isinstance(value, Mapping) or "type" not in value:
        return False
    try:
        _content_adapter().validate_python(value)
    except ValidationError:
        return False
    return True


def _wire(part: object) -> object:
    return part.to_dict(mode="json") if isinstance(part, BaseModel) else part


@cache
def _content_adapter() -> TypeAdapter[ContentItemParam]:
    return TypeAdapter(ContentItemParam)
