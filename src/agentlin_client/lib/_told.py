"""The text that a reader is shown while a task says it, where a model call may be made anew. Pure.

After a crash of the server, or a cut in the provider's stream, the model call is made again, as its
next attempt: its text comes again from the start (contract, section 4, Crash). A reader wants to
see it once. So what the new attempt repeats is held back, and only what goes beyond is told. If the
new text is another one, what was told can't be unsaid: the new text is told whole, after an empty
line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from agentlin_client.types.items import MessageItem

from .text import text_of

if TYPE_CHECKING:
    from agentlin_client.types import AgentTaskEvent, TaskObject

_GAP: Final = "\n\n"
_RESTED: Final = frozenset({"task.completed", "task.input_required", "task.paused"})


class ToldText:
    r"""What a reader is told of a task's text; takes all of its events, in order.

    >>> from types import SimpleNamespace as Event
    >>> def begin(attempt):
    ...     item = Event(type="message", id="m", attempt=attempt)
    ...     return Event(type="task.output_item.added", agent_step=1, item=item)
    >>> told, says = ToldText(), Event(type="task.text.delta", agent_step=1)
    >>> events = [(begin(None), None), (says, "One t"), (begin(2), None), (says, "One two")]
    >>> [told.take(event, delta) for event, delta in events]
    [None, 'One t', None, 'wo']
    """

    __slots__ = ("_call", "_item_ids", "_matched", "_told", "was_restarted")

    was_restarted: bool
    """Whether text was told that a later attempt at its model call did not repeat."""

    def __init__(self) -> None:
        """Begin with nothing told."""
        self.was_restarted = False
        self._call: tuple[object, int] = (None, 1)  # step and attempt of the model call
        self._item_ids: set[object] = set()  # of its messages
        self._told: list[str] = []  # of this call
        self._matched: int | None = None  # how much of it is said again; None if all is new

    def take(self, event: AgentTaskEvent, delta: str | None) -> str | None:
        """Take the next event; return what the reader is to be told because of it, None if nothing.

        Args:
            event: The event.
            delta: The text that it adds to a message of the assistant's, None if it adds none.
        """
        kind = event.type
        if delta is not None:
            return self._said(event, delta)
        if kind == "task.output_item.added":
            return self._begun(event)
        if kind == "task.output_item.done":
            item: object = getattr(event, "item", None)
            is_whole = getattr(item, "status", None) == "completed"
            is_last = getattr(event, "usage", None) is not None  # of its model call
            return self._settled() if is_whole and is_last else None
        if kind in _RESTED:
            return self._settled()
        if kind == "task.snapshot" and (task := getattr(event, "task", None)) is not None:
            return self._put_right(task)
        return None

    def _begun(self, event: AgentTaskEvent) -> str | None:
        """Note which model call, and which attempt at it, speaks now."""
        item: object = getattr(event, "item", None)
        kind: object = getattr(item, "type", None)
        if kind == "tool_result":  # the server's own doing; the call before it is over
            return self._settled()
        attempt: object = getattr(item, "attempt", None)
        text = self._entered(event, attempt if isinstance(attempt, int) else 1)
        if kind == "message":
            self._item_ids.add(getattr(item, "id", None))
        return text

    def _entered(self, event: AgentTaskEvent, attempt: int) -> str | None:
        step: object = getattr(event, "agent_step", None)
        before, self._call = self._call, (step, attempt)
        if self._call == before:
            return None
        self._item_ids.clear()
        if step == before[0]:
            self._told, self._matched = ["".join(self._told)], 0
            return None
        text = self._settled()
        self._told, self._matched = [], None
        return text

    def _said(self, event: AgentTaskEvent, delta: str) -> str | None:
        if getattr(event, "agent_step", None) == self._call[0]:
            return self._grown(delta)
        # The stream begins, or goes on after a gap, in the middle of a message.
        before = self._entered(event, 1) or ""
        self._item_ids.add(getattr(event, "item_id", None))
        return before + (self._grown(delta) or "")

    def _grown(self, delta: str) -> str | None:
        if self._matched is None:
            self._told.append(delta)
            return delta
        told, matched = "".join(self._told), self._matched
        if told.startswith(delta, matched):
            self._told, self._matched = [told], matched + len(delta)
            return None
        if delta.startswith(told[matched:]):
            self._told, self._matched = [told, delta[len(told) - matched :]], None
            return self._told[1]
        return self._restarted(told[:matched] + delta)

    def _settled(self) -> str | None:
        """The model call is over: what was told, and it did not say, does not count."""
        if self._matched is None:
            return None
        told, matched = "".join(self._told), self._matched
        self._matched = None
        return None if matched == len(told) else self._restarted(told[:matched])

    def _restarted(self, text: str) -> str:
        self.was_restarted = True
        self._told, self._matched = [text], None
        return _GAP + text

    def _put_right(self, task: TaskObject) -> str | None:
        """Go on from a task that stands for events which were lost, or were never seen."""
        # Of a lenient client's events, anything may be in the place of a task.
        items: object = getattr(task, "output", None)
        said = [
            item
            for item in (cast("list[object]", items) if isinstance(items, list) else [])
            if isinstance(item, MessageItem) and item.id in self._item_ids
        ]
        true = text_of(said)
        told = "".join(self._told)
        if true.startswith(told):
            self._told, self._matched = [true], None
            return true[len(told) :] or None
        if told.startswith(true):  # what is lost will be said again
            self._told, self._matched = [told], len(true)
            return None
        return self._restarted(true)
