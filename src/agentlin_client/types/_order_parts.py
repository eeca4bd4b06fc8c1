"""What the order validator remembers of an item and its parts, and the rules within one item."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from ._fragments import Fragments, normal_form

Place = Literal["content", "summary"]

PART_TYPES: Final[Mapping[str, frozenset[str]]] = {
    "task.text": frozenset({"output_text", "text", "refusal"}),
    "task.reasoning_text": frozenset({"reasoning_text"}),
    "task.reasoning_summary_text": frozenset({"summary_text"}),
}
"""Which parts the deltas of each event family may add to."""

MEDIA_OF_PART: Final[Mapping[str, str]] = {
    "input_audio": "audio",
    "output_audio": "audio",
    "audio": "audio",
    "image": "image",
    "input_image": "image",
    "output_image": "image",
    "image_url": "image",
    "file": "file",
}
_BASE64_AT: Final = {"audio": ("input_audio", "data"), "file": ("file", "file_data")}


class BrokenRuleError(Exception):
    """A rule does not hold; the validator adds the event's number and type."""


def require(condition: bool, rule: str) -> None:  # noqa: FBT001  # an assertion, not a flag
    """Raise BrokenRuleError with `rule` unless `condition` holds."""
    if not condition:
        raise BrokenRuleError(rule)


class Part:
    """A content or summary part. `is_partial`: its beginning lies before the validated stream."""

    def __init__(self, part_type: str | None, *, is_partial: bool) -> None:
        """Begin a part of type `part_type` (None: not known)."""
        self.type = part_type
        self.is_partial = is_partial
        self.pieces: list[str] = []
        self.text_done = False
        self.done = False

    @property
    def media(self) -> str | None:
        """`audio`, `image` or `file`; None for text or an unknown type."""
        return MEDIA_OF_PART.get(self.type or "")

    def add(self, family: str, delta: str) -> None:
        """Take a delta of an event family."""
        self._require_family(family)
        require(not self.done and not self.text_done, "a delta follows the done of its text")
        self.pieces.append(delta)

    def finish_text(self, family: str, text: str) -> None:
        """Take the done event of the text."""
        self._require_family(family)
        require(not self.done and not self.text_done, "a text is done twice")
        self.text_done = True
        if self.is_partial:
            self.pieces = [text]
        require("".join(self.pieces) == text, "the deltas do not add up to the done text")

    def finish(self, part: Mapping[str, Any]) -> None:
        """Take the done event of the part."""
        require(not self.done, "a part is done twice")
        require(self.type in (None, part["type"]), "a part changes its type")
        self.type = part["type"]
        self.done = True
        if self.media is None:
            require(self.is_partial or self.text_done, "a part is done before its text")
            if self.text_done:
                require(
                    part.get("text") == "".join(self.pieces), "a part's text differs at its done"
                )
            else:
                self.pieces = [part.get("text") or ""]
        elif self.pieces and not self.is_partial:
            require(self.text_done, f"a part is done before its {self.media}")
            holder, field = _BASE64_AT.get(self.media, ("", ""))
            if holder:  # previews of images do not add up
                require(part[holder][field] == "".join(self.pieces), "the deltas do not add up")

    def matches(self, part: Mapping[str, Any]) -> bool:
        """True if `part`, in the item's done event, is this one."""
        if part["type"] != self.type:
            return False
        return self.media is not None or part.get("text") == "".join(self.pieces)

    def _require_family(self, family: str) -> None:
        require(
            self.type is None or self.type in PART_TYPES[family],
            f"{family}.* for a {self.type} part",
        )


