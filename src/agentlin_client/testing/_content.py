"""Message content in the forms that a request may have it. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, cast


def as_parts(content: Any) -> list[Any]:
    """Return content as a list of parts: a text is a part of its own.

    >>> as_parts("Hi")
    [{'type': 'text', 'text': 'Hi'}]
    """
    elements: Iterable[Any] = [content] if isinstance(content, str) else content or ()
    return [{"type": "text", "text": one} if isinstance(one, str) else one for one in elements]


def text_of(content: Any) -> str:
    """Return the text of content, without what is no text.

    >>> text_of(["Look: ", {"type": "image", "image_url": {}}, {"type": "text", "text": "a dog"}])
    'Look: a dog'
    """
    texts: list[str] = []
    for part in as_parts(content):
        if isinstance(part, Mapping):
            text = cast("Mapping[str, Any]", part).get("text")
            texts.append(text if isinstance(text, str) else "")
    return "".join(texts)
