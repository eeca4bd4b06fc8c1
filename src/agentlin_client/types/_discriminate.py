"""How requests tell their unions apart: short, stable error paths, and no echo of the input."""

from collections.abc import Mapping
from typing import cast

from pydantic import Discriminator

TEXT_TYPES = ("text", "input_text", "output_text", "reasoning_text", "summary_text", "refusal")
IMAGE_TYPES = ("image", "input_image", "output_image", "image_url")
AUDIO_TYPES = ("input_audio", "output_audio", "audio")


def by_type(kinds: Mapping[str, str], *, expected: str, untyped: str = "") -> Discriminator:
    """Return a discriminator whose tags are `kinds[value["type"]]`, `string` and `list`.

    Args:
        kinds: From the `type` of an object to the tag of its class.
        expected: What an error message says should be there.
        untyped: The tag of an object that has no `type`; none by default.
    """

    def tag(value: object) -> str | None:
        if isinstance(value, str):
            return "string"
        if isinstance(value, list | tuple):
            return "list"
        if not isinstance(value, Mapping):
            return None
        fields = cast("Mapping[str, object]", value)
        if "type" not in fields:
            return untyped or None
        kind = fields["type"]
        return kinds.get(kind) if isinstance(kind, str) else None

    return Discriminator(
        tag,
        custom_error_type="union_type",
        custom_error_message=f"Input should be {expected}",
    )


def string_or_list() -> Discriminator:
    """Return a discriminator with the tags `string` and `list`."""
    return by_type({}, expected="a string or a list")
