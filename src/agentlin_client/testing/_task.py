"""One task of the fake server: its log, and what may be done to it."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from enum import Enum
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeAlias, TypeVar

from agentlin_client.types.status import FINAL, RESTING, TaskStatus

from . import _drafts as drafts
from ._content import as_parts, text_of
from ._drafts import Draft
from ._log import TaskLog, timestamp
from ._player import Mark, Player
from ._refusal import RefusalError, invalid, taken
from .steps import Delay, End, Hang, Steps, expire

if TYPE_CHECKING:
    from agentlin_client.types import TaskObject


class Pace(Enum):
    """How a task got on when it was asked to."""

    MOVED = "something happened"
    STUCK = "nothing will happen by itself"
    SETTLED = "it is final, or rests"


class Surroundings(Protocol):
    """What a task knows of its server."""

    @property
    def lock(self) -> AbstractContextManager[object]:
        """Held by whoever looks at or changes a task; may be taken again by its holder."""
        ...

    @property
    def now(self) -> datetime:
        """The server's time."""
        ...

    def advance(self, seconds: float) -> None:
        """Let the server's time pass."""
        ...

    def blocker_of(self, task: "FakeTask") -> "FakeTask | None":
        """Return the task of the same session that must end before this one may begin."""
        ...

    def changed(self) -> None:
        """Wake whoever waits for a change."""
        ...


P = ParamSpec("P")
T = TypeVar("T")
_Method: TypeAlias = Callable[Concatenate["FakeTask", P], T]


def _locked(method: _Method[P, T]) -> _Method[P, T]:
    """Let nobody else look at or change tasks while the method runs."""

    @wraps(method)
    def locked(task: "FakeTask", /, *args: P.args, **kwargs: P.kwargs) -> T:
        with task._server.lock:  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] # a part of the class
            return method(task, *args, **kwargs)

    return locked


