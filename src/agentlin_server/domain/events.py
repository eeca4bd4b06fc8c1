"""Every event that a task can have is built here; the log gives it its number.

A `Draft` has no number yet. Deltas are many and nearly constant, so they have a form of
their own: all but the text is encoded once per part (`DeltaEncoder`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

Json = dict[str, Any]

encode_json: Final = msgspec.json.Encoder().encode

SNAPSHOT_TYPES: Final = frozenset(
    {
        "task.created",
        "task.input_required",
        "task.paused",
        "task.completed",
        "task.canceled",
        "task.expired",
        "task.failed",
    }
)
"""Events that carry the whole task. The journal stores them without: it is rendered when read."""

FINAL_TYPES: Final = frozenset({"task.completed", "task.canceled", "task.expired", "task.failed"})
RESTING_TYPES: Final = frozenset({"task.input_required", "task.paused"})

_STAMPED_TYPES: Final = SNAPSHOT_TYPES | {"task.queued", "task.working"}


class Draft(msgspec.Struct, frozen=True):
    """An event before the log numbers it; `body` is what follows type, task_id and number."""

    type: str
    body: Json

    @property
    def is_stamped(self) -> bool:
        """True if the log must add a `timestamp`."""
        return self.type in _STAMPED_TYPES


class DeltaRun(msgspec.Struct, frozen=True, gc=False):
    """Deltas of one part, in a row, before the log numbers them: one event per tail.

    A tail is the JSON that follows the event's number.
    """

    type: str
    tails: list[bytes]


AnyDraft = Draft | DeltaRun


def count(drafts: Sequence[AnyDraft]) -> int:
    """Return how many events the drafts are."""
    return sum(len(one.tails) if isinstance(one, DeltaRun) else 1 for one in drafts)


class DeltaEncoder:
    """Encodes the deltas of one part: only the text is encoded anew each time."""

    def __init__(self, event_type: str, fields: Mapping[str, Any], *, after: bytes = b"}") -> None:
        """Prepare for deltas of `event_type` whose constant `fields` are given.

        Args:
            event_type: e.g. `task.text.delta`.
            fields: Constant fields, in wire order, before `delta`.
            after: Raw JSON that follows the delta's text.
        """
        self._type = event_type
        self._before = b"," + encode_json(fields)[1:-1] + b',"delta":'
        self._after = after

    def __call__(self, texts: Sequence[str]) -> DeltaRun:
        """Return the draft of deltas that add these texts, one each."""
        encode, before, after = encode_json, self._before, self._after
        return DeltaRun(self._type, [before + encode(text) + after for text in texts])


def created() -> Draft:
    """The task exists."""
    return Draft("task.created", {})


def queued() -> Draft:
    """The task waits for a worker."""
    return Draft("task.queued", {})


def working() -> Draft:
    """A worker has claimed the task."""
    return Draft("task.working", {})


def tools_updated(tools: Sequence[Mapping[str, Any]]) -> Draft:
    """The tools that the model is offered from now on."""
    return Draft("task.tools_updated", {"tools": list(tools)})


def completed() -> Draft:
    """The task is done."""
    return Draft("task.completed", {})


def canceled() -> Draft:
    """The task was canceled."""
    return Draft("task.canceled", {})


def paused() -> Draft:
    """The task rests until it is resumed."""
    return Draft("task.paused", {})


def input_required(calls: Sequence[Json]) -> Draft:
    """The task rests until the client has answered these tool_call items."""
    ids = [call["call_id"] for call in calls]
    body = {"input_required": calls[0], "input_required_call_ids": ids}
    return Draft("task.input_required", body)


def expired(error: Json) -> Draft:
    """The task took too long; `error` (JSON-RPC form) says of what."""
    return Draft("task.expired", {"error": error})


def failed(error: Json) -> Draft:
    """The task failed with `error` (JSON-RPC form)."""
    return Draft("task.failed", {"error": error})


def item_added(item: Json, *, step: int) -> Draft:
    """An output item begins."""
    return Draft("task.output_item.added", {"agent_step": step, "item": item})


def item_done(
    item: Json, *, step: int, usage: Json | None = None, finish_reason: str | None = None
) -> Draft:
    """An output item ends. The last one of a model call carries what the call cost."""
    body: Json = {"agent_step": step, "item": item}
    if usage is not None:
        body["usage"] = usage
    if finish_reason is not None:
        body["finish_reason"] = finish_reason
    return Draft("task.output_item.done", body)


def part_added(item_id: str, *, step: int, index: int, part: Json) -> Draft:
    """A content part begins."""
    return Draft("task.content_part.added", _part(item_id, step, index) | {"part": part})


def part_done(item_id: str, *, step: int, index: int, part: Json) -> Draft:
    """A content part ends, whole."""
    return Draft("task.content_part.done", _part(item_id, step, index) | {"part": part})


def text_done(item_id: str, *, step: int, index: int, text: str, logprobs: list[Any]) -> Draft:
    """The text of a message's part, whole."""
    body = _part(item_id, step, index) | {"text": text, "logprobs": logprobs}
    return Draft("task.text.done", body)


def reasoning_done(item_id: str, *, step: int, index: int, text: str) -> Draft:
    """The text of a reasoning part, whole."""
    return Draft("task.reasoning_text.done", _part(item_id, step, index) | {"text": text})


def text_delta(item_id: str, *, step: int, index: int) -> DeltaEncoder:
    """The encoder of a message part's deltas, without logprobs."""
    fields = _part(item_id, step, index)
    return DeltaEncoder("task.text.delta", fields, after=b',"logprobs":[]}')


def text_delta_with_logprobs(
    item_id: str, *, step: int, index: int, delta: str, logprobs: Sequence[Json]
) -> Draft:
    """A message part's delta that carries the log probabilities of its tokens."""
    body = _part(item_id, step, index) | {"delta": delta, "logprobs": list(logprobs)}
    return Draft("task.text.delta", body)


def reasoning_delta(item_id: str, *, step: int, index: int) -> DeltaEncoder:
    """The encoder of a reasoning part's deltas."""
    return DeltaEncoder("task.reasoning_text.delta", _part(item_id, step, index))


def _part(item_id: str, step: int, index: int) -> Json:
    return {"item_id": item_id, "agent_step": step, "content_index": index}
