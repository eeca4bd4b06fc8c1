"""One output item while its events arrive: the part of the fold that grows text."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ._fragments import Fragments

PartList = Literal["content", "summary"]
"""Which list of an item a part is in: its content, or a reasoning item's summary."""

_CONTENT_KEY = {"message": "message_content", "tool_result": "message_content"}
_GROWS = {"input_audio": "data", "file": "file_data"}  # media parts: holder -> its base64 field


@dataclass(frozen=True, slots=True)
class OpenPart:
    """A part that has no done event yet.

    Attributes:
        place: The list it is in: `content` or `summary`.
        index: Its `content_index` or `summary_index`.
        part: Its wire form, with the text so far.
        text_done: True if the `...text.done` event is there and only the part's own done lacks.
    """

    place: PartList
    index: int
    part: dict[str, Any]
    text_done: bool


@dataclass(frozen=True, slots=True)
class OpenItem:
    """An item that has no done event yet: what is needed to write its dones.

    Attributes:
        id: The item's id.
        type: The item's type.
        agent_step: The model call that it belongs to; 0 if the fold began after its events.
        item: Its wire form so far, with status `in_progress`.
        parts: Its open parts, content before summary, by index.
        value_done: True if `task.tool_call_arguments.done` or `task.tool_result.done` is
            there and only the item's own done lacks.
    """

    id: str
    type: str
    agent_step: int
    item: dict[str, Any]
    parts: tuple[OpenPart, ...]
    value_done: bool


class PartState:
    """A content or summary part: its fields, and its text (or base64) in pieces."""

    __slots__ = ("_fields", "_holder", "done", "pieces", "text_done")

    def __init__(self, part: Any) -> None:
        """Begin with the wire form of `content_part.added`; a string is a text part."""
        self.done = False
        self.text_done = False
        self._fields: dict[str, Any] = (
            {"type": "text", "text": part} if isinstance(part, str) else dict(part)
        )
        self._holder = next((key for key in _GROWS if key in self._fields), None)
        self.pieces: list[str] = [self._value()]

    @property
    def holder(self) -> str | None:
        """The field that holds the base64 of a media part; None for text."""
        return self._holder

    def add_logprobs(self, logprobs: list[Any]) -> None:
        """Append the log probabilities that came with a piece of text."""
        self._fields["logprobs"] = [*(self._fields.get("logprobs") or ()), *logprobs]

    def set_text(self, text: str, logprobs: Any) -> None:
        """Take the text of a done event, and its log probabilities if it has any."""
        self.pieces = [text]
        self.text_done = True
        if logprobs:
            self._fields["logprobs"] = logprobs

    def replace(self, part: Mapping[str, Any]) -> None:
        """Take the wire form of the part's done event."""
        self._fields = dict(part)
        self._holder = next((key for key in _GROWS if key in self._fields), None)
        self.pieces = [self._value()]
        self.done = self.text_done = True

    def render(self) -> dict[str, Any]:
        """Return the wire form so far, a new object."""
        value = "".join(self.pieces)
        self.pieces = [value]
        if self._holder is not None:
            held = {**self._fields[self._holder]}
            if value:
                held[_GROWS[self._holder]] = value
            return {**self._fields, self._holder: held}
        if "text" in self._fields or value:
            return {**self._fields, "text": value}
        return {**self._fields}

    def _value(self) -> str:
        if self._holder is not None:
            return self._fields[self._holder].get(_GROWS[self._holder]) or ""
        return self._fields.get("text") or ""


class ItemState:
    """An output item: as its last done event says, or as its deltas add up so far."""

    __slots__ = (
        "_blocks",
        "_fields",
        "_parts",
        "_result",
        "agent_step",
        "arguments",
        "is_open",
        "value_done",
    )

    def __init__(self, item: Mapping[str, Any], *, agent_step: int, is_open: bool) -> None:
        """Begin with the wire form of `output_item.added` or of a snapshot."""
        self._fields = item
        self.agent_step = agent_step
        self.is_open = is_open
        self.value_done = False
        self._parts: dict[PartList, list[PartState]] = {}
        self.arguments: list[str] | None = None
        self._result: Fragments | None = None
        self._blocks: Fragments | None = None

    @property
    def type(self) -> str:
        """The item's type."""
        return self._fields.get("type", "")

    @property
    def call_id(self) -> str | None:
        """The call that a tool_call or tool_result item belongs to."""
        return self._fields.get("call_id")

    def parts(self, place: PartList) -> list[PartState]:
        """Return the item's parts; made from what the item began with, on first use."""
        found = self._parts.get(place)
        if found is None:
            begun: Any = self._fields.get(self._key(place)) or []
            elements: list[Any] = [begun] if isinstance(begun, str) else begun
            found = self._parts[place] = [PartState(element) for element in elements]
        return found

    def last_media(self, holder: str) -> PartState | None:
        """Return the last open media part that holds `holder`, if there is one."""
        for part in reversed(self.parts("content")):
            if part.holder == holder and not part.done:
                return part
        return None

    def add_arguments(self, delta: str) -> None:
        """Append a piece of a tool call's arguments."""
        if self.arguments is None:
            self.arguments = [self._fields.get("arguments") or ""]
        self.arguments.append(delta)

    def set_fields(self, **fields: Any) -> None:
        """Take the values of a `tool_call_arguments.done` or `tool_result.done` event."""
        self._fields = {**self._fields, **fields}
        self.value_done = True
        self.arguments = self._result = self._blocks = None

    def add_result(self, content: Any, blocks: Any) -> None:
        """Append a fragment of a tool result: of what the model reads, of what a screen shows."""
        if self._result is None or self._blocks is None:
            self._result = Fragments(self._fields.get("message_content"))
            self._blocks = Fragments(self._fields.get("block_list"))
        self._result.extend(content)
        self._blocks.extend(blocks)

    def close(self, item: Mapping[str, Any]) -> None:
        """Take the wire form of `output_item.done`; the last one counts."""
        self._fields = item
        self.is_open = False
        self._parts = {}
        self.arguments = self._result = self._blocks = None

    def render(self) -> dict[str, Any]:
        """Return the wire form so far, a new object down to the text that still grows."""
        rendered = {**self._fields}
        if not self.is_open:
            return rendered
        rendered["status"] = "in_progress"
        for place, parts in self._parts.items():
            rendered[self._key(place)] = [part.render() for part in parts]
        if self.arguments is not None:
            self.arguments = ["".join(self.arguments)]
            rendered["arguments"] = self.arguments[0]
        if self._result is not None and self._blocks is not None:
            rendered["message_content"] = self._result.render()
            rendered["block_list"] = self._blocks.render()
        return rendered

    def as_open(self, item_id: str) -> OpenItem:
        """Return what is needed to close the item."""
        return OpenItem(
            id=item_id,
            type=self.type,
            agent_step=self.agent_step,
            item=self.render(),
            parts=tuple(
                OpenPart(place, index, part.render(), part.text_done)
                for place in ("content", "summary")
                for index, part in enumerate(self._parts.get(place, ()))
                if not part.done
            ),
            value_done=self.value_done,
        )

    def _key(self, place: PartList) -> str:
        return "summary" if place == "summary" else _CONTENT_KEY.get(self.type, "content")
