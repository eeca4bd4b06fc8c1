"""Events of audio, images and files that a model puts out. Source: contract, sections 1 and 4.

They belong to the last open part of their kind in the item. Audio and file deltas
concatenate; an image delta is a complete preview.
"""

from typing import Literal

from ._event_base import ItemEvent


class TaskAudioDeltaEvent(ItemEvent):
    """The sound grows."""

    type: Literal["task.audio.delta"]
    """Always `task.audio.delta`."""

    delta: str
    """The sound to append, base64."""


class TaskAudioDoneEvent(ItemEvent):
    """The sound is whole."""

    type: Literal["task.audio.done"]
    """Always `task.audio.done`."""


class TaskImageDeltaEvent(ItemEvent):
    """A preview of the image."""

    type: Literal["task.image.delta"]
    """Always `task.image.delta`."""

    partial_image_b64: str
    """The preview, a complete image, base64."""

    partial_image_index: int
    """Number of the preview, from 0."""


class TaskImageDoneEvent(ItemEvent):
    """The image is whole."""

    type: Literal["task.image.done"]
    """Always `task.image.done`."""


class TaskFileDeltaEvent(ItemEvent):
    """The file grows."""

    type: Literal["task.file.delta"]
    """Always `task.file.delta`."""

    partial_file_b64: str
    """The content to append, base64."""

    partial_file_index: int
    """Number of the piece, from 0."""


class TaskFileDoneEvent(ItemEvent):
    """The file is whole."""

    type: Literal["task.file.done"]
    """Always `task.file.done`."""