class FakeTask:
    """A task of a `FakeServer`. It goes on when somebody looks: a stream, a waiting call.

    Attributes:
        id: The task's id: `task_1`, `task_2`, ..., or the client's own.
        session_id: Its session.
        user_id: Its user.
        body: The body of the request that created it.
        events: Its log so far, each event as it is on the wire.
    """

    def __init__(
        self, base: Draft, body: Mapping[str, Any], script: Steps, server: Surroundings
    ) -> None:
        self.id: str = base["id"]
        self.session_id: str = base["session_id"]
        self.user_id: str = base["user_id"]
        self.body = body
        self._server = server
        self._log = TaskLog(base, lambda: server.now)
        self.events: Sequence[dict[str, Any]] = self._log.events
        self._player = Player(
            script,
            self,
            tools=body.get("client_tools") or (),
            open_items=self._log.fold.open_items,
        )
        self._run = self._player.play()
        self._is_stuck = False
        self._pause_requested = False
        self._last_wish = ""
        self._rests_since: datetime | None = None
        timeout_s = body.get("timeout_s")
        self._deadline = None if timeout_s is None else server.now + timedelta(seconds=timeout_s)
        self._append(drafts.status("task.created"))
        if server.blocker_of(self) is not None:
            self._append(drafts.status("task.queued"))

    @property
    def status(self) -> TaskStatus:
        """The task's status."""
        return self._log.fold.status  # pyright: ignore[reportReturnType] # the fold's own words

    @property
    def is_final(self) -> bool:
        """True if the task is completed, failed, canceled or expired."""
        return self.status in FINAL

    @property
    def is_settled(self) -> bool:
        """True if the task is final, or waits for its client."""
        return self.status in FINAL or self.status in RESTING

    @property
    def results(self) -> Mapping[str, str]:
        """The text of what each tool answered last, by the tool's name."""
        output = self.snapshot()["output"]
        names = {item["call_id"]: item["name"] for item in output if item["type"] == "tool_call"}
        return {
            names[item["call_id"]]: text_of(item["message_content"])
            for item in output
            if item["type"] == "tool_result"
        }

    @property
    def task(self) -> "TaskObject":
        """The task as a client would retrieve it."""
        from agentlin_client.types import TaskObject

        return TaskObject.model_validate(self.snapshot())

    @_locked
    def snapshot(self) -> dict[str, Any]:
        """Return the task in wire form: the fold of its events."""
        snapshot = self._log.fold.snapshot()
        return snapshot | {"pause_requested": True} if self._pause_requested else snapshot

    def release(self) -> None:
        """Let a task that hangs go on with its script."""
        self._is_stuck = False
        self._server.changed()

    def generation_of(self, number: int) -> int | None:
        """Return which run of the task made an event, None if there is no such event."""
        known = self._log.generations
        return known[number] if 0 <= number < len(known) else None

    @_locked
    def advance(self) -> Pace | Delay:
        """Let the task go on by one event; a Delay if time passed instead."""
        if self.is_settled:
            return Pace.SETTLED
        if self._deadline is not None and self._server.now >= self._deadline:
            self._expire()
            return Pace.MOVED
        if self.status != "working":
            return self._start()
        return Pace.STUCK if self._is_stuck else self._go_on()

    @_locked
    def look(self) -> None:
        """Let the task go on as it does between two looks of a client: by an item or a status."""
        while self.advance() is Pace.MOVED:
            kind: str = self.events[-1]["type"]
            if kind == "task.output_item.done" or "timestamp" in self.events[-1]:
                return

    @_locked
    def cancel(self) -> None:
        """Cancel the task.

        Raises:
            RefusalError: It has ended otherwise.
        """
        if self.is_final and self.status != "canceled":
            message = f"the task has ended: it is {self.status}"
            raise RefusalError(409, message, code=-32002)
        if not self.is_final:
            self._end(drafts.status("task.canceled"))

    @_locked
    def pause(self) -> None:
        """Have the task rest before its next model call.

        Raises:
            RefusalError: It waits for an answer, or has ended.
        """
        if self.status not in ("created", "queued", "working", "paused"):
            raise RefusalError(409, f"a task that is {self.status} can't be paused")
        self._last_wish = "pause"
        self._pause_requested = self.status != "paused"

    @_locked
    def resume(self) -> None:
        """Let the task go on after a pause, or withdraw a pause that is yet to come.

        Raises:
            RefusalError: Nobody paused it.
        """
        if self.status == "paused":
            self._leave_rest()
        elif self.is_final or not (self._pause_requested or self._last_wish == "resume"):
            message = f"the task is {self.status}, and nobody asked for a pause"
            raise RefusalError(409, message)
        self._pause_requested = False
        self._last_wish = "resume"

    @_locked
    def answer(self, results: Sequence[Mapping[str, Any]]) -> int:
        """Take the client's results of calls; the task goes on once none is missing.

        Returns:
            The number of the last event before the answers.

        Raises:
            RefusalError: The task never asked for one of them, or has another answer.
        """
        snapshot = self.snapshot()
        pending: list[str] = snapshot["input_required_call_ids"]
        fresh = [r for n, r in enumerate(results) if self._is_fresh(r, n, snapshot)]
        if not fresh:
            ids = {result["call_id"] for result in results}
            return min(
                event["sequence_number"] - 1
                for event in self.events
                if event["type"] == "task.output_item.added"
                and event["item"]["type"] == "tool_result"
                and event["item"]["call_id"] in ids
            )
        before = len(self.events) - 1
        step = self._log.step_of(snapshot["input_required"]["id"])
        marks = {"answered_by": "client", "answered_at": timestamp(self._server.now)}
        for result in fresh:
            begun = self._player.result_begun(result["call_id"], **marks)
            content, blocks = as_parts(result["message_content"]), result.get("block_list") or ()
            building = drafts.tool_result(begun, content, list(blocks), step=step)
            done = drafts.build(building, self._append)
            self._append(drafts.item_done(done, step=step))
        answered = {result["call_id"] for result in fresh}
        if left := [call_id for call_id in pending if call_id not in answered]:
            calls = {i["call_id"]: i for i in snapshot["output"] if i["type"] == "tool_call"}
            again = {"input_required": calls[left[0]], "input_required_call_ids": left}
            self._append(drafts.status("task.input_required", **again))
        else:
            self._leave_rest()
        return before

    def _is_fresh(self, result: Mapping[str, Any], n: int, snapshot: Mapping[str, Any]) -> bool:
        call_id = result["call_id"]
        if call_id in snapshot["input_required_call_ids"]:
            return True
        for item in snapshot["output"]:
            if item["type"] == "tool_result" and item["call_id"] == call_id:
                said = as_parts(result["message_content"]), list(result.get("block_list") or ())
                if "answered_by" in item and said == (item["message_content"], item["block_list"]):
                    return False
                raise taken(f"call {call_id!r} was answered before, otherwise")
        if any(item.get("call_id") == call_id for item in snapshot["output"]):
            raise RefusalError(409, f"the task waits for no answer any more: it is {self.status}")
        msg = "is no call that the task waits for"
        raise invalid("tool_results", n, "call_id", msg=msg)

    def _start(self) -> Pace | Delay:
        blocker = self._server.blocker_of(self)
        if blocker is not None:
            pace = blocker.advance()
            return Pace.STUCK if pace is Pace.SETTLED else pace
        self._append(drafts.status("task.working"))
        return Pace.MOVED

    def _go_on(self) -> Pace | Delay:
        match moment := next(self._run):
            case Delay(seconds):
                self._server.advance(seconds)
                return moment
            case Hang():
                self._is_stuck = True
                return Pace.STUCK
            case Mark.MODEL_CALL:
                if self._pause_requested:
                    self._pause_requested = False
                    self._append(drafts.status("task.paused"))
            case list():
                for draft in moment:
                    self._append(draft)
            case dict():
                self._append(moment)
        return Pace.MOVED

    def _expire(self) -> None:
        if self.status == "created":
            self._append(drafts.status("task.queued"))
        ended: End = expire()
        self._end(drafts.status(ended.event_type, error=dict(ended.error)))

    def _end(self, draft: Draft) -> None:
        self._run.close()
        for closing in drafts.closings(self._log.fold.open_items()):
            self._append(closing)
        self._append(draft)

    def _leave_rest(self) -> None:
        if self._deadline is not None and self._rests_since is not None:
            self._deadline += self._server.now - self._rests_since
        self._append(drafts.status("task.queued"))

    def _append(self, draft: Draft) -> None:
        was_resting = self.status in RESTING
        self._log.append(draft)
        if self.status in RESTING and not was_resting:
            self._rests_since = self._server.now
        if self.is_final:
            self._pause_requested = False
        self._server.changed()
