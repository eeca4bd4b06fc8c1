"""The contract's decisions that tests hold, by id; a test names the ones that it holds.

    @requirement("task.end.final")
    def test_...

An id that is not listed fails at import; `test_requirements.py` finds ids that no test names.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

Test = TypeVar("Test", bound=Callable[..., object])

REQUIREMENTS: Final[Mapping[str, str]] = {
    "task.lifecycle.table": "Statuses change along one table only (section 4).",
    "task.end.final": "A final task has exactly one final event, and it is the last.",
    "task.order": "Every stream keeps the order of section 4, whatever happened to it.",
    "task.numbers.gapless": "sequence_number 0, 1, 2, ... without gaps, for ever.",
    "task.deltas.one-per-chunk": "One delta per provider chunk, never merged.",
    "task.deltas.add-up": "A done is preceded by deltas that add up to it, byte for byte.",
    "task.fold": "The final TaskObject equals the fold of the events.",
    "task.frozen": "The resolved agent is stored with the task; a later default changes nothing.",
    "task.detached": "A reader or caller that goes away never stops or loses a task.",
    "task.steps.limit": "A task that makes too many model calls fails with its budget.",
    "task.cancel.any-phase": "A cancel takes effect in every phase, mid-generation too.",
    "task.cancel.repeat": "A cancel of a canceled task succeeds; of another final one it fails.",
    "task.cancel.silent-runner": "A runner that does not answer is fenced off and the task ended.",
    "task.delete": "A delete cancels, removes everything, and ends the task's readers.",
    "task.delete.reserved": "Id and key of a deleted task stay taken for a day.",
    "task.delete.context": "A deleted task's turns leave its session's context.",
    "task.unfinished-call": "Items of an unfinished call end incomplete; models never see them.",
    "task.call-again": "A cut call is made again: same step, next attempt, twice at most.",
    "task.call-ids": "call_id is unique in a task; empty and repeated ones are replaced.",
    "task.restart": "After a crash an unfinished task fails clearly; what waited runs.",
    "task.storage-fault": "A task that the database refused a write is ended when it can be.",
    "task.usage": "The last done of a call carries its usage; the task's usage is the sum.",
    "session.order": "One task of a session runs at a time, in the order of creation.",
    "session.context": "Context: earlier turns, history without repeats, user, thoughts.",
    "create.idempotent": "The same key or task_id with the same body is the same task.",
    "create.conflict": "The same key or task_id with another body is a conflict.",
    "create.counted-retry": "A counted retry attaches to an equal create of the last 10 minutes.",
    "create.queue-full": "Beyond the limit of waiting tasks a create is refused.",
    "create.no-credentials": "Credentials and transport are never taken from inference_args.",
    "create.not-built": "A param whose feature is not built is refused; empty values pass.",
    "events.resume": "The events after N: first from the log, then live; no gap, no duplicate.",
    "events.same-bytes": "A replay is byte for byte what was streamed live.",
    "events.slow-reader": "A slow reader costs bounded memory and stops nobody.",
    "journal.fenced": "A stale writer is refused, and nothing of it is written.",
    "journal.durable": "What was appended outlives a killed process.",
    "journal.atomic": "An append is whole or absent; one that fails undoes only itself.",
    "journal.size": "Twice the deltas, at most 2.2 times the database.",
    "journal.fold-reads-little": "A fold reads no delta that a done has replaced.",
    "list.paging": "Newest first, exclusive cursors, the page next to the cursor.",
    "store.tenant": "Sessions, tasks and keys are kept apart by tenant.",
    "store.migrations": "Databases of every release open; one of a newer release is refused.",
    "rollout.every-call": "Every finished model call leaves a rollout row, redacted.",
    "server.drain": "A stopping server takes no task, and begins none that waits.",
}


def requirement(*ids: str) -> Callable[[Test], Test]:
    """Say which decisions of the contract a test holds.

    Raises:
        KeyError: an id is not listed above.
    """
    for one in ids:
        if one not in REQUIREMENTS:
            raise KeyError(f"{one!r} is not listed in tests/requirements.py")
    return lambda test: test
