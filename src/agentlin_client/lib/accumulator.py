"""From the typed events of a task to the task itself: the fold, done when it is asked for."""

from typing import Any, Final, cast

from pydantic import ValidationError

from agentlin_client._lenient import construct
from agentlin_client._models import BaseModel
from agentlin_client.types import AgentTaskEvent, TaskObject
from agentlin_client.types.fold import FoldError, TaskFold
from agentlin_client.types.status import FINAL, RESTING, STATUS_OF_EVENT

from .text import REFUSAL, shown_items, text_of

__all__ = ["TaskAccumulator"]

_SNAPSHOT: Final = "task.snapshot"
_PART_ADDED: Final = "task.content_part.added"
_NOTED: Final = frozenset({*STATUS_OF_EVENT, _SNAPSHOT, _PART_ADDED})
_SHOWS_ALL: Final = frozenset({"task.created", _SNAPSHOT})
# Deltas are many, and their attributes are their wire form. (Log probabilities are models, which
# the task holds as they are.)
_DELTAS: Final = frozenset(
    {
        "task.text.delta",
        "task.reasoning_text.delta",
        "task.reasoning_summary_text.delta",
        "task.tool_call_arguments.delta",
        "task.audio.delta",
        "task.file.delta",
    }
)
_REASONING: Final = frozenset({"task.reasoning_text.delta", "task.reasoning_summary_text.delta"})
_MISFITS: Final = (FoldError, LookupError, TypeError, AttributeError, ValueError)
"""What the fold raises for wire forms that a lenient client has let through."""
_PENDING_MAX: Final = 4096
"""How many events are kept before they are folded unasked, so that memory stays bounded."""


