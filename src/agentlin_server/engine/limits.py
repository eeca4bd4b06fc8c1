"""The engine's own knobs, handed over by `app`."""

from dataclasses import dataclass


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
    """

    running_max: int = 512
    waiting_max: int = 10_000
    cancel_grace_s: float = 1.0
    stop_grace_s: float = 10.0
    reserved_s: float = 24 * 3600.0
    call_retries_max: int = 2
