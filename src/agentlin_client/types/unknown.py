"""What a newer server may send: a type that this version does not know, with all its data.

The `type` of these classes is any text but the known ones, which no annotation can say. Type
checkers are told of a single literal, which nobody sends: so `if item.type == "message"` rules
these classes out, and a misspelt type is an error. Programs that handle such an object find it by
its class, `isinstance(item, UnknownItem)`, and its type by `str(item.type)`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import AfterValidator, ValidationInfo, model_validator

from agentlin_client._models import BaseModel

KNOWN_TYPES_ONLY: Final[Mapping[str, bool]] = {"agentlin_known_types_only": True}
"""Validation context in which an unknown type is a mistake: that of clients that are strict."""


class UnknownObject(BaseModel):
    """The base: any field that came is an attribute, and in `model_extra`."""

    if TYPE_CHECKING:
        # After `isinstance(event, UnknownEvent)` its fields can't be known, but be read.
        def __getattr__(self, name: str) -> Any: ...

    @model_validator(mode="after")
    def _refuse_if_strict(self, info: ValidationInfo) -> Self:
        if info.context is KNOWN_TYPES_ONLY:
            raise ValueError("the object is of an unknown type")
        return self


def unknown_to(*known: str) -> AfterValidator:
    """Return a validator for the `type` of an unknown model: none of the `known` types.

    Without it, an invalid object of a known type would be taken for an unknown one.
    """
    types = frozenset(known)

    def refuse_known(value: str) -> str:
        if value in types:
            raise ValueError(f"{value} is a known type, and the object is not valid for it")
        return value

    return AfterValidator(refuse_known)


if TYPE_CHECKING:
    AnnotationType: TypeAlias = Literal["<unknown>"]
    ContentType: TypeAlias = Literal["<unknown>"]
    ItemType: TypeAlias = Literal["<unknown>"]
else:
    AnnotationType = Annotated[
        str, unknown_to("file_citation", "url_citation", "container_file_citation", "file_path")
    ]
    ContentType = Annotated[
        str,
        unknown_to(
            "text",
            "input_text",
            "output_text",
            "reasoning_text",
            "summary_text",
            "refusal",
            "image",
            "input_image",
            "output_image",
            "image_url",
            "input_audio",
            "output_audio",
            "audio",
            "file",
        ),
    ]
    ItemType = Annotated[str, unknown_to("reasoning", "message", "tool_call", "tool_result")]


class UnknownAnnotation(UnknownObject):
    """An annotation of a type that this version does not know."""

    type: AnnotationType
    """The type, as the server names it (any text; for type checkers see the module)."""


class UnknownContentItem(UnknownObject):
    """A piece of content of a type that this version does not know."""

    type: ContentType
    """The type, as the server names it (any text; for type checkers see the module)."""


class UnknownItem(UnknownObject):
    """An output item of a type that this version does not know."""

    type: ItemType
    """The type, as the server names it (any text; for type checkers see the module)."""

    id: str | None = None
    """The item's id, unique in the task."""

    status: str | None = None
    """in_progress, completed or incomplete, if the item has a status."""
