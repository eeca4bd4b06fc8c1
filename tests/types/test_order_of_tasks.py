"""Each rule of the order validator about a task, its calls and items, shown to fire."""

import pytest

from tests.types.breaking import (
    Breaker,
    Breakers,
    assert_last_event_breaks,
    begin,
    call,
    message,
    part_ids,
    put,
)
from tests.types.stream_builder import StreamBuilder, ask, rollout, usage

rules = Breakers()


@rules.breaks("the next number is 3")
def _(build: StreamBuilder) -> None:
    put(build, "task.completed", sequence_number=4)


@rules.breaks("sequence_number is a whole number from 0")
def _(build: StreamBuilder) -> None:
    put(build, "task.completed", sequence_number=True)


@rules.breaks("task.created comes first")
def _(build: StreamBuilder) -> None:
    put(build, "task.created")


@rules.breaks("timestamp is RFC 3339 in UTC")
def _(build: StreamBuilder) -> None:
    put(build, "task.completed", timestamp="2025-01-01T00:00:00+01:00")


@rules.breaks("timestamp is no time")
def _(build: StreamBuilder) -> None:
    put(build, "task.completed", timestamp="2025-13-01T00:00:00Z")


@rules.breaks("working does not follow working")
def _(build: StreamBuilder) -> None:
    put(build, "task.working")


@rules.breaks("nothing follows a final event")
def _(build: StreamBuilder) -> None:
    build.emit("task.completed")
    put(build, "task.mood")


@rules.breaks("items are open at a completed event: msg_1")
def _(build: StreamBuilder) -> None:
    message(build)
    put(build, "task.completed")


@rules.breaks("items are open at a paused event: msg_1")
def _(build: StreamBuilder) -> None:
    message(build)
    put(build, "task.paused")


@rules.breaks("input_required is a tool call")
def _(build: StreamBuilder) -> None:
    put(build, "task.input_required", input_required={})


@rules.breaks("a failed task has an error")
def _(build: StreamBuilder) -> None:
    put(build, "task.failed", error={})


@rules.breaks("the snapshot is of this task")
def _(build: StreamBuilder) -> None:
    put(build, "task.completed", task={"id": "task_2", "status": "completed"})


@rules.breaks("the snapshot shows the status of its event")
def _(build: StreamBuilder) -> None:
    put(build, "task.completed", task={"id": "task_1", "status": "working"})


@rules.breaks("the snapshot is folded up to its event")
def _(build: StreamBuilder) -> None:
    task = {"id": "task_1", "status": "completed", "sequence_number": 1}
    put(build, "task.completed", task=task)


@rules.breaks("snapshots inside events omit rollouts")
def _(build: StreamBuilder) -> None:
    put(build, "task.completed", task={"id": "task_1", "status": "completed", "rollouts": [{}]})


@rules.breaks("tools_updated comes again only on a change")
def _(build: StreamBuilder) -> None:
    build.emit("task.tools_updated", tools=[])


@rules.breaks("tools are updated while working")
def _(build: StreamBuilder) -> None:
    build.emit("task.queued")
    build.emit("task.tools_updated", tools=[{"type": "function"}])


@rules.breaks("task.tools_updated comes before the first work")
def _(build: StreamBuilder) -> None:
    del build.events[2]
    put(build, "task.context_compression.created")


@rules.breaks("compression in_progress after None")
def _(build: StreamBuilder) -> None:
    build.emit("task.context_compression.in_progress")


@rules.breaks("compression created after created")
def _(build: StreamBuilder) -> None:
    build.emit("task.context_compression.created")
    build.emit("task.context_compression.created")


@rules.breaks("a rollout comes after its call's items")
def _(build: StreamBuilder) -> None:
    message(build)
    build.emit("task.rollout", **rollout(1, is_answer=True))


@rules.breaks("no work begins while queued")
def _(build: StreamBuilder) -> None:
    build.emit("task.queued")
    begin(build)


@rules.breaks("no work begins while input-required")
def _(build: StreamBuilder) -> None:
    build.finish(call(build))
    ask(build, "call_1")
    begin(build)


@rules.breaks("no work while paused")
def _(build: StreamBuilder) -> None:
    build.emit("task.paused")
    build.emit("task.rollout", **rollout(1, is_answer=True))


@rules.breaks("agent_step is a whole number from 1")
def _(build: StreamBuilder) -> None:
    build.add_message()


