"""The answer of a task as text: which of its items count, and what they say. Pure.

The rules are `types._answer`'s, where `TaskObject.final_text` finds them too.
"""

from collections.abc import Iterable
from typing import Final

from agentlin_client.types._answer import answer_items, superseded_ids, text_of
from agentlin_client.types.items import MessageItem, TaskOutputItem, ToolResultItem
from agentlin_client.types.task_object import TaskObject

__all__ = [
    "REFUSAL",
    "answer_items",
    "final_refusal",
    "final_text",
    "shown_items",
    "superseded_ids",
    "text_of",
]

REFUSAL: Final = frozenset({"refusal"})


def final_text(task: TaskObject) -> str:
    """Return the answer of a task as text; empty if there is none (yet): `task.final_text`.

    The parts of type `output_text` or `text` of the items that `answer_items` names, joined
    as they are, so that it equals the deltas of that model call. A refusal is not an answer:
    see `final_refusal`.
    """
    return task.final_text


def final_refusal(task: TaskObject) -> str:
    """Return why the model refuses to answer, in its own words; empty if it does not."""
    return text_of(answer_items(task.output), kinds=REFUSAL)


def shown_items(items: Iterable[TaskOutputItem]) -> list[MessageItem]:
    """Return the messages that are the answer so far, as a screen shows it while it grows.

    Those of `answer_items`, with those that still grow, and those that broke off: what was said
    stays, when the task is stopped, until a later attempt at the model call says it anew.

    Args:
        items: The output of a task, in its order.
    """
    items = list(items)
    replaced = superseded_ids(items)
    shown: list[MessageItem] = []
    for item in items:
        if isinstance(item, ToolResultItem):
            shown.clear()
            continue
        message = (
            item
            if isinstance(item, MessageItem) and getattr(item, "role", None) == "assistant"
            else None
        )
        says_anew = message is not None and message.status != "incomplete"
        # Not every broken item is named as superseded: a new attempt may have fewer of them.
        shown = [
            kept
            for kept in shown
            if kept.status != "incomplete"
            or not (says_anew or getattr(item, "attempt", None) != kept.attempt)
        ]
        if message is not None and message.id not in replaced:
            shown.append(message)
    return shown
