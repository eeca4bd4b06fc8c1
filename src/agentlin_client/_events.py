"""How the events of tasks are read off a stream."""

from functools import cache
from typing import Final

from agentlin_client.types._adapters import envelope_decoder
from agentlin_client.types.agent_task_event import AgentTaskEvent
from agentlin_client.types.status import FINAL, RESTING, STATUS_OF_EVENT
from agentlin_client.types.status_events import TaskSnapshotEvent

from ._stream import EventCodec, NoEventError

_ENDS: Final = FINAL | RESTING
_END_EVENTS: Final = frozenset(
    event_type for event_type, status in STATUS_OF_EVENT.items() if status in _ENDS
)


@cache
def task_events() -> EventCodec[AgentTaskEvent]:
    """Return the codec of AgentTaskEvents; building it compiles the union, once per process."""
    decode_envelope = envelope_decoder()

    def decode(data: bytes) -> AgentTaskEvent:
        envelope = decode_envelope(data)
        if envelope.result is None:
            raise NoEventError(envelope.to_dict(mode="json"))
        return envelope.result

    return EventCodec(decode, is_end)


def is_end(event: AgentTaskEvent) -> bool:
    """Whether a stream may end after this event: it is final or resting, or a snapshot of such."""
    if isinstance(event, TaskSnapshotEvent):
        return event.task.status in _ENDS
    return event.type in _END_EVENTS
