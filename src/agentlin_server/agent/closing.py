"""The events that close what an interrupted model call left behind (contract, section 4, Crash)."""

from collections.abc import Iterable

from agentlin_client.types.fold import OpenItem, OpenPart
from agentlin_server.agent.items import INCOMPLETE
from agentlin_server.agent.reply import Drafts
from agentlin_server.domain import events
from agentlin_server.domain.events import Draft, Json


def close_open(item: OpenItem) -> tuple[Drafts, Json]:
    """Return the dones of an open item, with what there is, and the item as it ended."""
    drafts: Drafts = []
    for part in item.parts:
        drafts += _close_part(item, part)
    ended = item.item | {"status": INCOMPLETE}
    at: Json = {"item_id": item.id, "call_id": ended.get("call_id"), "agent_step": item.agent_step}
    if item.type == "tool_call" and not item.value_done:
        body = at | {"arguments": ended["arguments"]}
        drafts.append(Draft("task.tool_call_arguments.done", body))
    if item.type == "tool_result" and not item.value_done:
        body = at | {
            "message_content": ended["message_content"],
            "block_list": ended["block_list"],
        }
        drafts.append(Draft("task.tool_result.done", body))
    drafts.append(events.item_done(dict(ended), step=item.agent_step))
    return drafts, ended


def _close_part(item: OpenItem, open_part: OpenPart) -> Drafts:
    index, part, step = open_part.index, open_part.part, item.agent_step
    if open_part.place == "summary":
        at: Json = {"item_id": item.id, "agent_step": step, "summary_index": index}
        text_done = Draft("task.reasoning_summary_text.done", at | {"text": part["text"]})
        part_done = Draft("task.reasoning_summary_part.done", at | {"part": part})
        return [part_done] if open_part.text_done else [text_done, part_done]
    drafts: Drafts = []
    if not open_part.text_done and "text" in part:
        if item.type == "reasoning":
            drafts.append(events.reasoning_done(item.id, step=step, index=index, text=part["text"]))
        else:
            drafts.append(
                events.text_done(
                    item.id,
                    step=step,
                    index=index,
                    text=part["text"],
                    logprobs=part.get("logprobs") or [],
                )
            )
    drafts.append(events.part_done(item.id, step=step, index=index, part=part))
    return drafts


def finished_items_of_unfinished_calls(log: Iterable[Json]) -> list[tuple[int, Json]]:
    """Return step and item of each item that is done, but whose model call is not.

    A call has finished iff the last done of its items says what the call cost.

    Args:
        log: The task's events in wire form, in order; deltas may be left out.
    """
    done: dict[str, tuple[int, Json]] = {}
    finished: set[tuple[int, int]] = set()
    for event in log:
        if event["type"] != "task.output_item.done" or event["item"]["type"] == "tool_result":
            continue
        item: Json = event["item"]
        done[item["id"]] = (event["agent_step"], item)
        if event.get("usage") is not None:
            finished.add((event["agent_step"], item.get("attempt", 1)))
    return [
        (step, item)
        for step, item in done.values()
        if (step, item.get("attempt", 1)) not in finished and item["status"] != INCOMPLETE
    ]
