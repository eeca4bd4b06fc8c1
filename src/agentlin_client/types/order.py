"""The order validator: refuses a stream of events that the contract does not allow. Pure.

It works on the wire form, like the fold, and holds for every log that our server writes:
each stream in each test passes through it. It is stricter than a client may be: a client
must live with what a newer server sends.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from ._order_items import ItemRules
from ._order_parts import BrokenRuleError, require
from .status import FINAL, FOLLOWING, RESTING, STATUS_OF_EVENT

__all__ = ["OrderError", "OrderValidator"]

_SNAPSHOT: Final = "task.snapshot"
_RFC_3339_UTC: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]00:00)", re.ASCII
)
_COMPRESSION: Final[Mapping[str, tuple[str | None, ...]]] = {
    # What the last compression event must have been.
    "created": (None, "completed"),
    "in_progress": ("created",),
    "completed": ("in_progress",),
}


class OrderError(ValueError):
    """An event that may not come here; the message names its number and the broken rule.

    Attributes:
        sequence_number: The event's number; None if it has none.
        rule: The rule that it breaks, in words.
    """

    def __init__(self, event: Mapping[str, Any], rule: str) -> None:
        """Name the event and the rule."""
        self.sequence_number: int | None = event.get("sequence_number")
        self.rule = rule
        super().__init__(f"event {self.sequence_number} ({event.get('type')}): {rule}")


class OrderValidator:
    """Checks the events of one task, one after the other.

    The rules: contract, section 4, Order, Numbers, Deltas and Crash. After an OrderError the
    validator's state is undefined: a broken stream is not read on.

    Args:
        resumed_after: The number after which the stream begins (`starting_after`); None for
            a stream from task.created on. Items that were open there are taken on trust.

    >>> order = OrderValidator()
    >>> order.check({"type": "task.working", "task_id": "t", "sequence_number": 0,
    ...              "timestamp": "2025-01-01T00:00:00Z"})
    Traceback (most recent call last):
    agentlin_client.types.order.OrderError: event 0 (task.working): task.created comes first
    """

    def __init__(self, *, resumed_after: int | None = None) -> None:
        self._next_number = 0 if resumed_after is None else resumed_after + 1
        self._task_id: str | None = None
        self._begin(status=None, is_resumed=resumed_after is not None and resumed_after >= 0)

    def check(self, event: Mapping[str, Any]) -> None:
        """Take the next event.

        Raises:
            OrderError: The event may not come here, or lacks a field that the rules look at.
        """
        try:
            self._check(event)
        except BrokenRuleError as broken:
            raise OrderError(event, str(broken)) from None
        except (KeyError, TypeError, AttributeError) as error:
            raise OrderError(event, f"a field is missing or mistyped: {error!r}") from error

    @property
    def is_at_rest(self) -> bool:
        """True if the stream may end here: its last event is final or resting."""
        return self._last_status_event in FINAL or self._last_status_event in RESTING

    def _begin(self, *, status: str | None, is_resumed: bool) -> None:
        self._status = status
        self._last_status_event = status
        self._is_resumed = is_resumed
        self._items = ItemRules(is_tolerant=is_resumed)
        self._tools: Any = None
        self._compression: str | None = None

    def _check(self, event: Mapping[str, Any]) -> None:
        kind: str = event["type"]
        number: Any = event["sequence_number"]
        require(type(number) is int and number >= 0, "sequence_number is a whole number from 0")
        if self._task_id is None:
            self._task_id = event["task_id"]
        require(event["task_id"] == self._task_id, "all events are of one task")
        if kind in STATUS_OF_EVENT or kind == _SNAPSHOT:
            _require_utc(event["timestamp"])
        if kind == _SNAPSHOT:
            self._on_snapshot(event)
            return
        require(self._status not in FINAL, "nothing follows a final event")
        require(number == self._next_number, f"the next number is {self._next_number}")
        self._next_number += 1
        is_first = self._status is None and not self._is_resumed
        require(is_first == (kind == "task.created"), "task.created comes first")
        self._last_status_event = None
        if kind in STATUS_OF_EVENT:
            self._on_status(event, STATUS_OF_EVENT[kind])
        else:
            self._on_work(event, kind)

    def _on_snapshot(self, event: Mapping[str, Any]) -> None:
        # It stands for everything up to its number, so it may jump, also backwards.
        self._begin(status=event["task"]["status"], is_resumed=True)
        self._next_number = event["sequence_number"] + 1

    def _on_status(self, event: Mapping[str, Any], status: str) -> None:
        before = self._status
        if before is not None:
            require(status in FOLLOWING[before], f"{status} does not follow {before}")
        if status in FINAL or status in RESTING:
            open_ids = self._items.open_ids()
            require(not open_ids, f"items are open at a {status} event: {', '.join(open_ids)}")
        if status == "input-required":
            require("call_id" in event["input_required"], "input_required is a tool call")
        if status == "failed":
            require("code" in event["error"], "a failed task has an error")
        if event.get("task") is not None:
            self._require_own_snapshot(event, status)
        self._status = self._last_status_event = status
        self._compression = None  # an interrupted compression begins anew

    def _require_own_snapshot(self, event: Mapping[str, Any], status: str) -> None:
        task = event["task"]
        require(task["id"] == event["task_id"], "the snapshot is of this task")
        require(task["status"] == status, "the snapshot shows the status of its event")
        require(
            task.get("sequence_number") in (None, event["sequence_number"]),
            "the snapshot is folded up to its event",
        )
        require(not task.get("rollouts"), "snapshots inside events omit rollouts")

    def _on_work(self, event: Mapping[str, Any], kind: str) -> None:
        if kind == "task.tools_updated":
            require(self._status in (None, "working"), "tools are updated while working")
            require(event["tools"] != self._tools, "tools_updated comes again only on a change")
            self._tools = event["tools"]
            return
        if kind not in _WORK and not self._items.knows(kind):
            return  # of a type that this version does not know
        self._require_may_work(event, kind)
        if kind.startswith("task.context_compression."):
            stage = kind.rpartition(".")[2]
            # A stream that begins in the middle may begin in the middle of a compression.
            known = self._compression is not None or not self._is_resumed
            require(
                not known or self._compression in _COMPRESSION[stage],
                f"compression {stage} after {self._compression}",
            )
            self._compression = stage
        elif kind == "task.rollout":
            is_own = event.get("child_task_id") is None
            require(
                not (is_own and self._items.is_call_open()),
                "a rollout comes after its call's items",
            )
        else:
            self._items.check(event)

    def _require_may_work(self, event: Mapping[str, Any], kind: str) -> None:
        if self._status is None:
            return  # resumed: not known
        require(
            self._tools is not None or self._is_resumed,
            "task.tools_updated comes before the first work",
        )
        if self._status == "working":
            return
        if kind == "task.output_item.added":
            require(
                self._status == "input-required" and event["item"]["type"] == "tool_result",
                f"no work begins while {self._status}",
            )
            return
        # What was open at a crash may be closed before the task works again; answers are
        # written while input is required.
        allowed = self._status in ("queued", "input-required") and self._items.knows(kind)
        require(allowed, f"no work while {self._status}")


_WORK: Final = frozenset(
    {
        "task.rollout",
        "task.context_compression.created",
        "task.context_compression.in_progress",
        "task.context_compression.completed",
    }
)


def _require_utc(timestamp: Any) -> None:
    is_utc = isinstance(timestamp, str) and _RFC_3339_UTC.fullmatch(timestamp) is not None
    require(is_utc, "timestamp is RFC 3339 in UTC")
    try:
        datetime.fromisoformat(timestamp.upper())
    except ValueError as error:
        raise BrokenRuleError(f"timestamp is no time: {error}") from None
