"""Events as bytes: how a draft gets its number, how a stored event gets its snapshot back."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import msgspec

from agentlin_server.domain.errors import DamagedLogError
from agentlin_server.domain.events import (
    SNAPSHOT_TYPES,
    AnyDraft,
    DeltaRun,
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

    def lines(self, drafts: Sequence[AnyDraft], first_seq: int, at: float) -> list[bytes]:
        """Return the events' JSON, without task snapshots.

        Args:
            drafts: The events, in order.
            first_seq: Number of the first one.
            at: When they happened, seconds since the Unix epoch.
        """
        lines: list[bytes] = []
        for draft in drafts:
            head, seq = self._head(draft.type), first_seq + len(lines)
            if isinstance(draft, DeltaRun):
                lines += [head + b"%d" % n + tail for n, tail in enumerate(draft.tails, seq)]
                continue
            body = {"timestamp": timestamp(at), **draft.body} if draft.is_stamped else draft.body
            lines.append(head + b"%d" % seq + (b"," + encode_json(body)[1:] if body else b"}"))
        return lines

    def _head(self, event_type: str) -> bytes:
        head = self._heads.get(event_type)
        if head is None:
            head = self._heads[event_type] = b'{"type":"' + event_type.encode() + self._task
        return head


@lru_cache(maxsize=16)  # the events of a commit share their instant
def timestamp(at: float) -> str:
    """Return an instant as RFC 3339 in UTC, e.g. `2026-11-23T18:47:00.123456Z`."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def type_of(line: bytes) -> str:
    """Return an event's type without decoding it: it always comes first."""
    return line[_TYPE_STARTS : line.index(b'"', _TYPE_STARTS)].decode()


def decode_event(line: bytes) -> Json:
    """Return an event's wire form.

    Raises:
        DamagedLogError: it is not JSON any more.
    """
    try:
        return _decode(line)
    except msgspec.DecodeError as exc:
        raise DamagedLogError(f"an event of a task's log is damaged: {exc}") from exc


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
    return all(isinstance(d, DeltaRun) or d.type == "task.text.delta" for d in drafts)
