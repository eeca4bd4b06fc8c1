"""The content of `content.py` as dicts, for requests. Meaning and units are the same."""

from collections.abc import Sequence
from typing import Annotated, Literal, NotRequired, TypeAlias

from pydantic import FiniteFloat, Tag, with_config
from typing_extensions import TypedDict

from ._discriminate import AUDIO_TYPES, IMAGE_TYPES, TEXT_TYPES, by_type, string_or_list
from .annotation_params import AnnotationParam


@with_config(extra="allow")
class TopLogProbParam(TypedDict):
    """One of the most likely tokens at a position."""

    token: str
    """The token as text."""

    bytes: Sequence[int]
    """The token's UTF-8 bytes, 0 to 255 each."""

    logprob: FiniteFloat
    """Natural logarithm of the token's probability; <= 0."""


@with_config(extra="allow")
class LogProbParam(TypedDict):
    """The token that the model chose at a position, and what else was likely there."""

    token: str
    """The token as text."""

    bytes: Sequence[int]
    """The token's UTF-8 bytes, 0 to 255 each."""

    logprob: FiniteFloat
    """Natural logarithm of the token's probability; <= 0."""

    top_logprobs: Sequence[TopLogProbParam]
    """The most likely tokens at this position, most likely first."""


@with_config(extra="allow")
class TextContentItemParam(TypedDict):
    """Text."""

    type: Literal["text", "input_text", "output_text", "reasoning_text", "summary_text", "refusal"]
    """Whose text it is; `input_text` and `text` are the user's."""

    text: str
    """The text."""

    id: NotRequired[int | None]
    """Citation number, by which other text refers to this one."""

    annotations: NotRequired[Sequence[AnnotationParam] | None]
    """Where passages of the text come from."""

    logprobs: NotRequired[Sequence[LogProbParam] | None]
    """Log probabilities of the text's tokens, in order."""

    tags: NotRequired[Sequence[str] | None]
    """Free labels."""


@with_config(extra="allow")
class ImageURLParam(TypedDict):
    """Where an image is."""

    url: str
    """An http(s) URL, or a data URL that holds the image."""

    detail: NotRequired[Literal["low", "high", "auto"] | None]
    """How closely the model should look; left to the model by default."""


@with_config(extra="allow")
class ImageContentItemParam(TypedDict):
    """An image."""

    type: Literal["image", "input_image", "output_image", "image_url"]
    """Whose image it is."""

    image_url: ImageURLParam
    """Where the image is."""


@with_config(extra="allow")
class AudioDataParam(TypedDict):
    """A piece of sound."""

    data: str
    """The sound, base64."""

    format: Literal["wav", "mp3"]
    """How the sound is encoded."""


@with_config(extra="allow")
class AudioContentItemParam(TypedDict):
    """A piece of sound."""

    type: Literal["input_audio", "output_audio", "audio"]
    """Whose sound it is."""

    input_audio: AudioDataParam
    """The sound; the field has this name for output too."""


@with_config(extra="allow")
class FileDataParam(TypedDict):
    """A file."""

    file_url: str
    """Where the file can be fetched."""

    filename: str
    """The file's name."""

    file_data: NotRequired[str | None]
    """The file's content, base64, if it is sent along."""


@with_config(extra="allow")
class FileContentItemParam(TypedDict):
    """A file."""

    type: Literal["file"]
    """Always `file`."""

    file: FileDataParam
    """The file."""


_KINDS = (
    dict.fromkeys(TEXT_TYPES, "text")
    | dict.fromkeys(IMAGE_TYPES, "image")
    | dict.fromkeys(AUDIO_TYPES, "audio")
    | {"file": "file"}
)

ContentItemParam: TypeAlias = (
    TextContentItemParam | ImageContentItemParam | AudioContentItemParam | FileContentItemParam
)
"""Any piece of content."""

_Element: TypeAlias = Annotated[
    Annotated[TextContentItemParam, Tag("text")]
    | Annotated[ImageContentItemParam, Tag("image")]
    | Annotated[AudioContentItemParam, Tag("audio")]
    | Annotated[FileContentItemParam, Tag("file")]
    | Annotated[str, Tag("string")],
    by_type(_KINDS, expected=f"a string or content of type {', '.join(_KINDS)}"),
]

MessageContentParam: TypeAlias = Annotated[
    Annotated[str, Tag("string")] | Annotated[Sequence[_Element], Tag("list")], string_or_list()
]
"""The content of a message: a text, or a list of pieces of content and texts."""
