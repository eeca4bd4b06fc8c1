"""Where a resumed stream goes on (contract, section 3, Resume)."""

import time
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from agentlin_server.api.sse import lone_frame
from agentlin_server.domain.errors import InvalidRequestError
from agentlin_server.domain.events import Json, encode_json
from agentlin_server.domain.records import TaskRow
from agentlin_server.engine.encode import timestamp
from agentlin_server.engine.reader import TaskReader

_DIGITS_MAX: Final = 15
_LOST: Final = (
    "events after your last one were lost with the machine's power; this is the task as it is now"
)


@dataclass(frozen=True, slots=True)
class StartingPoint:
    """What a resumed stream sends first.

    Attributes:
        after_seq: Number of the last event that the reader has, or that the snapshot holds.
        first_frame: A `task.snapshot` frame, if the reader's events can't be gone on from.
    """

    after_seq: int
    first_frame: bytes = b""


async def starting_point(request: Request, task: TaskRow, reader: TaskReader) -> StartingPoint:
    """Return where the stream begins: `starting_after`, else `Last-Event-ID`, else the start.

    Raises:
        InvalidRequestError: the position is not a number (or `number-generation`).
    """
    given = request.query_params.get("starting_after")
    if given is not None:
        return StartingPoint(_number(given, "starting_after"))
    last_id = request.headers.get("Last-Event-ID")
    if not last_id:
        return StartingPoint(-1)
    number, dash, generation = last_id.partition("-")
    seq = _number(number, "Last-Event-ID")
    if dash and await reader.generation_of(task, seq) != _number(generation, "Last-Event-ID"):
        return await _from_snapshot(task, reader)
    return StartingPoint(seq)


def _number(value: str, field: str) -> int:
    if not value.isdecimal() or len(value) > _DIGITS_MAX:
        raise InvalidRequestError.at(field, msg="must be the sequence number of an event")
    return int(value)


async def _from_snapshot(task: TaskRow, reader: TaskReader) -> StartingPoint:
    snapshot = await reader.snapshot(task)
    seq: int = snapshot["sequence_number"]
    event: Json = {
        "type": "task.snapshot",
        "task_id": task.id,
        "sequence_number": seq,
        "timestamp": timestamp(time.time()),
        "task": snapshot,
        "reason": _LOST,
    }
    generation = await reader.generation_of(task, seq) or task.generation
    return StartingPoint(seq, lone_frame(encode_json(event), seq, generation))
