"""The 36 event classes as the published client would have them: source text for its process.

That client ships no event classes. So that its rows decode into types as ours do, they are written
here from our annotations, in the manner of its own classes: on its `BaseModel`, with its own task,
item and content types where it has them, unions told apart by its `PropertyInfo`. Ours has an
extension event and classes for unknown types besides; the published row is spared those.
"""

import inspect
import re
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, cast, get_args, get_origin

from pydantic import BaseModel

from agentlin_client import types
from agentlin_client.types.agent_task_event import KnownTaskEvent
from agentlin_client.types.unknown import UnknownObject

THEIRS: Final = (
    "AudioContentItem",
    "FileContentItem",
    "ImageContentItem",
    "JsonrpcError",
    "LogProb",
    "MessageItem",
    "ReasoningItem",
    "TaskObject",
    "TextContentItem",
    "ToolCallItem",
    "ToolResultItem",
)
"""Types that the published client has itself."""

_UNIONS: Final = (Union, UnionType)
_GENERIC: Final[dict[Any, str]] = {Union: "Union", UnionType: "Union", list: "List", dict: "Dict"}
_HEAD: Final = """\
from typing import Annotated, Dict, List, Literal, Optional, Union

from agentlin_client._models import BaseModel
from agentlin_client._utils import PropertyInfo
"""
_TAIL: Final = """
class Envelope(BaseModel):
    jsonrpc: Literal["2.0"]
    id: Union[str, int, None] = None
    result: Optional[AgentTaskEvent] = None
    error: Optional[JsonrpcError] = None
"""


def events() -> tuple[type[BaseModel], ...]:
    """Return our classes of the contract's 36 events, in the order of our union."""
    known = cast("tuple[type[BaseModel], ...]", get_args(KnownTaskEvent))
    return tuple(event for event in known if event is not types.TaskSnapshotEvent)


def source() -> str:
    """Return the module that declares the classes, their union and its envelope."""
    imports = "".join(f"from agentlin_client.types.{_snake(n)} import {n}\n" for n in THEIRS)
    written: dict[str, str] = {}
    for event in events():
        _write(event, written)
    names = ", ".join(event.__name__ for event in events())
    union = f'AgentTaskEvent = Annotated[Union[{names}], PropertyInfo(discriminator="type")]\n'
    return "\n".join([_HEAD + imports, *written.values(), union, _TAIL])


def _write(model: type[BaseModel], written: dict[str, str]) -> None:
    """Add the class's source to `written`, after that of the classes that it names."""
    lines = [f"class {model.__name__}(BaseModel):"]
    for name, field in model.model_fields.items():
        text = _type(field.annotation, written)
        lines.append(f"    {name}: {text}" if field.is_required() else f"    {name}: {text} = None")
    written[model.__name__] = "\n".join(lines) + "\n"


def _type(annotation: Any, written: dict[str, str]) -> str:
    """Return an annotation in the published client's words."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        if annotation.__name__ not in {*THEIRS, *written}:
            _write(annotation, written)
        return annotation.__name__
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        inner = _type(arguments[0], written)
        is_told_apart = any(getattr(one, "discriminator", None) for one in arguments[1:])
        return f'Annotated[{inner}, PropertyInfo(discriminator="type")]' if is_told_apart else inner
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, arguments))}]"
    if origin in _GENERIC:
        texts = [_type(one, written) for one in arguments if not _is_unknown(one)]
        is_one = origin in _UNIONS and len(texts) == 1
        return texts[0] if is_one else f"{_GENERIC[origin]}[{', '.join(texts)}]"
    return {NoneType: "None", Any: "object"}.get(annotation) or annotation.__name__


def _is_unknown(annotation: object) -> bool:
    return inspect.isclass(annotation) and issubclass(annotation, UnknownObject)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
