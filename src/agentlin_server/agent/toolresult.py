"""The events of a tool's result, from its text."""

from agentlin_server.agent.items import COMPLETED, new_tool_result
from agentlin_server.domain import events
from agentlin_server.domain.events import AnyDraft, Draft, Json


def result_of(call_id: str, text: str, *, step: int) -> tuple[list[AnyDraft], Json]:
    """Return the events of a whole tool_result item that says `text`, and the item.

    Like any result it is streamed: its deltas add up to what its done says.
    """
    item = new_tool_result(call_id)
    content = [{"type": "text", "text": text}]
    at: Json = {"item_id": item["id"], "call_id": call_id, "agent_step": step}
    delta = at | {"delta_message_content": content, "delta_block_list": content}
    done = at | {"message_content": content, "block_list": content}
    ended = item | {"status": COMPLETED, "message_content": content, "block_list": content}
    drafts: list[AnyDraft] = [
        events.item_added(dict(item), step=step),
        Draft("task.tool_result.delta", delta),
        Draft("task.tool_result.done", done),
        events.item_done(dict(ended), step=step),
    ]
    return drafts, ended


def no_such_tool(name: str) -> str:
    """What the model reads when it calls a tool that the task does not have."""
    return f"There is no tool named {name!r}, and this task has no other tools. Answer in text."
