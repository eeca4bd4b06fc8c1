"""Streams that break one rule each: a table of them, and helpers to write them.

A breaker gets a stream that has begun (`StreamBuilder.start`) and leaves one whose last event,
and no earlier one, breaks the rule.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from agentlin_client.types.order import OrderError, OrderValidator
from agentlin_client.types.status import STATUS_OF_EVENT
from tests.types.stream_builder import TIMESTAMP, Event, StreamBuilder

Breaker = Callable[[StreamBuilder], Any]


class Breakers:
    """A table of rules, each with what breaks it."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, Breaker]] = []

    def breaks(self, rule: str) -> Callable[[Breaker], Breaker]:
        """Register a breaker of the rule that begins with these words."""

        def register(breaker: Breaker) -> Breaker:
            self._rows.append((rule, breaker))
            return breaker

        return register

    def params(self) -> list[Any]:
        """Return (rule, breaker) for pytest, each with an id of its own."""
        seen: Counter[str] = Counter()
        params: list[Any] = []
        for rule, breaker in self._rows:
            seen[rule] += 1
            test_id = rule if seen[rule] == 1 else f"{rule} ({seen[rule]})"
            params.append(pytest.param(rule, breaker, id=test_id))
        return params


def assert_last_event_breaks(rule: str, breaker: Breaker) -> None:
    """Assert that the last event, and no other, breaks the rule."""
    build = StreamBuilder()
    build.start()
    breaker(build)
    order = OrderValidator()
    for event in build.events[:-1]:
        order.check(event)
    with pytest.raises(OrderError) as caught:
        order.check(build.events[-1])
    assert caught.value.rule.startswith(rule)


def put(build: StreamBuilder, kind: str, **fields: Any) -> None:
    """Append an event that the builder's fold would not take."""
    event: Event = {"type": kind, "task_id": build.task_id, "sequence_number": len(build.events)}
    if kind in STATUS_OF_EVENT:
        event["timestamp"] = TIMESTAMP
    build.events.append(event | fields)


def begin(build: StreamBuilder) -> str:
    build.begin_call()
    return build.add_message()


def message(build: StreamBuilder, *deltas: str) -> str:
    item_id = begin(build)
    build.add_part(item_id)
    build.text(item_id, *deltas)
    return item_id


def call(build: StreamBuilder, *arguments: str, call_id: str = "call_1") -> str:
    build.begin_call()
    item_id = build.add_call(call_id=call_id)
    build.arguments(item_id, *arguments)
    return item_id


def part_ids(build: StreamBuilder, item_id: str) -> Event:
    return {"item_id": item_id, "agent_step": build.step, "content_index": 0}
