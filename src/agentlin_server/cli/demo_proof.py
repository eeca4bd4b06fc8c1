"""What a demo proves: the log compared with what was shown, the ledger with the calls."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from agentlin_server.cli.demo_wire import Frame

if TYPE_CHECKING:
    from agentlin_server.tools.ledger import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The figures of one run.

    Attributes:
        events: In the log, in the end.
        lost: Events of the log that were never shown.
        duplicated: Events that were shown again.
        altered: Events that were shown otherwise than the log has them.
        side_effects: How often the tool really began to run.
        tool_calls: How often the model called it.
        tool_calls_expected: How often it was to.
        status: Of the task.
        fault: What else is wrong, e.g. with the order of events; None if nothing is.
    """

    events: int
    lost: int
    duplicated: int
    altered: int
    side_effects: int
    tool_calls: int
    tool_calls_expected: int
    status: str
    fault: str | None

    @property
    def holds(self) -> bool:
        """True if nothing is off."""
        return (
            self.lost == self.duplicated == self.altered == 0
            and self.side_effects == self.tool_calls == self.tool_calls_expected
            and self.status == "completed"
            and self.fault is None
        )

    def line(self) -> str:
        """Return the figures in words."""
        figures = f"events lost {self.lost}, duplicated {self.duplicated}"
        if self.altered:
            figures += f", altered {self.altered}"
        return f"{figures}, side effects {self.side_effects} of {self.tool_calls}"

    def to_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return asdict(self) | {"holds": self.holds}


def prove(
    *,
    shown: Sequence[Frame],
    log: Sequence[Frame],
    ledger: Sequence["Entry"],
    tool: str,
    tool_calls_expected: int,
) -> Proof:
    """Compare what was shown with what the server has.

    Args:
        shown: Every event that came to the terminal, in order.
        log: The whole log, read anew.
        ledger: What the tool wrote.
        tool: Its name.
        tool_calls_expected: How often the model was to call it.
    """
    times = Counter(frame.seq for frame in shown)
    stored = {frame.seq: frame.raw for frame in log}
    task, fault = _folded(log)
    calls = [
        item
        for item in task["output"]
        if (item["type"], item.get("name"), item.get("status")) == ("tool_call", tool, "completed")
    ]
    return Proof(
        events=len(log),
        lost=sum(seq not in times for seq in stored),
        duplicated=sum(count - 1 for count in times.values()),
        altered=sum(frame.raw != stored.get(frame.seq) for frame in shown),
        side_effects=sum(entry.begun for entry in ledger if entry.tool == tool),
        tool_calls=len(calls),
        tool_calls_expected=tool_calls_expected,
        status=task["status"],
        fault=fault or _folded(shown)[1],
    )


def _folded(frames: Sequence[Frame]) -> tuple[Mapping[str, Any], str | None]:
    """Return the task that the events add up to, and what is wrong with them, if anything is."""
    from agentlin_client.types.fold import FoldError, TaskFold
    from agentlin_client.types.order import OrderError, OrderValidator

    order, fold = OrderValidator(), TaskFold({"output": []})
    fault: str | None = None
    event: Mapping[str, Any] = {}
    try:
        for frame in frames:
            event = json.loads(frame.data)["result"]
            order.check(event)
            fold.apply(event)
    except (OrderError, FoldError) as exc:
        fault = str(exc)
    task = fold.snapshot()
    if fault is None and not order.is_at_rest:
        fault = "the stream broke off"
    if fault is None and task != event["task"]:
        fault = "the events do not add up to the task"
    return task, fault
