"""Numbers drafts as a log would, so that they can be validated and folded."""

from collections.abc import Sequence
from typing import Any

from agentlin_client.types.fold import TaskFold
from agentlin_client.types.order import OrderValidator
from agentlin_server.domain import events
from agentlin_server.domain.events import AnyDraft
from agentlin_server.engine.encode import Numbering, decode_event


class Log:
    """The events of one task that works, checked and folded as they come."""

    def __init__(self) -> None:
        """Begin with the events before the first model call."""
        self._numbering = Numbering("task_1")
        self.validator = OrderValidator()
        self.fold = TaskFold()
        self.events: list[dict[str, Any]] = []
        self.append([events.created(), events.working(), events.tools_updated(())])

    def append(self, drafts: Sequence[AnyDraft]) -> list[dict[str, Any]]:
        """Take drafts; return their events."""
        lines = self._numbering.lines(drafts, len(self.events), 0.0)
        new = [decode_event(line) for line in lines]
        for event in new:
            self.validator.check(event)
            self.fold.apply(event)
        self.events += new
        return new

    @property
    def output(self) -> list[dict[str, Any]]:
        """The items so far."""
        return self.fold.snapshot()["output"]
