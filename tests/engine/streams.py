"""Collects the events of a task as a reader sees them, and checks that they are a valid stream."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import anyio

from agentlin_client.types.fold import TaskFold
from agentlin_client.types.order import OrderValidator
from agentlin_server.domain.ids import TaskPk
from agentlin_server.engine.encode import decode_event
from agentlin_server.engine.hub import Published
from agentlin_server.engine.reader import TaskReader

Batch = Sequence[Published]


def lines_of(batches: Sequence[Batch]) -> list[bytes]:
    """Return the events' bytes; checks that each batch numbers what it holds."""
    lines: list[bytes] = []
    for batch in batches:
        for segment in batch:
            assert segment.last_seq - segment.first_seq + 1 == len(segment.lines)
            for seq, line in enumerate(segment.lines, segment.first_seq):
                assert decode_event(line)["sequence_number"] == seq
                lines.append(line)
    return lines


def validated(batches: Sequence[Batch], *, after: int = -1) -> dict[str, Any]:
    """Check a whole stream; return the task that its events add up to.

    Every stream must keep the order of the contract, and a snapshot in its last event must be
    what the events before it add up to.
    """
    lines = lines_of(batches)
    validator = OrderValidator(resumed_after=after if after >= 0 else None)
    fold = TaskFold()
    event: dict[str, Any] = {}
    for line in lines:
        event = decode_event(line)
        validator.check(event)
        if after < 0:
            fold.apply(event)
    if after >= 0:
        return event.get("task") or {}
    task = fold.snapshot()
    if event.get("task") is not None:
        assert event["task"] == {key: value for key, value in task.items() if key != "rollouts"}
        assert batches[-1][-1].task is not None
        assert decode_event(batches[-1][-1].task) == event["task"]
    return task


async def collect(
    reader: TaskReader, pk: TaskPk, *, after: int = -1, until_final: bool = True
) -> list[Batch]:
    """Follow a task to its end; empty batches (signs of life) are left out."""
    with anyio.fail_after(10):
        batches: AsyncIterator[Batch] = reader.follow(
            pk, after_seq=after, until_final=until_final, idle_s=5.0
        )
        return [batch async for batch in batches if batch]


def types_of(batches: Sequence[Batch]) -> list[str]:
    """Return the types of the events, in order."""
    return [decode_event(line)["type"] for line in lines_of(batches)]
