"""Every event that a fake task can have is built here; the log gives it its number. Pure.

A draft is an event without `task_id`, `sequence_number` and `timestamp`. The functions that build
an item yield its events one by one, and what happens in between, and return the item as it ends.
"""

import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from agentlin_client.types.fold import OpenItem, OpenPart

from .steps import Call, Content, Cut, Delay, End, Hang, Piece, Say, Think

Draft: TypeAlias = dict[str, Any]
Moment: TypeAlias = "Draft | list[Draft] | Delay | Hang"
"""What comes next in a task: an event, events that come together, or a time without one."""
Building: TypeAlias = Generator[Moment, None, Draft]
"""Yields the events of an item; returns the item as its done shows it."""

_MEDIA: Final = {
    # The holder of a part's base64: its field there, its events, the field of their deltas.
    "input_audio": ("data", "audio", "delta"),
    "file": ("file_data", "file", "partial_file_b64"),
}
_TEXT_FAMILY: Final = {"reasoning_text": "task.reasoning_text"}


class BrokenOffError(Exception):
    """A `cut` in the script: the model call breaks off here."""


class EndedError(Exception):
    """A `fail` or `expire` in the script: the task ends here."""

    def __init__(self, draft: Draft) -> None:
        super().__init__(draft["type"])
        self.draft = draft


def status(event_type: str, **fields: Any) -> Draft:
    """A status event; the log adds the time and the snapshot."""
    return {"type": event_type, **fields}


def item_added(item: Mapping[str, Any], *, step: int) -> Draft:
    """An output item begins."""
    return {"type": "task.output_item.added", "agent_step": step, "item": dict(item)}


def item_done(item: Mapping[str, Any], *, step: int, **cost: Any) -> Draft:
    """An output item ends; the last one of a model call carries its usage and finish_reason."""
    return {"type": "task.output_item.done", "agent_step": step, "item": dict(item), **cost}


def happen(piece: Delay | Hang | Cut | End) -> Iterator[Moment]:
    """Yield what takes time, raise what ends.

    Raises:
        BrokenOffError: For a `cut`.
        EndedError: For a `fail` or `expire`.
    """
    match piece:
        case Delay() | Hang():
            yield piece
        case Cut():
            raise BrokenOffError
        case End(event_type, error):
            raise EndedError(status(event_type, error=dict(error)))


def message(begun: Draft, said: Say, *, step: int) -> Building:
    """Yield the events of a message item that begins as `begun`."""
    yield item_added(begun, step=step)
    texts: list[tuple[Mapping[str, Any], Sequence[Piece]]] = []
    if said.pieces or not said.parts:
        fields: Draft = {"type": said.part_type, "annotations": list(said.annotations)}
        texts.append((fields | {"logprobs": []}, said.pieces))
    texts += [(part, (part.get("text") or "",)) for part in said.parts]
    done: list[Draft] = []
    for index, (part, pieces) in enumerate(texts):
        at = {"item_id": begun["id"], "agent_step": step, "content_index": index}
        done.append((yield from _part(part, pieces, at)))
    return begun | {"message_content": done, "status": "completed"}


def reasoning(begun: Draft, thought: Think, *, step: int) -> Building:
    """Yield the events of a reasoning item that begins as `begun`."""
    yield item_added(begun, step=step)
    done = begun | {"status": "completed"}
    if thought.pieces:
        at = {"item_id": begun["id"], "agent_step": step, "content_index": 0}
        done["content"] = [(yield from _part({"type": "reasoning_text"}, thought.pieces, at))]
    if thought.summary is not None:
        part = {"type": "summary_text", "text": thought.summary}
        at = {"item_id": begun["id"], "agent_step": step, "summary_index": 0}
        named = "task.reasoning_summary"
        yield {"type": f"{named}_part.added", **at, "part": part | {"text": ""}}
        for delta in split(thought.summary):
            yield {"type": f"{named}_text.delta", **at, "content_index": 0, "delta": delta}
        yield {"type": f"{named}_text.done", **at, "text": thought.summary}
        yield {"type": f"{named}_part.done", **at, "part": part}
        done["summary"] = [part]
    return done


def tool_call(begun: Draft, made: Call, *, step: int) -> Building:
    """Yield the events of a call up to its arguments' last delta: it is closed with the others."""
    yield item_added(begun, step=step)
    at = {"item_id": begun["id"], "call_id": begun["call_id"], "agent_step": step}
    for delta in split(made.arguments):
        yield {"type": "task.tool_call_arguments.delta", **at, "delta": delta}
    return begun | {"arguments": made.arguments, "status": "completed"}


def arguments_done(item: Mapping[str, Any], *, step: int) -> Draft:
    """The arguments of a call, whole."""
    at = {"item_id": item["id"], "call_id": item["call_id"], "agent_step": step}
    return {"type": "task.tool_call_arguments.done", **at, "arguments": item["arguments"]}


def tool_result(
    begun: Draft, content: Content, blocks: Sequence[Any] | None, *, step: int
) -> Building:
    """Yield the events of a result up to its value; the item's own done is left to the caller."""
    yield item_added(begun, step=step)
    at = {"item_id": begun["id"], "call_id": begun["call_id"], "agent_step": step}
    parts: list[Draft] = []
    may_grow = False
    for piece in split(content) if isinstance(content, str) else content:
        if isinstance(piece, Delay | Hang | Cut | End):
            yield from happen(piece)
            continue
        part = {"type": "text", "text": piece} if isinstance(piece, str) else dict(piece)
        if may_grow and isinstance(piece, str):
            parts[-1] = part | {"text": parts[-1]["text"] + piece}
        else:
            parts.append(part)
        may_grow = isinstance(piece, str)
        yield _result_event("delta", at, [part], [] if blocks is not None else [part])
    if blocks:
        yield _result_event("delta", at, [], list(blocks))
    shown = parts if blocks is None else list(blocks)
    yield _result_event("done", at, parts, shown)
    return begun | {"message_content": parts, "block_list": shown, "status": "completed"}