class Item:
    """An output item as the events have shown it so far."""

    def __init__(self, item: Mapping[str, Any], *, step: int, is_partial: bool) -> None:
        """Begin an item, from its added event or, if partial, from the first that names it."""
        self.type: str | None = item.get("type")
        self.call_id: str | None = item.get("call_id")
        self.step = step
        self.attempt: int = item.get("attempt") or 1
        self.is_partial = is_partial
        self.status: str | None = None  # None while it is open
        self.parts: dict[Place, dict[int, Part]] = {"content": {}, "summary": {}}
        self.arguments: list[str] = []
        self.content = Fragments()
        self.blocks = Fragments()
        self.value_done = False

    def require_begins_empty(self, item: Mapping[str, Any]) -> None:
        """Check an added item: everything non-empty must come by deltas."""
        for field in ("summary", "content", "message_content", "block_list", "arguments"):
            require(not item.get(field), f"an item is added with {field}: it must come by deltas")
        require(item.get("status") in (None, "in_progress"), "an added item is in_progress")

    def add_part(self, place: Place, index: int, part: Mapping[str, Any]) -> None:
        """Take the added event of a part."""
        parts = self.parts[place]
        require(index not in parts, "a part is added twice")
        require(self.is_partial or index == len(parts), "parts are added in order, without gaps")
        require(not part.get("text"), "a part is added with text: it must come by deltas")
        parts[index] = Part(part["type"], is_partial=False)

    def part(self, place: Place, index: int) -> Part:
        """Return an added part."""
        parts = self.parts[place]
        if index not in parts:
            require(self.is_partial, "a part that was never added")
            parts[index] = Part(None, is_partial=True)
        return parts[index]

    def media_part(self, media: str) -> Part | None:
        """Return the last open part of a medium; None if the item is partial and shows none."""
        found = [
            part
            for part in self.parts["content"].values()
            if part.media == media and not part.done and not part.text_done
        ]
        require(bool(found) or self.is_partial, f"no {media} part is open")
        return found[-1] if found else None

    def finish_arguments(self, arguments: str) -> None:
        """Take the done event of a tool call's arguments."""
        require(not self.value_done, "arguments are done twice")
        self.value_done = True
        if self.is_partial:
            self.arguments = [arguments]
        require("".join(self.arguments) == arguments, "the deltas do not add up to the arguments")

    def finish_result(self, content: Any, blocks: Any) -> None:
        """Take the done event of a tool result."""
        require(not self.value_done, "a tool result is done twice")
        self.value_done = True
        if self.is_partial:
            self.content, self.blocks = Fragments(content), Fragments(blocks)
        self._require_result(content, blocks)

    def finish(self, item: Mapping[str, Any]) -> None:
        """Take a done event of the item, the first or the second."""
        require(self.type in (None, item["type"]), "an item changes its type")
        status = item.get("status")
        require(status in ("completed", "incomplete"), "a done item is completed or incomplete")
        self.type, self.call_id = item["type"], item.get("call_id")
        for parts in self.parts.values():
            require(all(part.done for part in parts.values()), "an item is done before its parts")
        if not self.is_partial:
            self._require_same_value(item)
        self.status = status

    def _require_same_value(self, item: Mapping[str, Any]) -> None:
        if self.type == "tool_call":
            require(self.value_done, "a tool call is done before its arguments")
            require(item["arguments"] == "".join(self.arguments), "arguments differ at the done")
        elif self.type == "tool_result":
            require(self.value_done, "a tool result item is done before its result")
            self._require_result(item["message_content"], item["block_list"])
        elif self.type in ("message", "reasoning"):
            content = item["message_content" if self.type == "message" else "content"]
            self._require_parts("content", content)
            self._require_parts("summary", item.get("summary"))

    def _require_parts(self, place: Place, done: Any) -> None:
        parts = self.parts[place]
        same = isinstance(done, list) if done else not parts
        require(
            same
            and len(parts) == len(done or ())
            and all(parts[index].matches(part) for index, part in enumerate(done or ())),
            f"the {place} of a done item differs from its parts",
        )

    def _require_result(self, content: Any, blocks: Any) -> None:
        require(
            normal_form(self.content.render()) == normal_form(content)
            and normal_form(self.blocks.render()) == normal_form(blocks),
            "the deltas do not add up to the tool result",
        )
