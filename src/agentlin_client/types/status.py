"""The statuses of a task, and which may follow which (contract, section 4, first paragraph).

Plain data without imports of weight: the fold, the order validator and the server's domain
all read these tables, so that there is one of each.
"""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

TaskStatus: TypeAlias = Literal[
    "created",
    "queued",
    "working",
    "input-required",
    "paused",
    "completed",
    "canceled",
    "expired",
    "failed",
]
"""The status of a task, as the wire spells it."""

FINAL: Final[frozenset[str]] = frozenset({"completed", "canceled", "expired", "failed"})
"""Statuses that nothing follows."""

RESTING: Final[frozenset[str]] = frozenset({"input-required", "paused"})
"""Statuses in which the task waits for its client; a stream ends here too."""

STATUS_OF_EVENT: Final[Mapping[str, TaskStatus]] = {
    "task.created": "created",
    "task.queued": "queued",
    "task.working": "working",
    "task.input_required": "input-required",
    "task.paused": "paused",
    "task.completed": "completed",
    "task.canceled": "canceled",
    "task.expired": "expired",
    "task.failed": "failed",
}
"""The status that each status event puts the task in."""

FOLLOWING: Final[Mapping[str, frozenset[str]]] = {
    "created": frozenset({"queued", "working", "canceled"}),
    "queued": frozenset({"working", "canceled", "expired"}),
    "working": frozenset(
        {"queued", "input-required", "paused", "completed", "failed", "canceled", "expired"}
    ),
    # To itself: answers that leave calls open are followed by a new task.input_required.
    "input-required": frozenset({"input-required", "queued", "canceled", "expired"}),
    "paused": frozenset({"queued", "canceled", "expired"}),
    "completed": frozenset(),
    "canceled": frozenset(),
    "expired": frozenset(),
    "failed": frozenset(),
}
"""The statuses that may follow each status, as the events of the log show them."""
