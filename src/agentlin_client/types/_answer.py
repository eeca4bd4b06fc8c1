"""The answer of a task as text: which of its items count, and what they say. Pure.

A task may call its model many times, with tools between. Its answer is what the last of these
calls says: the assistant's messages after the last tool result. What was said on the way to it
("Let me look that up.") is in `output`, and so is all that does not count: items that are
incomplete (the call broke off, the task was stopped) and items that a later attempt at the same
call replaced (contract, section 4, Crash). The server promises that with `structured_output` the
answer alone is JSON (section 5).
"""

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Final, cast

from .content import TextContentItem
from .items import MessageItem, TaskOutputItem, ToolResultItem

_ANSWER: Final = frozenset({"output_text", "text"})


def answer_items(
    items: Iterable[TaskOutputItem], *, include_open: bool = False
) -> list[MessageItem]:
    """Return the messages that are the answer: the assistant's, after the last tool result.

    Items that are incomplete or superseded are left out. Tool calls without results don't
    matter: beside a call that the client must answer, or a stop tool's, the message counts.

    Args:
        items: The output of a task, in its order.
        include_open: Take in items that still grow (status in_progress).
    """
    items = list(items)
    replaced = superseded_ids(items)
    not_meant = {"incomplete"} if include_open else {"incomplete", "in_progress"}
    answer: list[MessageItem] = []
    for item in items:
        if isinstance(item, ToolResultItem):
            answer.clear()
        elif (
            isinstance(item, MessageItem)
            and getattr(item, "role", None) == "assistant"
            and item.status not in not_meant
            and item.id not in replaced
        ):
            answer.append(item)
    return answer


def superseded_ids(items: Iterable[TaskOutputItem]) -> frozenset[str]:
    """Return the ids of the items that a later attempt at their model call replaced."""
    ids = (getattr(item, "supersedes", None) for item in items)  # unknown items may have it too
    return frozenset(item_id for item_id in ids if item_id)


def text_of(messages: Iterable[MessageItem], *, kinds: AbstractSet[str] = _ANSWER) -> str:
    """Return the text of messages, joined as it is.

    Args:
        messages: The messages, in order.
        kinds: The types of the parts to take; a plain string is of type `text`.
    """
    return "".join(text for message in messages for text in _texts(message, kinds))


def _texts(message: MessageItem, kinds: AbstractSet[str]) -> Iterator[str]:
    # What came from a lenient client may lack anything, or have it in another form.
    content: object = getattr(message, "message_content", None)
    parts = cast("list[object]", content) if isinstance(content, list) else [content]
    for part in parts:
        if isinstance(part, str):
            kind, text = "text", part
        elif isinstance(part, TextContentItem):
            kind, text = getattr(part, "type", None), getattr(part, "text", None)
        else:
            continue
        if kind in kinds and isinstance(text, str):
            yield text
