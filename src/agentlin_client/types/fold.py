"""The fold: the events of one task, in order, make its TaskObject. Pure; no I/O, no clock.

It works on the wire form (decoded JSON), so that the server and the SDK use this same code
and fields that it does not know survive. Events are values: it keeps references into them
and never changes them, so callers must not change them either.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar, Final

from ._item_state import ItemState, OpenItem, OpenPart, PartList, PartState
from ._usage import UsageSum
from .status import FINAL, RESTING, STATUS_OF_EVENT

__all__ = ["FoldError", "OpenItem", "OpenPart", "TaskFold"]

_SNAPSHOT = "task.snapshot"
# What a snapshot says and the log says too: the log wins.
_FOLDED: Final = frozenset(
    {
        "status",
        "output",
        "error",
        "input_required",
        "input_required_call_ids",
        "pause_requested",
        "rollouts",
        "sequence_number",
        "usage",
    }
)
_NOT_OF_ROLLOUT: Final = frozenset({"type", "sequence_number"})


class FoldError(ValueError):
    """An event can't be folded: the log has no beginning, or names what it never added."""


class TaskFold:
    """The state of one task after the events applied so far.

    Status, output, usage, error, input_required and rollouts follow from the events alone;
    the rest (who, when, in which session) is taken from `task` in task.created or
    task.snapshot. Source: contract, sections 1 and 4.

    >>> fold = TaskFold()
    >>> fold.apply({"type": "task.created", "task_id": "t", "sequence_number": 0, "task": {}})
    >>> fold.apply({"type": "task.working", "task_id": "t", "sequence_number": 1})
    >>> fold.status, fold.sequence_number
    ('working', 1)
    """

    __slots__ = (
        "_base",
        "_call_ids",
        "_error",
        "_input_required",
        "_items",
        "_pause_requested",
        "_pending",
        "_rollouts",
        "_status",
        "_usage",
        "sequence_number",
    )

    sequence_number: int
    """Number of the last event folded in; -1 before the first."""

    def __init__(self, base: Mapping[str, Any] | None = None) -> None:
        """Begin before the first event, or with a snapshot.

        Args:
            base: A TaskObject in wire form whose `sequence_number` is the last event folded
                into it. Needed only if the events don't start at task.created.
        """
        self._begin({})
        self._base: Mapping[str, Any] | None = None
        if base is not None:
            self._load(base)

    def apply(self, event: Mapping[str, Any]) -> None:
        """Fold one event in.

        An event that is folded in already (by its number) changes nothing, so a snapshot and
        a stream that overlap fit together; task.snapshot replaces everything. Events of a
        type that this version does not know count, and change nothing else.

        Raises:
            FoldError: The first event is not task.created or task.snapshot and there is no
                base; it names an item or a part that was never added; a field is missing.
        """
        try:
            kind: str = event["type"]
            number: int = event["sequence_number"]
            if number <= self.sequence_number and kind != _SNAPSHOT:
                return
            if self._base is None and kind not in {"task.created", _SNAPSHOT}:
                raise FoldError(f"event {number} ({kind}): the log does not start at task.created")
            handler = self._HANDLERS.get(kind)
            if handler is not None:
                handler(self, event)
        except FoldError:
            raise
        except (LookupError, TypeError, AttributeError, ValueError, OverflowError) as error:
            raise FoldError(
                f"event {event.get('sequence_number')} ({event.get('type')}): "
                f"missing, mistyped or never added: {error}"
            ) from error
        self.sequence_number = number

    def snapshot(self) -> dict[str, Any]:
        """Return the TaskObject in wire form; later events don't change it.

        The keys always come in the same order: the seed's fields as the contract lists them
        (`rollouts` only if there are any), then the extension fields `user_message_content`,
        `input_required_call_ids`, `pause_requested`, `sequence_number`, then what else the
        task's base held. So equal logs render byte for byte alike. Items that are still open
        have status `in_progress` and their text so far.

        Raises:
            FoldError: No event has been folded in and there is no base.
        """
        if self._base is None:
            raise FoldError("no event yet")
        base = dict(self._base)
        task: dict[str, Any] = {
            "id": base.pop("id", None),
            "object": base.pop("object", "task"),
            "created_at": base.pop("created_at", None),
            "status": self._status,
            "session_id": base.pop("session_id", None),
            "user_id": base.pop("user_id", None),
            "output": [item.render() for item in self._items.values()],
            "error": self._error,
            "input_required": self._input_required,
            "metadata": base.pop("metadata", None),
            "previous_task_id": base.pop("previous_task_id", None),
        }
        if self._rollouts:
            task["rollouts"] = list(self._rollouts)
        task["usage"] = self._usage.render(tool_calls=len(self._call_ids))
        if "user_message_content" in base:
            task["user_message_content"] = base.pop("user_message_content")
        task["input_required_call_ids"] = list(self._pending)
        task["pause_requested"] = self._pause_requested
        task["sequence_number"] = self.sequence_number
        return task | base

    def open_items(self) -> list[OpenItem]:
        """Return the items that have no done event yet, in order, as they are so far."""
        return [item.as_open(key) for key, item in self._items.items() if item.is_open]

    @property
    def status(self) -> str:
        """The task's status, as the wire spells it; `created` before the first event."""
        return self._status

    @property
    def is_final(self) -> bool:
        """True if the task is completed, canceled, expired or failed."""
        return self._status in FINAL

    @property
    def is_resting(self) -> bool:
        """True if the task waits for its client: input-required or paused."""
        return self._status in RESTING

    def _begin(self, base: Mapping[str, Any]) -> None:
        self._base = {key: value for key, value in base.items() if key not in _FOLDED}
        self._status: str = "created"
        self._items: dict[str, ItemState] = {}
        self._call_ids: set[str] = set()
        self._error: Any = None
        self._input_required: Any = None
        self._pending: list[str] = []
        self._pause_requested = False
        self._rollouts: list[dict[str, Any]] = []
        self._usage = UsageSum()
        self.sequence_number = -1

    def _load(self, task: Mapping[str, Any]) -> None:
        self._begin(task)
        self._status = task.get("status") or "created"
        self._error = task.get("error")
        self._input_required = task.get("input_required")
        self._pending = list(task.get("input_required_call_ids") or ())
        self._pause_requested = bool(task.get("pause_requested"))
        self._rollouts = list(task.get("rollouts") or ())
        self._usage = UsageSum(task.get("usage"))
        number = task.get("sequence_number")
        self.sequence_number = -1 if number is None else number
        for position, item in enumerate(task.get("output") or ()):
            # The id of a message or a tool call is optional in the seed.
            key: str = item.get("id") or f"#{position}"
            self._add(key, item, agent_step=0, is_open=item.get("status") == "in_progress")

    def _add(self, key: str, item: Mapping[str, Any], *, agent_step: int, is_open: bool) -> None:
        state = ItemState(item, agent_step=agent_step, is_open=is_open)
        self._items[key] = state
        if state.type == "tool_result" and state.call_id:
            self._call_ids.add(state.call_id)

    def _part(self, item_id: str, place: PartList, index: int) -> PartState:
        return self._items[item_id].parts(place)[index]

    # Handlers, one per group of event types; `_HANDLERS` names them.

    def _on_created(self, event: Mapping[str, Any]) -> None:
        base: dict[str, Any] = dict(event.get("task") or {})
        base.setdefault("id", event["task_id"])
        if "created_at" not in base and "timestamp" in event:
            base["created_at"] = int(datetime.fromisoformat(event["timestamp"]).timestamp())
        self._begin(base)

    def _on_snapshot(self, event: Mapping[str, Any]) -> None:
        self._load(event["task"])

    def _on_status(self, event: Mapping[str, Any]) -> None:
        status = self._status = STATUS_OF_EVENT[event["type"]]
        if status == "input-required":
            asked = self._input_required = event["input_required"]
            self._pending = list(event.get("input_required_call_ids") or (asked["call_id"],))
            return
        self._input_required = None
        self._pending = []
        if status == "paused" or status in FINAL:
            self._pause_requested = False
        if status in ("failed", "expired"):
            self._error = event.get("error")

    def _on_item_added(self, event: Mapping[str, Any]) -> None:
        item = event["item"]
        self._add(item["id"], item, agent_step=event["agent_step"], is_open=True)

    def _on_item_done(self, event: Mapping[str, Any]) -> None:
        item = event["item"]
        key: str = item["id"]
        if key in self._items:
            self._items[key].close(item)
        else:  # it carries all there is to know
            self._add(key, item, agent_step=event["agent_step"], is_open=False)
        usage = event.get("usage")
        if usage is not None:
            self._usage.add((event["agent_step"], item.get("attempt") or 1), usage)

    def _on_part_added(self, event: Mapping[str, Any]) -> None:
        _put(self._items[event["item_id"]].parts("content"), event["content_index"], event["part"])

    def _on_part_done(self, event: Mapping[str, Any]) -> None:
        self._part(event["item_id"], "content", event["content_index"]).replace(event["part"])

    def _on_text_delta(self, event: Mapping[str, Any]) -> None:
        part = self._part(event["item_id"], "content", event["content_index"])
        part.pieces.append(event["delta"])
        logprobs = event.get("logprobs")
        if logprobs:
            part.add_logprobs(logprobs)

    def _on_text_done(self, event: Mapping[str, Any]) -> None:
        part = self._part(event["item_id"], "content", event["content_index"])
        part.set_text(event["text"], event.get("logprobs"))

    def _on_summary_added(self, event: Mapping[str, Any]) -> None:
        _put(self._items[event["item_id"]].parts("summary"), event["summary_index"], event["part"])

    def _on_summary_done(self, event: Mapping[str, Any]) -> None:
        self._part(event["item_id"], "summary", event["summary_index"]).replace(event["part"])

    def _on_summary_delta(self, event: Mapping[str, Any]) -> None:
        self._part(event["item_id"], "summary", event["summary_index"]).pieces.append(
            event["delta"]
        )

    def _on_summary_text_done(self, event: Mapping[str, Any]) -> None:
        self._part(event["item_id"], "summary", event["summary_index"]).set_text(
            event["text"], None
        )

    def _on_arguments_delta(self, event: Mapping[str, Any]) -> None:
        self._items[event["item_id"]].add_arguments(event["delta"])

    def _on_arguments_done(self, event: Mapping[str, Any]) -> None:
        self._items[event["item_id"]].set_fields(arguments=event["arguments"])

    def _on_result_delta(self, event: Mapping[str, Any]) -> None:
        self._items[event["item_id"]].add_result(
            event["delta_message_content"], event["delta_block_list"]
        )

    def _on_result_done(self, event: Mapping[str, Any]) -> None:
        self._items[event["item_id"]].set_fields(
            message_content=event["message_content"], block_list=event["block_list"]
        )

    def _on_audio_delta(self, event: Mapping[str, Any]) -> None:
        part = self._items[event["item_id"]].last_media("input_audio")
        if part is not None:
            part.pieces.append(event["delta"])

    def _on_file_delta(self, event: Mapping[str, Any]) -> None:
        part = self._items[event["item_id"]].last_media("file")
        if part is not None:
            part.pieces.append(event["partial_file_b64"])

    def _on_compressed(self, event: Mapping[str, Any]) -> None:
        usage = event.get("usage")
        if usage is not None:
            self._usage.add(("compression", event["sequence_number"]), usage)

    def _on_rollout(self, event: Mapping[str, Any]) -> None:
        self._rollouts.append({k: v for k, v in event.items() if k not in _NOT_OF_ROLLOUT})

    # Previews of images (task.image.delta) change nothing: the part's done brings the image.
    _HANDLERS: ClassVar[Mapping[str, Callable[..., None]]] = {
        **dict.fromkeys(STATUS_OF_EVENT, _on_status),
        "task.created": _on_created,
        _SNAPSHOT: _on_snapshot,
        "task.output_item.added": _on_item_added,
        "task.output_item.done": _on_item_done,
        "task.content_part.added": _on_part_added,
        "task.content_part.done": _on_part_done,
        "task.text.delta": _on_text_delta,
        "task.text.done": _on_text_done,
        "task.reasoning_text.delta": _on_text_delta,
        "task.reasoning_text.done": _on_text_done,
        "task.reasoning_summary_part.added": _on_summary_added,
        "task.reasoning_summary_part.done": _on_summary_done,
        "task.reasoning_summary_text.delta": _on_summary_delta,
        "task.reasoning_summary_text.done": _on_summary_text_done,
        "task.tool_call_arguments.delta": _on_arguments_delta,
        "task.tool_call_arguments.done": _on_arguments_done,
        "task.tool_result.delta": _on_result_delta,
        "task.tool_result.done": _on_result_done,
        "task.audio.delta": _on_audio_delta,
        "task.file.delta": _on_file_delta,
        "task.context_compression.completed": _on_compressed,
        "task.rollout": _on_rollout,
    }


def _put(parts: list[PartState], index: int, part: Any) -> None:
    if index > len(parts):
        raise IndexError(f"part {index} of {len(parts)}")
    # An index that is there already begins anew: a part is known by its index alone.
    parts[index : index + 1] = [PartState(part)]
