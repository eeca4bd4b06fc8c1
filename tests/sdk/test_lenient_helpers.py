"""The helpers over what a server should not have sent: no error of Python's own, and no guess."""

from typing import Any

import pytest

from agentlin_client import TaskResponseError
from agentlin_client._lenient import construct
from agentlin_client.lib import TaskAccumulator
from agentlin_client.types import TaskCompletedEvent, TaskObject
from agentlin_client.types.fold import FoldError, TaskFold
from tests.sdk import wire
from tests.sdk.conftest import Sdk
from tests.sdk.task_streams import Face

pytestmark = pytest.mark.anyio

Event = dict[str, Any]


def spoiled(events: list[Event], kind: str, **fields: Any) -> list[Event]:
    """Return the events, those of a type with other fields."""
    return [event | fields if event["type"] == kind else event for event in events]


async def seen(sdk: Sdk, events: list[Event]) -> list[TaskObject | None]:
    """Return the task after each of the events, as a stream over the wire shows it."""
    sdk.server.script(wire.stream(events))
    stream = sdk.client().tasks.stream(user_message_content="x")
    shown: list[TaskObject | None] = []

    async def read(stream: Any) -> None:
        for _ in events:
            await Face(sdk.kind).some(stream, 1)
            shown.append(stream.task)

    await Face(sdk.kind).within(stream, read)
    return shown


async def final(sdk: Sdk, events: list[Event]) -> TaskObject:
    sdk.server.script(wire.stream(events))
    stream = sdk.client().tasks.stream(user_message_content="x")
    return await Face(sdk.kind).within(stream, lambda s: s.final_task())


async def test_a_delta_that_is_no_text_is_left_out(sdk: Sdk) -> None:
    events = wire.log("Hel", "lo")
    at = next(i for i, event in enumerate(events) if event["type"] == "task.text.delta")
    events[at] = events[at] | {"delta": 5}
    shown = await seen(sdk, events)
    growing = shown[at + 1]
    assert growing is not None
    assert growing.final_text == ""  # it is not whole yet
    assert shown[-1] is not None
    assert shown[-1].final_text == "Hello"


async def test_a_usage_that_can_not_be_added_up_leaves_the_task_as_the_server_shows_it(
    sdk: Sdk,
) -> None:
    events = spoiled(wire.log("Hello"), "task.output_item.done", usage={"input_tokens": "many"})
    assert (await final(sdk, events)).status == "completed"


@pytest.mark.parametrize("timestamp", ["yesterday", 5, None])
async def test_a_time_that_is_none_is_no_reason_to_stop(sdk: Sdk, timestamp: Any) -> None:
    task = wire.task("created")
    del task["created_at"]
    events = spoiled(wire.log("Hello"), "task.created", timestamp=timestamp, task=task)
    assert (await final(sdk, events)).status == "completed"


async def test_a_task_that_is_no_object_is_no_task(sdk: Sdk) -> None:
    completed = wire.log("Hello")[-1] | {"sequence_number": 0, "task": "oops"}
    with pytest.raises(TaskResponseError, match="shown no task"):
        await final(sdk, [completed])


async def test_a_task_that_can_not_be_gone_on_with_is_shown_as_it_was() -> None:
    base = construct(TaskObject, wire.task("working", usage="much", output=5))
    accumulator = TaskAccumulator(base)
    assert accumulator.task is base
    whole = TaskObject.model_validate(wire.task("completed"))
    accumulator.add(
        TaskCompletedEvent(
            type="task.completed",
            task_id="task_1",
            sequence_number=9,
            timestamp="2026-11-23T18:00:00Z",
            task=whole,
        )
    )
    assert accumulator.task is not None
    assert accumulator.task.status == "completed"


def test_the_fold_tells_a_time_that_is_none_from_other_errors() -> None:
    event = {"type": "task.created", "task_id": "t", "sequence_number": 0, "timestamp": "soon"}
    with pytest.raises(FoldError, match="mistyped"):
        TaskFold().apply(event)