class TaskAccumulator:
    """The task that the events so far add up to.

    To add an event costs next to nothing; the work is done when `task` or `text` is asked for,
    and the answer is kept until the next event. Events that were added before (by their number)
    change nothing, so a retrieved task and a stream that overlaps it fit together.

    Events that don't begin with task.created need a `base`; without one, `task` is None until
    an event shows the whole task, as every resting or final one does. In the same way the
    fold goes on past an event that does not fit the others, and is put right by the next event
    that shows the whole task.

    >>> from agentlin_client.types import TaskWorkingEvent
    >>> at = {"task_id": "t", "sequence_number": 1, "timestamp": "2026-11-23T18:00:00Z"}
    >>> accumulator = TaskAccumulator()
    >>> accumulator.add(TaskWorkingEvent(type="task.working", **at))
    >>> accumulator.status, accumulator.task
    ('working', None)
    """

    __slots__ = (
        "_fold",
        "_is_broken",
        "_pending",
        "_refusals",
        "_shown",
        "_task",
        "sequence_number",
        "status",
        "task_id",
    )

    task_id: str | None
    """Id of the task, None before the first event."""

    status: str | None
    """Status of the task, None before the first event that tells it."""

    sequence_number: int
    """Number of the last event; -1 before the first."""

    def __init__(self, base: TaskObject | None = None) -> None:
        """Begin before the first event, or with a task.

        Args:
            base: The task as `retrieve` returned it; its `sequence_number` is the last event
                that it contains. Its events after that one are to follow.
        """
        self.task_id = None if base is None else base.id
        self.status = None if base is None else base.status
        self._shown = base  # the task as it was shown whole last
        self._is_broken = base is None
        try:
            self._fold = TaskFold(None if base is None else _dumped(base))
        except _MISFITS:  # a lenient client's
            self._fold, self._is_broken = TaskFold(), True
        self.sequence_number = self._fold.sequence_number
        self._pending: list[AgentTaskEvent] = []
        self._refusals: set[tuple[object, object]] = set()
        self._task = base

    def add(self, event: AgentTaskEvent) -> None:
        """Take the next event of the task."""
        number: object = getattr(event, "sequence_number", None)
        kind = event.type
        if not isinstance(number, int):  # a lenient client's: its place is where it came
            number = self.sequence_number + 1
        if number <= self.sequence_number and kind != _SNAPSHOT:
            return
        self.sequence_number = number
        self._task = None
        self._pending.append(event)
        if self.task_id is None:
            self.task_id = getattr(event, "task_id", None)
        if kind in _NOTED:
            self._note(event)
        if len(self._pending) >= _PENDING_MAX:
            self._fold_pending()

    @property
    def task(self) -> TaskObject | None:
        """The task so far, open items with their text so far; None before the first event.

        Costs as much as the task is large, once per event. Not to be changed.
        """
        if self._task is None:
            self._fold_pending()
            self._task = self._rendered()
        return self._task

    @property
    def text(self) -> str:
        """The answer so far: as `final_text`, with messages that still grow or that broke off.

        What broke off counts until a later attempt at the same model call says it anew.
        """
        task = self.task
        return "" if task is None else text_of(shown_items(task.output))

    @property
    def refusal(self) -> str | None:
        """Why the model refuses to answer, as far as it has said so; None if it does not."""
        task = self.task
        return None if task is None else text_of(shown_items(task.output), kinds=REFUSAL) or None

    @property
    def is_final(self) -> bool:
        """True if the task is completed, canceled, expired or failed."""
        return self.status in FINAL

    @property
    def is_at_rest(self) -> bool:
        """True if the task has ended, or waits for its client: no event comes by itself."""
        return self.status in FINAL or self.status in RESTING

    def text_delta(self, event: AgentTaskEvent) -> str | None:
        """Return the text that an event adds to an assistant's message; None if it adds none.

        Refusals are left out, as far as the events added show what is one.
        """
        if event.type != "task.text.delta" or (
            self._refusals and _part_key(event) in self._refusals
        ):
            return None
        return _delta(event)

    def reasoning_delta(self, event: AgentTaskEvent) -> str | None:
        """Return the text that an event adds to the reasoning or its summary, None if none."""
        return _delta(event) if event.type in _REASONING else None

    def _note(self, event: AgentTaskEvent) -> None:
        if event.type == _PART_ADDED:
            if getattr(getattr(event, "part", None), "type", None) == "refusal":
                self._refusals.add(_part_key(event))
        elif event.type == _SNAPSHOT:
            self.status = getattr(getattr(event, "task", None), "status", None)
        else:
            self.status = STATUS_OF_EVENT[event.type]

    def _fold_pending(self) -> None:
        pending, self._pending = self._pending, []
        for event in pending:
            if isinstance(task := getattr(event, "task", None), TaskObject):
                self._shown = task
            if event.type not in _DELTAS or _is_text(event):
                self._fold_in(_wire(event))

    def _fold_in(self, event: dict[str, Any]) -> None:
        number: object = event.get("sequence_number")
        if not isinstance(number, int):
            number = self._fold.sequence_number + 1
            event = {**event, "sequence_number": number}
        shown: object = event.get("task")
        if self._is_broken and event["type"] not in _SHOWS_ALL and isinstance(shown, dict):
            whole = {**cast("dict[str, Any]", shown), "sequence_number": number}
            event = {"type": _SNAPSHOT, "sequence_number": number, "task": whole}
        try:
            self._fold.apply(event)
        except FoldError:
            self._is_broken = True
        else:
            self._is_broken = self._is_broken and event["type"] not in _SHOWS_ALL

    def _rendered(self) -> TaskObject | None:
        try:
            task = self._fold.snapshot()
        except _MISFITS:  # it has not begun, or holds what can't be added up
            self._is_broken = True
            return self._shown
        try:
            return TaskObject.model_validate(task)
        except ValidationError:
            return construct(TaskObject, task)


def _wire(event: AgentTaskEvent) -> dict[str, Any]:
    return vars(event) if event.type in _DELTAS else _dumped(event)


def _delta(event: AgentTaskEvent) -> str | None:
    delta: object = getattr(event, "delta", None)
    return delta if isinstance(delta, str) else None


def _is_text(event: AgentTaskEvent) -> bool:
    grown = "partial_file_b64" if event.type == "task.file.delta" else "delta"
    return isinstance(getattr(event, grown, None), str)


def _part_key(event: AgentTaskEvent) -> tuple[object, object]:
    return getattr(event, "item_id", None), getattr(event, "content_index", None)


def _dumped(model: BaseModel) -> dict[str, Any]:
    # A lenient client lets through what does not fit its field's type: no news here.
    return model.to_dict(mode="json", warnings=False)
