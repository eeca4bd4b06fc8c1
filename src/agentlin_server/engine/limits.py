"""The engine's own knobs, handed over by `app`."""

from dataclasses import dataclass

from agentlin_server.domain.status import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLimits:
    """Bounds of what the engine takes on.

    Attributes:
        running_max: Most tasks that run at once.
        waiting_max: Most tasks that wait for their turn; beyond it a create is refused.
        cancel_grace_s: How long a cancel waits for the runner before it fences it off.
        stop_grace_s: How long a shutdown lets running tasks go on.
        reserved_s: How long id and keys of a deleted task stay taken.
        call_retries_max: How often a model call whose stream broke is made again.
        attempts_max: How often a task is begun that each time ends with its process, without
            progress in between.
        tools_at_once_max: Most tools of one task that run at once.
        timeout_s: How long a task may take that does not say itself; None for ever.
        paused_max_s: How long it may be paused.
        input_required_max_s: How long it may wait for an answer.
        seal_after_s: How long after its end a task's journal is compressed.
        keep_s: How long after its end a task is removed; None for never.
    """

    running_max: int = 512
    waiting_max: int = 10_000
    cancel_grace_s: float = 1.0
    stop_grace_s: float = 10.0
    reserved_s: float = 24 * 3600.0
    call_retries_max: int = 2
    attempts_max: int = 3
    tools_at_once_max: int = 8
    timeout_s: float | None = None
    paused_max_s: float = 24 * 3600.0
    input_required_max_s: float = 24 * 3600.0
    seal_after_s: float = 60.0
    keep_s: float | None = None

    def rest_max_s(self, status: Status) -> float | None:
        """How long a task may be in a resting status; None for all others."""
        return {
            Status.PAUSED: self.paused_max_s,
            Status.INPUT_REQUIRED: self.input_required_max_s,
        }.get(status)
