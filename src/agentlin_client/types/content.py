"""What messages are made of: text, images, audio, files. Source: contract, section 1, Content."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, FiniteFloat

from agentlin_client._models import BaseModel

from .annotations import Annotation
from .unknown import UnknownContentItem


class TopLogProb(BaseModel):
    """One of the most likely tokens at a position."""

    token: str
    """The token as text."""

    bytes: list[int]
    """The token's UTF-8 bytes, 0 to 255 each; a token need not be whole characters."""

    logprob: FiniteFloat
    """Natural logarithm of the token's probability; <= 0."""


class LogProb(BaseModel):
    """The token that the model chose at a position, and what else was likely there."""

    token: str
    """The token as text."""

    bytes: list[int]
    """The token's UTF-8 bytes, 0 to 255 each; a token need not be whole characters."""

    logprob: FiniteFloat
    """Natural logarithm of the token's probability; <= 0."""

    top_logprobs: list[TopLogProb]
    """The most likely tokens at this position, most likely first; may be empty."""


class TextContentItem(BaseModel):
    """Text."""

    type: Literal["text", "input_text", "output_text", "reasoning_text", "summary_text", "refusal"]
    """Whose text it is; `output_text` is the model's answer, `refusal` its refusal."""

    text: str
    """The text."""

    id: int | None = None
    """Citation number, by which other text refers to this one."""

    annotations: list[Annotation] | None = None
    """Where passages of the text come from."""

    logprobs: list[LogProb] | None = None
    """Log probabilities of the text's tokens, in order, where the provider gives them."""

    tags: list[str] | None = None
    """Free labels."""


class ImageURL(BaseModel):
    """Where an image is."""

    url: str
    """An http(s) URL, or a data URL that holds the image."""

    detail: Literal["low", "high", "auto"] | None = None
    """How closely the model should look; None leaves it to the model."""


class ImageContentItem(BaseModel):
    """An image."""

    type: Literal["image", "input_image", "output_image", "image_url"]
    """Whose image it is."""

    image_url: ImageURL
    """Where the image is."""


class AudioData(BaseModel):
    """A piece of sound."""

    data: str
    """The sound, base64."""

    format: Literal["wav", "mp3"]
    """How the sound is encoded."""


class AudioContentItem(BaseModel):
    """A piece of sound."""

    type: Literal["input_audio", "output_audio", "audio"]
    """Whose sound it is."""

    input_audio: AudioData
    """The sound; the field has this name for output too."""


class FileData(BaseModel):
    """A file."""

    file_url: str
    """Where the file can be fetched."""

    filename: str
    """The file's name."""

    file_data: str | None = None
    """The file's content, base64, if it is sent along."""


class FileContentItem(BaseModel):
    """A file."""

    type: Literal["file"]
    """Always `file`."""

    file: FileData
    """The file."""


ContentItem: TypeAlias = Annotated[
    Annotated[
        TextContentItem | ImageContentItem | AudioContentItem | FileContentItem,
        Field(discriminator="type"),
    ]
    | UnknownContentItem,
    Field(union_mode="left_to_right"),
]
"""Any piece of content; one of an unknown type is an UnknownContentItem."""

MessageContent: TypeAlias = str | list[ContentItem | str]
"""The content of a message: a text, or a list of pieces of content and texts."""
