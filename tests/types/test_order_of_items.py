"""Each rule of the order validator within one item, shown to fire."""

import copy

import pytest

from tests.types.breaking import (
    Breaker,
    Breakers,
    assert_last_event_breaks,
    call,
    message,
    part_ids,
    put,
)
from tests.types.stream_builder import StreamBuilder

rules = Breakers()


@rules.breaks("an item changes its type")
def _(build: StreamBuilder) -> None:
    item_id = message(build)
    item = {"type": "reasoning", "id": item_id, "status": "completed"}
    put(build, "task.output_item.done", agent_step=1, item=item)


@rules.breaks("a done item is completed or incomplete")
def _(build: StreamBuilder) -> None:
    build.finish(message(build), "in_progress")


@rules.breaks("an item is done before its parts")
def _(build: StreamBuilder) -> None:
    item = {**build.open_item(message(build)).item, "status": "completed"}
    put(build, "task.output_item.done", agent_step=1, item=item)


@rules.breaks("parts are added in order, without gaps")
def _(build: StreamBuilder) -> None:
    part = {"type": "output_text", "text": ""}
    ids = part_ids(build, message(build)) | {"content_index": 2}
    put(build, "task.content_part.added", **ids, part=part)


@rules.breaks("a part is added twice")
def _(build: StreamBuilder) -> None:
    build.add_part(message(build))


@rules.breaks("a part is added with text")
def _(build: StreamBuilder) -> None:
    build.add_part(message(build), 1, {"type": "output_text", "text": "Hi"})


@rules.breaks("a part that was never added")
def _(build: StreamBuilder) -> None:
    ids = part_ids(build, message(build)) | {"content_index": 1}
    put(build, "task.text.delta", **ids, delta="x")


@rules.breaks("task.reasoning_text.* for a output_text part")
def _(build: StreamBuilder) -> None:
    put(build, "task.reasoning_text.delta", **part_ids(build, message(build)), delta="x")


@rules.breaks("a delta follows the done of its text")
def _(build: StreamBuilder) -> None:
    ids = part_ids(build, message(build))
    put(build, "task.text.done", **ids, text="")
    put(build, "task.text.delta", **ids, delta="x")


@rules.breaks("a text is done twice")
def _(build: StreamBuilder) -> None:
    ids = part_ids(build, message(build))
    put(build, "task.text.done", **ids, text="")
    put(build, "task.text.done", **ids, text="")


@rules.breaks("the deltas do not add up to the done text")
def _(build: StreamBuilder) -> None:
    put(build, "task.text.done", **part_ids(build, message(build, "H", "i")), text="H i")


@rules.breaks("a part is done before its text")
def _(build: StreamBuilder) -> None:
    part = {"type": "output_text", "text": "Hi"}
    put(build, "task.content_part.done", **part_ids(build, message(build, "Hi")), part=part)


@rules.breaks("a part changes its type")
def _(build: StreamBuilder) -> None:
    part = {"type": "refusal", "text": ""}
    put(build, "task.content_part.done", **part_ids(build, message(build)), part=part)


@rules.breaks("a part's text differs at its done")
def _(build: StreamBuilder) -> None:
    ids = part_ids(build, message(build, "Hi"))
    put(build, "task.text.done", **ids, text="Hi")
    put(build, "task.content_part.done", **ids, part={"type": "output_text", "text": "Ho"})


@rules.breaks("a part is done twice")
def _(build: StreamBuilder) -> None:
    ids = part_ids(build, message(build))
    part = {"type": "output_text", "text": ""}
    put(build, "task.text.done", **ids, text="")
    put(build, "task.content_part.done", **ids, part=part)
    put(build, "task.content_part.done", **ids, part=part)


@rules.breaks("the content of a done item differs from its parts")
def _(build: StreamBuilder) -> None:
    build.finish(message(build, "Hi"))
    done = copy.deepcopy(build.events.pop())
    done["item"]["message_content"][0]["text"] = "Ho"
    build.events.append(done)


@rules.breaks("the content of a done item differs from its parts")
def _(build: StreamBuilder) -> None:
    build.finish(message(build, "Hi"))
    done = copy.deepcopy(build.events.pop())
    done["item"]["message_content"] = "Hi"
    build.events.append(done)


@rules.breaks("the content of a done item differs from its parts")
def _(build: StreamBuilder) -> None:
    build.finish(message(build, "Hi"))
    done = copy.deepcopy(build.events.pop())
    done["item"]["message_content"][0]["type"] = "refusal"
    build.events.append(done)