def build(building: Building, take: Callable[[Draft], None]) -> Draft:
    """Hand over the events of an item, in which nothing happens, at once; return the item."""
    while True:
        try:
            moment = next(building)
        except StopIteration as stop:
            return stop.value
        if isinstance(moment, dict):
            take(moment)


def split(text: str) -> list[str]:
    """Return a text in words, each with the white space after it.

    >>> split("It is 18 degrees.")
    ['It ', 'is ', '18 ', 'degrees.']
    """
    return re.findall(r"\S+\s*|\s+", text)


def closings(open_items: Iterable[OpenItem]) -> Iterator[Draft]:
    """Yield the events that end open items as incomplete, with what there is of them."""
    for item in open_items:
        for part in item.parts:
            yield from _close_part(item, part)
        ended: Draft = item.item | {"status": "incomplete"}
        if item.type == "tool_call" and not item.value_done:
            yield arguments_done(ended, step=item.agent_step)
        if item.type == "tool_result" and not item.value_done:
            at: Draft = {"item_id": item.id, "agent_step": item.agent_step}
            at["call_id"] = ended["call_id"]
            yield _result_event("done", at, ended["message_content"], ended["block_list"])
        yield item_done(ended, step=item.agent_step)


def _result_event(kind: str, at: Mapping[str, Any], content: list[Any], blocks: list[Any]) -> Draft:
    prefix = "delta_" if kind == "delta" else ""
    return {
        "type": f"task.tool_result.{kind}",
        **at,
        f"{prefix}message_content": content,
        f"{prefix}block_list": blocks,
    }


def _part(part: Mapping[str, Any], pieces: Sequence[Piece], at: Mapping[str, Any]) -> Building:
    holder = next((name for name in _MEDIA if name in part), None)
    if holder is not None:
        return (yield from _media_part(part, holder, at))
    if part["type"].endswith(("image", "image_url")):
        yield {"type": "task.content_part.added", **at, "part": dict(part)}
        done = dict(part)
    else:
        done = yield from _text_part(part, pieces, at)
    yield {"type": "task.content_part.done", **at, "part": done}
    return done


def _text_part(part: Mapping[str, Any], pieces: Sequence[Piece], at: Mapping[str, Any]) -> Building:
    family = _TEXT_FAMILY.get(part["type"], "task.text")
    has_logprobs = family == "task.text"
    begun = dict(part) | {"text": ""}
    begun |= {name: [] for name in ("annotations", "logprobs") if name in part}
    yield {"type": "task.content_part.added", **at, "part": begun}
    written: list[str] = []
    for piece in _deltas(pieces):
        if not isinstance(piece, str):
            yield from happen(piece)
            continue
        written.append(piece)
        delta = {"type": f"{family}.delta", **at, "delta": piece}
        yield delta | ({"logprobs": []} if has_logprobs else {})
    text = "".join(written)
    done = {"type": f"{family}.done", **at, "text": text}
    yield done | ({"logprobs": part.get("logprobs") or []} if has_logprobs else {})
    return dict(part) | {"text": text}


def _media_part(part: Mapping[str, Any], holder: str, at: Mapping[str, Any]) -> Building:
    base64_field, medium, delta_field = _MEDIA[holder]
    held: Mapping[str, Any] = part[holder]
    data = held.get(base64_field)
    begun = dict(part) | {holder: {**held, base64_field: ""}} if data else dict(part)
    drafts: list[Draft] = [{"type": "task.content_part.added", **at, "part": begun}]
    if data:
        of_item = {"item_id": at["item_id"], "agent_step": at["agent_step"]}
        index = {} if medium == "audio" else {f"partial_{medium}_index": 0}
        drafts.append({"type": f"task.{medium}.delta", **of_item, delta_field: data, **index})
        drafts.append({"type": f"task.{medium}.done", **of_item})
    drafts.append({"type": "task.content_part.done", **at, "part": dict(part)})
    yield drafts  # together: nobody finds half a file
    return dict(part)


def _deltas(pieces: Sequence[Piece]) -> Iterator[Piece]:
    is_lone = sum(isinstance(piece, str) for piece in pieces) == 1
    for piece in pieces:
        if isinstance(piece, str):
            yield from split(piece) if is_lone else [piece]
        else:
            yield piece


def _close_part(item: OpenItem, part: OpenPart) -> Iterator[Draft]:
    at: Draft = {
        "item_id": item.id,
        "agent_step": item.agent_step,
        f"{part.place}_index": part.index,
    }
    if part.place == "summary":
        if not part.text_done:
            yield {"type": "task.reasoning_summary_text.done", **at, "text": part.part["text"]}
        yield {"type": "task.reasoning_summary_part.done", **at, "part": part.part}
        return
    if not part.text_done and "text" in part.part:
        family = _TEXT_FAMILY.get(part.part["type"], "task.text")
        done = {"type": f"{family}.done", **at, "text": part.part["text"]}
        yield done | ({"logprobs": []} if family == "task.text" else {})
    yield {"type": "task.content_part.done", **at, "part": part.part}
