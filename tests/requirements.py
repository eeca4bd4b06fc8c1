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
    "task.restart": "After a crash unfinished tasks go on by themselves, and keep what was seen.",
    "task.storage-fault": "A task that the database refused a write goes on when it can.",
    "task.usage": "The last done of a call carries its usage; the task's usage is the sum.",
    "task.poison": "A task that dies with its process three times, without progress, fails.",
    "task.pause.between-steps": "A pause takes effect before the next call, after all results.",
    "task.pause.intent": "A pause is answered at once; until then it is asked for, in no event.",
    "task.pause.withdrawn": "A resume before the pause took effect withdraws it.",
    "task.pause.refused": "What has ended can't be paused; what nobody paused can't be resumed.",
    "input.answer": "The same task goes on with its answers; streams begin at the first new event.",
    "input.partial": "Answers to some calls are taken; the task asks for the rest.",
    "input.repeat": "The same answer again changes nothing, and is answered like the first.",
    "input.conflict": "Another answer to an answered call, or an unknown call, is refused.",
    "input.by-create": "A create without message, with results, continues its session's task.",
    "tool.unsafe-once": "An unsafe tool runs at most once; an unknown outcome is reported as such.",
    "session.order": "One task of a session runs at a time, in the order of creation.",
    "session.on-busy": "A busy session's new task waits, is refused, or interrupts, as asked.",
    "session.context": "Context: earlier turns, history without repeats, user, thoughts.",
    "create.idempotent": "The same key or task_id with the same body is the same task.",
    "create.conflict": "The same key or task_id with another body is a conflict.",
    "create.counted-retry": "A counted retry attaches to an equal create of the last 10 minutes.",
    "create.attach": "A retried streaming create replays its task, also after a restart.",
    "queue.fair": "Turns go round: who joins waits for one task of each other user at most.",
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
    "journal.sealed": "A finished task's journal is compressed, and says what it said.",
    "journal.retention": "Finished tasks are kept for ever, or removed whole after a set time.",
    "list.paging": "Newest first, exclusive cursors, the page next to the cursor.",
    "store.tenant": "Sessions, tasks and keys are kept apart by tenant.",
    "store.backup": "A copy made while a server writes is whole, and of one moment.",
    "store.migrations": "Databases of every release open; one of a newer release is refused.",
    "rollout.every-call": "Every finished model call leaves a rollout row, redacted.",
    "input.rest": "A task rests while the client must answer; what it asks is in the event.",
    "input.mixed": "Ordinary calls beside a client's are executed first.",
    "input.restart": "Questions and answers outlive the process.",
    "task.expire": "timeout_s counts wall time since creation and ends in expired.",
    "task.expire.rest": "A task's time stands still while it rests; resting has limits of its own.",
    "task.expire.clock-set": "Setting the wall clock expires nothing.",
    "dispatch.once": "Every runnable task is run once, also if its wake was lost.",
    "dispatch.bounded": "Never more tasks run at once than allowed.",
    "dispatch.fair": "One user's many tasks do not starve another's one.",
    "server.leaves-nothing": "No background task outlives its owner; final tasks take no memory.",
    "intents.done": "What was recorded as wanted is done, also if its first try failed.",
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
