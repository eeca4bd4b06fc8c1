"""Events as bytes: how a draft gets its number, how a stored event gets its snapshot back."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from agentlin_server.domain.events import (
    SNAPSHOT_TYPES,
    AnyDraft,
    DeltaDraft,
    Json,
    encode_json,
)

_TYPE_STARTS: Final = len(b'{"type":"')
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


class Numbering:
    """Turns the drafts of one task into events: adds type, task, number and time."""

    def __init__(self, task_id: str) -> None:
        """Prepare for one task."""
        self._task = b'","task_id":' + encode_json(task_id) + b',"sequence_number":'
        self._heads: dict[str, bytes] = {}

    def line(self, draft: AnyDraft, seq: int, at: float) -> bytes:
        """Return the event's JSON, without the task snapshot."""
        head = self._heads.get(draft.type)
        if head is None:
            head = self._heads[draft.type] = b'{"type":"' + draft.type.encode() + self._task
        if isinstance(draft, DeltaDraft):
            return head + b"%d" % seq + draft.tail
        body = draft.body
        if draft.is_stamped:
            body = {"timestamp": timestamp(at), **body}
        return head + b"%d" % seq + (b"," + encode_json(body)[1:] if body else b"}")


def timestamp(at: float) -> str:
    """Return an instant as RFC 3339 in UTC, e.g. `2026-11-23T18:47:00.123456Z`."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def type_of(line: bytes) -> str:
    """Return an event's type without decoding it: it always comes first."""
    return line[_TYPE_STARTS : line.index(b'"', _TYPE_STARTS)].decode()


def decode_event(line: bytes) -> Json:
    """Return an event's wire form."""
    return _decode(line)


def needs_snapshot(line: bytes) -> bool:
    """True if the event carries the whole task, which the journal leaves out."""
    return type_of(line) in SNAPSHOT_TYPES


def snapshot_json(task: Mapping[str, Any]) -> bytes:
    """Return a task as events carry it: without its rollouts."""
    return encode_json({key: value for key, value in task.items() if key != "rollouts"})


def with_snapshot(line: bytes, task: bytes) -> bytes:
    """Return the event as it is sent: with the task's JSON as of this event."""
    return line[:-1] + b',"task":' + task + b"}"


def are_deltas(drafts: Sequence[AnyDraft]) -> bool:
    """True if a fold may skip these events once their dones follow."""
    return all(isinstance(d, DeltaDraft) or d.type == "task.text.delta" for d in drafts)
