"""The life of a task, as a table. Nothing else in the server may choose a status."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from agentlin_server.domain.errors import IllegalTransitionError


class Status(StrEnum):
    """The statuses of a task, as on the wire."""

    CREATED = "created"
    QUEUED = "queued"
    WORKING = "working"
    INPUT_REQUIRED = "input-required"
    PAUSED = "paused"
    COMPLETED = "completed"
    CANCELED = "canceled"
    EXPIRED = "expired"
    FAILED = "failed"


class Signal(StrEnum):
    """What may happen to a task."""

    ENQUEUE = "enqueue"
    CLAIM = "claim"
    YIELD = "yield"
    """The runner gives the task back: recovered, drained or moved."""
    ASK = "ask"
    ANSWER = "answer"
    PAUSE = "pause"
    RESUME = "resume"
    COMPLETE = "complete"
    FAIL = "fail"
    CANCEL = "cancel"
    EXPIRE = "expire"


_NON_FINAL: Final = (
    Status.CREATED,
    Status.QUEUED,
    Status.WORKING,
    Status.INPUT_REQUIRED,
    Status.PAUSED,
)

TRANSITIONS: Final[Mapping[tuple[Status, Signal], Status]] = {
    (Status.CREATED, Signal.ENQUEUE): Status.QUEUED,
    (Status.CREATED, Signal.CLAIM): Status.WORKING,
    (Status.QUEUED, Signal.CLAIM): Status.WORKING,
    (Status.WORKING, Signal.YIELD): Status.QUEUED,
    (Status.WORKING, Signal.ASK): Status.INPUT_REQUIRED,
    (Status.INPUT_REQUIRED, Signal.ASK): Status.INPUT_REQUIRED,  # some calls were answered
    (Status.INPUT_REQUIRED, Signal.ANSWER): Status.QUEUED,
    (Status.WORKING, Signal.PAUSE): Status.PAUSED,
    (Status.PAUSED, Signal.RESUME): Status.QUEUED,
    (Status.WORKING, Signal.COMPLETE): Status.COMPLETED,
    (Status.WORKING, Signal.FAIL): Status.FAILED,
    **{(status, Signal.CANCEL): Status.CANCELED for status in _NON_FINAL},
    **{(status, Signal.EXPIRE): Status.EXPIRED for status in _NON_FINAL if status != "created"},
}

TERMINAL: Final = frozenset(Status) - {status for status, _ in TRANSITIONS}
RESTING: Final = frozenset({Status.INPUT_REQUIRED, Status.PAUSED})
"""Where a task waits for its client, without holding a worker."""


def advance(status: Status, signal: Signal) -> Status:
    """Return the status that follows.

    Raises:
        IllegalTransitionError: the table has no such row.
    """
    if (following := TRANSITIONS.get((status, signal))) is None:
        raise IllegalTransitionError(f"cannot {signal.value} a {status.value} task")
    return following