@rules.breaks("agent_step goes up by one per model call")
def _(build: StreamBuilder) -> None:
    build.step = 1
    begin(build)


@rules.breaks("agent_step goes up by one per model call")
def _(build: StreamBuilder) -> None:
    build.finish(message(build))
    build.finish(message(build))
    build.step = 0
    begin(build)


@rules.breaks("a model call begins while items are open")
def _(build: StreamBuilder) -> None:
    message(build)
    begin(build)


@rules.breaks("attempts count up")
def _(build: StreamBuilder) -> None:
    build.finish(message(build), "incomplete")
    build.begin_call(again=True)
    build.finish(build.add_message(), "incomplete")
    build.attempt = 1
    build.add_message()


@rules.breaks("a call is made anew while an item of its last attempt is not incomplete")
def _(build: StreamBuilder) -> None:
    build.finish(message(build))
    build.begin_call(again=True)
    build.add_message()


@rules.breaks("supersedes names an incomplete item of the same step")
def _(build: StreamBuilder) -> None:
    build.begin_call()
    build.add_item("message", "msg", message_content=[], supersedes="msg_9")


@rules.breaks("item ids are unique")
def _(build: StreamBuilder) -> None:
    build.finish(message(build))
    build._made = 0
    begin(build)


@rules.breaks("an item is added with message_content")
def _(build: StreamBuilder) -> None:
    build.begin_call()
    build.add_item("message", "msg", message_content="Hi")


@rules.breaks("an added item is in_progress")
def _(build: StreamBuilder) -> None:
    build.begin_call()
    build.add_item("message", "msg", message_content=[], status="completed")


@rules.breaks("call ids are unique")
def _(build: StreamBuilder) -> None:
    build.finish(call(build))
    build.finish(build.add_result("call_1"))
    call(build)


@rules.breaks("a tool result belongs to the current agent_step")
def _(build: StreamBuilder) -> None:
    build.finish(call(build))
    build.step = 2
    build.add_result("call_1")


@rules.breaks("a tool result begins before its model call has ended")
def _(build: StreamBuilder) -> None:
    call(build)
    build.add_result("call_1")


@rules.breaks("a tool result answers a call of the task")
def _(build: StreamBuilder) -> None:
    build.finish(call(build))
    build.add_result("call_9")


@rules.breaks("the calls of an incomplete model call never run")
def _(build: StreamBuilder) -> None:
    build.finish(call(build), "incomplete")
    build.add_result("call_1")


@rules.breaks("a call is answered twice")
def _(build: StreamBuilder) -> None:
    build.finish(call(build))
    build.finish(build.add_result("call_1"))
    build.add_result("call_1")


@rules.breaks("an item of a model call follows its tool results")
def _(build: StreamBuilder) -> None:
    build.finish(call(build))
    build.finish(build.add_result("call_1"))
    build.add_message()


@rules.breaks("only an item of a model call carries usage")
def _(build: StreamBuilder) -> None:
    build.finish(call(build))
    build.finish(build.add_result("call_1"), usage=usage())


@rules.breaks("an item that was never added")
def _(build: StreamBuilder) -> None:
    put(build, "task.audio.delta", item_id="msg_9", agent_step=1, delta="")


@rules.breaks("an item changes its agent_step")
def _(build: StreamBuilder) -> None:
    put(build, "task.text.delta", **part_ids(build, message(build)) | {"agent_step": 2}, delta="x")


@rules.breaks("an event follows the done of its item")
def _(build: StreamBuilder) -> None:
    item_id = message(build)
    build.finish(item_id)
    put(build, "task.text.delta", **part_ids(build, item_id), delta="x")


@rules.breaks("an item is done a second time only to become incomplete")
def _(build: StreamBuilder) -> None:
    build.finish(message(build))
    put(build, "task.output_item.done", agent_step=1, item=build.fold.snapshot()["output"][0])


@rules.breaks("an item is done a second time only to become incomplete")
def _(build: StreamBuilder) -> None:
    item_id = message(build)
    build.finish(item_id)
    build.spoil(item_id)
    build.spoil(item_id)


@rules.breaks("only an item of the current model call becomes incomplete afterwards")
def _(build: StreamBuilder) -> None:
    build.finish(call(build))
    item_id = build.add_result("call_1")
    build.finish(item_id)
    build.spoil(item_id)


@pytest.mark.parametrize(("rule", "breaker"), rules.params())
def test_the_rule_fires(rule: str, breaker: Breaker) -> None:
    assert_last_event_breaks(rule, breaker)