@rules.breaks("the summary of a done item differs from its parts")
def _(build: StreamBuilder) -> None:
    build.begin_call()
    build.finish(build.add_reasoning())
    done = copy.deepcopy(build.events.pop())
    done["item"]["summary"] = [{"type": "summary_text", "text": "?"}]
    build.events.append(done)


@rules.breaks("task.tool_call_arguments.delta for a message item")
def _(build: StreamBuilder) -> None:
    ids = {"item_id": message(build), "agent_step": 1, "call_id": "call_1"}
    put(build, "task.tool_call_arguments.delta", **ids, delta="x")


@rules.breaks("an item changes its call_id")
def _(build: StreamBuilder) -> None:
    ids = {"item_id": call(build), "agent_step": 1, "call_id": "call_2"}
    put(build, "task.tool_call_arguments.delta", **ids, delta="x")


@rules.breaks("a delta follows its done")
def _(build: StreamBuilder) -> None:
    ids = {"item_id": call(build), "agent_step": 1, "call_id": "call_1"}
    put(build, "task.tool_call_arguments.done", **ids, arguments="")
    put(build, "task.tool_call_arguments.delta", **ids, delta="x")


@rules.breaks("arguments are done twice")
def _(build: StreamBuilder) -> None:
    ids = {"item_id": call(build), "agent_step": 1, "call_id": "call_1"}
    put(build, "task.tool_call_arguments.done", **ids, arguments="")
    put(build, "task.tool_call_arguments.done", **ids, arguments="")


@rules.breaks("the deltas do not add up to the arguments")
def _(build: StreamBuilder) -> None:
    ids = {"item_id": call(build, "{"), "agent_step": 1, "call_id": "call_1"}
    put(build, "task.tool_call_arguments.done", **ids, arguments="{}")


@rules.breaks("a tool call is done before its arguments")
def _(build: StreamBuilder) -> None:
    item = {**build.open_item(call(build)).item, "status": "completed"}
    put(build, "task.output_item.done", agent_step=1, item=item)


@rules.breaks("arguments differ at the done")
def _(build: StreamBuilder) -> None:
    build.finish(call(build, "{}"))
    build.events[-1] = copy.deepcopy(build.events[-1])
    build.events[-1]["item"]["arguments"] = "{ }"


@rules.breaks("a tool result item is done before its result")
def _(build: StreamBuilder) -> None:
    build.finish(call(build))
    item = {**build.open_item(build.add_result("call_1")).item, "status": "completed"}
    put(build, "task.output_item.done", agent_step=1, item=item)


@rules.breaks("a tool result is done twice")
def _(build: StreamBuilder) -> None:
    build.finish(call(build))
    ids = {"item_id": build.add_result("call_1"), "agent_step": 1, "call_id": "call_1"}
    put(build, "task.tool_result.done", **ids, message_content=[], block_list=[])
    put(build, "task.tool_result.done", **ids, message_content=[], block_list=[])


@rules.breaks("the deltas do not add up to the tool result")
def _(build: StreamBuilder) -> None:
    build.finish(call(build))
    item_id = build.add_result("call_1")
    build.result(item_id, "42")
    ids = {"item_id": item_id, "agent_step": 1, "call_id": "call_1"}
    put(build, "task.tool_result.done", **ids, message_content="43", block_list=[])


@rules.breaks("no audio part is open")
def _(build: StreamBuilder) -> None:
    put(build, "task.audio.delta", item_id=message(build), agent_step=1, delta="QUJD")


def audio(build: StreamBuilder) -> str:
    item_id = message(build)
    part = {"type": "audio", "input_audio": {"data": "", "format": "wav"}}
    build.add_part(item_id, 1, part)
    build.emit("task.audio.delta", item_id=item_id, agent_step=1, delta="QUJD")
    return item_id


@rules.breaks("a part is done before its audio")
def _(build: StreamBuilder) -> None:
    ids = part_ids(build, audio(build)) | {"content_index": 1}
    part = {"type": "audio", "input_audio": {"data": "QUJD", "format": "wav"}}
    put(build, "task.content_part.done", **ids, part=part)


@rules.breaks("the deltas do not add up")
def _(build: StreamBuilder) -> None:
    item_id = audio(build)
    put(build, "task.audio.done", item_id=item_id, agent_step=1)
    part = {"type": "audio", "input_audio": {"data": "REVG", "format": "wav"}}
    ids = part_ids(build, item_id) | {"content_index": 1}
    put(build, "task.content_part.done", **ids, part=part)


@pytest.mark.parametrize(("rule", "breaker"), rules.params())
def test_the_rule_fires(rule: str, breaker: Breaker) -> None:
    assert_last_event_breaks(rule, breaker)
