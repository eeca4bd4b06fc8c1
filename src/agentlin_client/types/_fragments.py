"""Lists of content or blocks that arrive in fragments: adjacent text is merged.

The deltas of a tool result are list fragments (contract, section 4, Deltas). Both the fold
and the order validator add them up, with this class.
"""

from collections.abc import Iterable, Mapping
from typing import Any, cast


class Fragments:
    """A list of content elements that grows by fragments, in time proportional to its text.

    Two neighbours merge if both are strings, or if both are objects that differ in nothing
    but their string `text`. Everything else is kept as it came.
    """

    __slots__ = ("_elements",)

    def __init__(self, start: Any = None) -> None:
        """Begin with `start`, in any form that `extend` takes."""
        # (fields, pieces): fields None = a plain string; pieces None = nothing to merge.
        self._elements: list[tuple[Any, list[str] | None]] = []
        self.extend(start)

    def extend(self, fragment: Any) -> None:
        """Append a fragment: a list of elements, a string (one element), or None (nothing)."""
        if fragment is None or fragment == "":
            return
        elements: Iterable[Any] = [fragment] if isinstance(fragment, str) else fragment
        for element in elements:
            self._append(element)

    def render(self) -> list[Any]:
        """Return the list so far, as new objects down to the elements."""
        rendered: list[Any] = []
        for position, (fields, pieces) in enumerate(self._elements):
            if pieces is None:
                rendered.append(fields)
                continue
            text = "".join(pieces)
            self._elements[position] = (fields, [text])
            rendered.append(text if fields is None else {**fields, "text": text})
        return rendered

    def _append(self, element: Any) -> None:
        text = element if isinstance(element, str) else _text_of(element)
        if text is None:
            self._elements.append((element, None))
            return
        # The text keeps its place among the keys, so that rendering is deterministic.
        fields = None if isinstance(element, str) else {**element, "text": ""}
        if self._elements:
            last_fields, last_pieces = self._elements[-1]
            if last_pieces is not None and last_fields == fields:
                last_pieces.append(text)
                return
        self._elements.append((fields, [text]))


def _text_of(element: Any) -> str | None:
    if not isinstance(element, Mapping):
        return None
    text = cast("Mapping[str, Any]", element).get("text")
    return text if isinstance(text, str) else None


def normal_form(content: Any) -> list[Any]:
    """Return content in the one form in which equal meanings compare equal.

    Adjacent text is merged; a bare string stands for `{"type": "text", "text": ...}`; an
    empty text element says nothing.
    """
    elements: Iterable[Any] = [content] if isinstance(content, str) else content or ()
    as_objects = [{"type": "text", "text": e} if isinstance(e, str) else e for e in elements]
    merged = Fragments(as_objects).render()
    return [element for element in merged if _text_of(element) != ""]
