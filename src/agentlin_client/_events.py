"""How the events of tasks are read off a stream."""

from functools import cache
from typing import Final

from agentlin_client.types._adapters import envelope_decoder
from agentlin_client.types.agent_task_event import AgentTaskEvent
from agentlin_client.types.status import FINAL, RESTING, STATUS_OF_EVENT
from agentlin_client.types.status_events import TaskSnapshotEvent

from ._stream import EventCodec, NoEventError

_ENDS: Final = FINAL | RESTING


@cache
def task_events(*, until_final: bool = False) -> EventCodec[AgentTaskEvent]:
    """Return the codec of AgentTaskEvents; building it compiles the union, once per process.

    Args:
        until_final: The stream stays open while the task rests, so that must not be its end.
    """
    decode_envelope = envelope_decoder()

    def decode(data: bytes) -> AgentTaskEvent:
        envelope = decode_envelope(data)
        if envelope.result is None:
            raise NoEventError(envelope.to_dict(mode="json"))
        return envelope.result

    return EventCodec(decode, _is_final if until_final else _is_end)


def _is_end(event: AgentTaskEvent) -> bool:
    """Whether a stream may end after this event: it is final or resting, or a snapshot of such."""
    return _status_of(event) in _ENDS


def _is_final(event: AgentTaskEvent) -> bool:
    return _status_of(event) in FINAL


def _status_of(event: AgentTaskEvent) -> str | None:
    if isinstance(event, TaskSnapshotEvent):
        return event.task.status
    return STATUS_OF_EVENT.get(event.type)
