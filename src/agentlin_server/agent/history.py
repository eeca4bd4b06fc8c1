"""What a task's log says of its past, so that any worker can go on where the last one stopped.

The unit of recovery is the model call (contract, section 4, Crash): calls that finished count,
items of one that did not are kept in the output and never shown to a model again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from agentlin_server.agent.decide import Progress, ToolCall
from agentlin_server.agent.items import COMPLETED
from agentlin_server.domain.events import Json


@dataclass(slots=True)
class _Call:
    """A model call: the items of its latest attempt."""

    attempt: int = 1
    items: dict[str, Json] = field(default_factory=dict[str, Json])
    is_finished: bool = False

    @property
    def tool_calls(self) -> list[Json]:
        return [item for item in self.items.values() if item["type"] == "tool_call"]


class History:
    """The past of a task, read from its events."""

    def __init__(self, log: Iterable[Mapping[str, Any]] = ()) -> None:
        """Read the events, in wire form and in order; deltas may be left out."""
        self.item_ids: list[str] = []
        """All items, in the order of the output."""
        self.call_ids: set[str] = set()
        """Every call id that the task has used."""
        self.tools: list[Json] | None = None
        """The tools that were announced last; None if none ever were."""
        self._calls: dict[int, _Call] = {}
        self._results: dict[str, Json] = {}
        self._cut_off: set[str] = set()
        for event in log:
            self._read(event)

    @property
    def step(self) -> int:
        """The last model call that finished; 0 if none did."""
        return max((step for step, call in self._calls.items() if call.is_finished), default=0)

    @property
    def superseded(self) -> list[str]:
        """Ids of the items that the next call replaces: those of its last, unfinished attempt."""
        call = self._calls.get(self.step + 1)
        return [] if call is None else list(call.items)

    @property
    def attempt(self) -> int:
        """The number that the next call's attempt gets."""
        call = self._calls.get(self.step + 1)
        return 1 if call is None else call.attempt + 1

    @property
    def interrupted(self) -> frozenset[str]:
        """Calls that were begun and cut off, and have no result."""
        return frozenset(self._cut_off - self._results.keys())

    def progress(self, *, step_max: int) -> Progress:
        """Return how far the task is."""
        step = self.step
        calls = self._calls[step].tool_calls if step else []
        pending = tuple(ToolCall(item) for item in calls if item["call_id"] not in self._results)
        return Progress(step=step, step_max=step_max, called_tools=bool(calls), pending=pending)

    def context_items(self) -> list[Json]:
        """Return what the model sees of it: each finished call, then its results in call order.

        The results of the last call are left out: see `step_results`.
        """
        items: list[Json] = []
        for step, call in sorted(self._calls.items()):
            if call.is_finished:
                items += call.items.values()
                if step < self.step:
                    items += self._results_of(call)
        return items

    def step_calls(self) -> list[str]:
        """Return the ids of the last call's tool calls, in their order."""
        step = self.step
        return [item["call_id"] for item in self._calls[step].tool_calls] if step else []

    def step_results(self) -> list[Json]:
        """Return the results of the last call that are there; more may be to come."""
        step = self.step
        return self._results_of(self._calls[step]) if step else []

    def _results_of(self, call: _Call) -> list[Json]:
        ids = (item["call_id"] for item in call.tool_calls)
        return [self._results[one] for one in ids if one in self._results]

    def _read(self, event: Mapping[str, Any]) -> None:
        kind: str = event["type"]
        if kind == "task.tools_updated":
            self.tools = event["tools"]
        elif kind == "task.output_item.added":
            self._on_added(event["agent_step"], event["item"])
        elif kind == "task.output_item.done":
            self._on_done(event["agent_step"], event["item"], event.get("finish_reason"))

    def _on_added(self, step: int, item: Json) -> None:
        self.item_ids.append(item["id"])
        if item["type"] == "tool_result":
            return
        if item["type"] == "tool_call":
            self.call_ids.add(item["call_id"])
        call = self._calls.setdefault(step, _Call())
        attempt: int = item.get("attempt", 1)
        if attempt > call.attempt:
            call = self._calls[step] = _Call(attempt)
        call.items[item["id"]] = item

    def _on_done(self, step: int, item: Json, finish_reason: str | None) -> None:
        if item["type"] != "tool_result":
            call = self._calls[step]
            call.items[item["id"]] = item
            call.is_finished = call.is_finished or finish_reason is not None
        elif item["status"] == COMPLETED:
            self._results[item["call_id"]] = item
        else:
            self._cut_off.add(item["call_id"])
