"""The rules of the order validator that span items: steps, attempts, calls and their results."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from ._order_parts import Item, Place, require

Event = Mapping[str, Any]


class ItemRules:
    """Follows the output items of one task.

    Args:
        is_tolerant: True if the stream began in the middle: items, calls and steps that it
            never showed are then taken on trust.
    """

    def __init__(self, *, is_tolerant: bool) -> None:
        self._is_tolerant = is_tolerant
        self._items: dict[str, Item] = {}
        self._calls: dict[str, Item] = {}
        self._step = 0  # 0 = no model call seen
        self._attempt = 0
        self._results_begun = False

    @classmethod
    def knows(cls, event_type: str) -> bool:
        """True if events of this type are about items."""
        return event_type in cls._HANDLERS

    def check(self, event: Event) -> None:
        """Take one event about an item."""
        self._HANDLERS[event["type"]](self, event)

    def open_ids(self) -> list[str]:
        """Return the ids of the items that are not done."""
        return [item_id for item_id, item in self._items.items() if item.status is None]

    def is_call_open(self) -> bool:
        """True if an item of a model call is not done."""
        return any(
            item.status is None and item.type != "tool_result" for item in self._items.values()
        )

    def _on_added(self, event: Event) -> None:
        fields = event["item"]
        item = Item(fields, step=_step(event), is_partial=False)
        require(fields["id"] not in self._items, "item ids are unique")
        item.require_begins_empty(fields)
        if item.type == "tool_result":
            self._require_result_in_place(item)
            self._results_begun = True
        else:
            self._require_call_in_place(item)
            if item.type == "tool_call":
                require(fields["call_id"] not in self._calls, "call ids are unique")
                self._calls[fields["call_id"]] = item
        replaced = fields.get("supersedes")
        if replaced is not None and not (self._is_tolerant and replaced not in self._items):
            old = self._items.get(replaced)
            require(
                old is not None and old.status == "incomplete" and old.step == item.step,
                "supersedes names an incomplete item of the same step",
            )
        self._items[fields["id"]] = item

    def _require_call_in_place(self, item: Item) -> None:
        if self._is_tolerant and not self._step:
            pass
        elif item.step == self._step and item.attempt == self._attempt:
            require(not self._results_begun, "an item of a model call follows its tool results")
            return
        elif item.step == self._step:
            require(item.attempt > self._attempt, "attempts count up")
            require(
                all(i.status == "incomplete" for i in self._items_of_call()),
                "a call is made anew while an item of its last attempt is not incomplete",
            )
        else:
            require(item.step == self._step + 1, "agent_step goes up by one per model call")
            require(not self.open_ids(), "a model call begins while items are open")
        self._step, self._attempt, self._results_begun = item.step, item.attempt, False

    def _require_result_in_place(self, item: Item) -> None:
        require(
            item.step == self._step or (self._is_tolerant and not self._step),
            "a tool result belongs to the current agent_step",
        )
        require(not self.is_call_open(), "a tool result begins before its model call has ended")
        call = self._calls.get(item.call_id or "")
        if call is None:
            require(self._is_tolerant, "a tool result answers a call of the task")
        else:
            require(call.status == "completed", "the calls of an incomplete model call never run")
        require(
            all(
                other.status == "incomplete"
                for other in self._items.values()
                if other.type == "tool_result" and other.call_id == item.call_id
            ),
            "a call is answered twice",
        )

    def _items_of_call(self) -> list[Item]:
        return [
            item
            for item in self._items.values()
            if (item.step, item.attempt) == (self._step, self._attempt)
            and item.type != "tool_result"
        ]

    def _on_done(self, event: Event) -> None:
        fields = event["item"]
        item = self._named(fields["id"], event)
        if item.status is not None:
            require(
                item.status == "completed" and fields.get("status") == "incomplete",
                "an item is done a second time only to become incomplete",
            )
            require(
                item.type != "tool_result" and item in self._items_of_call(),
                "only an item of the current model call becomes incomplete afterwards",
            )
        item.finish(fields)
        if item.is_partial:
            item.attempt = fields.get("attempt") or 1
            if item.type == "tool_call":
                self._calls.setdefault(fields["call_id"], item)
            if item.type != "tool_result" and item.step >= self._step:
                self._step, self._attempt = item.step, item.attempt
        usage = event.get("usage")
        require(
            usage is None or item.type != "tool_result",
            "only an item of a model call carries usage",
        )

    def _open(self, event: Event) -> Item:
        item = self._named(event["item_id"], event)
        require(item.status is None, "an event follows the done of its item")
        return item

    def _named(self, item_id: str, event: Event) -> Item:
        item = self._items.get(item_id)
        if item is None:
            require(self._is_tolerant, "an item that was never added")
            item = self._items[item_id] = Item({}, step=_step(event), is_partial=True)
        require(event["agent_step"] == item.step, "an item changes its agent_step")
        return item

    def _on_part_added(self, event: Event) -> None:
        place, index = _place(event)
        self._open(event).add_part(place, index, event["part"])

    def _on_part_done(self, event: Event) -> None:
        place, index = _place(event)
        self._open(event).part(place, index).finish(event["part"])

    def _on_text_delta(self, event: Event) -> None:
        place, index = _place(event)
        family = event["type"].removesuffix(".delta")
        self._open(event).part(place, index).add(family, event["delta"])

    def _on_text_done(self, event: Event) -> None:
        place, index = _place(event)
        family = event["type"].removesuffix(".done")
        self._open(event).part(place, index).finish_text(family, event["text"])

    def _on_arguments_delta(self, event: Event) -> None:
        item = self._open_value(event, "tool_call")
        item.arguments.append(event["delta"])

    def _on_arguments_done(self, event: Event) -> None:
        self._open_value(event, "tool_call").finish_arguments(event["arguments"])

    def _on_result_delta(self, event: Event) -> None:
        item = self._open_value(event, "tool_result")
        item.content.extend(event["delta_message_content"])
        item.blocks.extend(event["delta_block_list"])

    def _on_result_done(self, event: Event) -> None:
        item = self._open_value(event, "tool_result")
        item.finish_result(event["message_content"], event["block_list"])

    def _open_value(self, event: Event, item_type: str) -> Item:
        item = self._open(event)
        if item.is_partial and item.type is None:
            item.type, item.call_id = item_type, event["call_id"]
        require(item.type == item_type, f"{event['type']} for a {item.type} item")
        require(item.call_id == event["call_id"], "an item changes its call_id")
        require(not item.value_done or event["type"].endswith(".done"), "a delta follows its done")
        return item

    def _on_media_delta(self, event: Event) -> None:
        media = event["type"].split(".")[1]
        field = "delta" if media == "audio" else f"partial_{media}_b64"
        part = self._open(event).media_part(media)
        if part is not None:
            part.pieces.append(event[field])

    def _on_media_done(self, event: Event) -> None:
        part = self._open(event).media_part(event["type"].split(".")[1])
        if part is not None:
            part.text_done = True

    _HANDLERS: ClassVar[Mapping[str, Callable[..., None]]] = {
        "task.output_item.added": _on_added,
        "task.output_item.done": _on_done,
        "task.content_part.added": _on_part_added,
        "task.content_part.done": _on_part_done,
        "task.reasoning_summary_part.added": _on_part_added,
        "task.reasoning_summary_part.done": _on_part_done,
        "task.text.delta": _on_text_delta,
        "task.text.done": _on_text_done,
        "task.reasoning_text.delta": _on_text_delta,
        "task.reasoning_text.done": _on_text_done,
        "task.reasoning_summary_text.delta": _on_text_delta,
        "task.reasoning_summary_text.done": _on_text_done,
        "task.tool_call_arguments.delta": _on_arguments_delta,
        "task.tool_call_arguments.done": _on_arguments_done,
        "task.tool_result.delta": _on_result_delta,
        "task.tool_result.done": _on_result_done,
        **dict.fromkeys(
            ("task.audio.delta", "task.image.delta", "task.file.delta"), _on_media_delta
        ),
        **dict.fromkeys(("task.audio.done", "task.image.done", "task.file.done"), _on_media_done),
    }


def _step(event: Event) -> int:
    step: Any = event["agent_step"]
    require(type(step) is int and step >= 1, "agent_step is a whole number from 1")
    return step


def _place(event: Event) -> tuple[Place, int]:
    if event["type"].startswith("task.reasoning_summary"):
        return "summary", event["summary_index"]
    return "content", event["content_index"]
