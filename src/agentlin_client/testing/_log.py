"""The log of one fake task: numbers events, folds them, and lets no invalid one in."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from agentlin_client.types.fold import TaskFold
from agentlin_client.types.order import OrderValidator
from agentlin_client.types.status import FINAL, RESTING, STATUS_OF_EVENT

from ._drafts import Draft

_WITH_SNAPSHOT: Final = frozenset({"created"}) | FINAL | RESTING


class TaskLog:
    """The events of one task, each as it is on the wire.

    Args:
        base: The TaskObject before the first event: ids, metadata, the message.
        now: Tells the server's time.
    """

    def __init__(self, base: Draft, now: Callable[[], datetime]) -> None:
        self.events: list[dict[str, Any]] = []
        self.generations: list[int] = []
        self.fold = TaskFold()
        self._base = base
        self._now = now
        self._order = OrderValidator()
        self._generation = 1
        self._has_worked = False

    def append(self, draft: Draft) -> None:
        """Number an event and take it in.

        Raises:
            OrderError: No server would send it here: the script asks for the impossible.
        """
        kind: str = draft["type"]
        event: Draft = {"type": kind, "task_id": self._base["id"]}
        event["sequence_number"] = len(self.events)
        status = STATUS_OF_EVENT.get(kind)
        if status is not None:
            event["timestamp"] = timestamp(self._now())
        event |= draft
        self.fold.apply(event | {"task": self._base} if status == "created" else event)
        if status in _WITH_SNAPSHOT:
            snapshot = self.fold.snapshot()
            snapshot.pop("rollouts", None)
            event["task"] = snapshot
        self._order.check(event)
        if status == "working":
            self._generation += self._has_worked
            self._has_worked = True
        self.events.append(event)
        self.generations.append(self._generation)

    def step_of(self, item_id: str) -> int:
        """Return the model call that an item of the log belongs to."""
        return next(
            event["agent_step"]
            for event in self.events
            if event["type"] == "task.output_item.added" and event["item"]["id"] == item_id
        )


def timestamp(at: datetime) -> str:
    """Return an instant (UTC) as events have it.

    >>> from datetime import UTC
    >>> timestamp(datetime(2026, 1, 1, tzinfo=UTC))
    '2026-01-01T00:00:00.000Z'
    """
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
