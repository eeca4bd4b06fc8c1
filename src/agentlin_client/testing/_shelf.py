"""The tasks of a fake server, its clock, and its one lock."""

import json
import re
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final

from ._refusal import RefusalError, invalid, taken
from ._requests import RecordedRequest
from ._task import FakeTask
from .steps import Steps

_LIMIT_DEFAULT: Final = 10
_LIMIT_MAX: Final = 100
_MADE_UP: Final = re.compile(r"task_[0-9a-f]{32}")
"""The ids that our SDK makes up for tasks that their creator gives none."""
_NOT_CANONICAL: Final = frozenset({"request_id", "stream", "background"})


class Shelf:
    """Where tasks are kept; whoever looks at or changes them holds `lock`.

    Args:
        now: The server's time at the beginning, UTC.
        numbers_tasks: Give tasks whose id our SDK made up the ids `task_1`, `task_2`, ...

    Attributes:
        now: The server's time, UTC.
        tasks: The tasks by id, oldest first, without deleted ones.
    """

    def __init__(self, now: datetime, *, numbers_tasks: bool) -> None:
        self.now: datetime = now
        self.tasks: dict[str, FakeTask] = {}
        self.lock: threading.RLock = threading.RLock()
        self._change = threading.Condition(self.lock)
        self._changes = 0
        self._numbers_tasks = numbers_tasks
        self._numbers = {"task": count(1), "sess": count(1), "req": count(1)}
        self._used: dict[str, tuple[str, str]] = {}  # ids and keys: task, canonical body

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        with self.lock:
            self.now += timedelta(seconds=seconds)
            self.changed()

    def changed(self) -> None:
        """Wake whoever waits for a change."""
        with self.lock:
            self._changes += 1
            self._change.notify_all()

    def wait_change(self, seen: int, timeout_s: float) -> bool:
        """Wait for a change after `seen`, in real time; True if there was one."""
        with self.lock:
            return self._change.wait_for(lambda: self._changes != seen, timeout_s)

    @property
    def changes(self) -> int:
        """How often something has changed."""
        return self._changes

    def new_id(self, kind: str) -> str:
        """Return the next id of a kind: `task_1`, `sess_1`, `req_1`."""
        return f"{kind}_{next(self._numbers[kind])}"

    def blocker_of(self, task: FakeTask) -> FakeTask | None:
        """Return the task of the same session that must end before this one may begin."""
        for other in self.tasks.values():
            if other is task:
                return None
            if other.session_id == task.session_id and not other.is_final:
                return other
        return None

    def of_session(self, session_id: str | None) -> list[FakeTask]:
        """Return the tasks of a session, newest first."""
        return [t for t in reversed(self.tasks.values()) if t.session_id == session_id]

    def seen_before(self, request: RecordedRequest, body: Mapping[str, Any]) -> FakeTask | None:
        """Return the task that this same create made before, None if it is new.

        Raises:
            RefusalError: The id or key was used by another request, or its task is deleted.
        """
        canonical = _canonical(body)
        for name in self._names(request, body):
            if name not in self._used:
                continue
            task_id, body_then = self._used[name]
            task = self.tasks.get(task_id)
            if body_then != canonical or task is None:
                raise taken(f"the {name} was used before, by another request")
            return task
        return None

    def create(self, request: RecordedRequest, body: Mapping[str, Any], script: Steps) -> FakeTask:
        """Make a task.

        Raises:
            RefusalError: Its session is busy, and the request asked to be rejected then.
        """
        ids = request.given_ids(body)
        session_id = ids["session_id"] or self.new_id("sess")
        earlier = self.of_session(session_id)
        self._make_way(earlier, body.get("on_busy"))
        base = {
            "id": self._id_for(ids["task_id"]),
            "object": "task",
            "created_at": int(self.now.timestamp()),
            "session_id": session_id,
            "user_id": ids["user_id"] or (earlier[0].user_id if earlier else "user_default"),
            "metadata": body.get("metadata"),
            "previous_task_id": next((t.id for t in earlier if t.is_final), None),
            "user_message_content": body["user_message_content"],
        }
        task = FakeTask(base, body, script, self)
        self.tasks[task.id] = task
        for name in [*self._names(request, body), f"task_id {task.id!r}"]:
            self._used[name] = (task.id, _canonical(body))
        return task

    def find(self, task_id: str) -> FakeTask | None:
        """Return a task by its id, also by the one that was asked for when it was created."""
        known_as, _ = self._used.get(f"task_id {task_id!r}", (task_id, ""))
        return self.tasks.get(known_as)

    def delete(self, task: FakeTask) -> None:
        """Remove a task, canceled if it had not ended; its readers get to its end."""
        if not task.is_final:
            task.cancel()
        del self.tasks[task.id]
        self.changed()

    def page(self, request: RecordedRequest) -> list[FakeTask]:
        """Return the tasks that the query of a `GET /tasks` asks for, newest first.

        Raises:
            RefusalError: The limit is out of range, or a cursor is no task's id.
        """
        limit = request.value("limit") or str(_LIMIT_DEFAULT)
        if not (limit.isdecimal() and 1 <= int(limit) <= _LIMIT_MAX):
            raise invalid("limit", msg=f"must be a number from 1 to {_LIMIT_MAX}")
        newest_first = list(self.tasks.values())[::-1]
        places = {task.id: place for place, task in enumerate(newest_first)}
        begin, end = 0, len(newest_first)
        if (cursor := request.value("starting_after")) is not None:
            begin = self._place(places, cursor, "starting_after") + 1
        before = request.value("ending_before")
        if before is not None:
            end = self._place(places, before, "ending_before")
        found = [task for task in newest_first[begin:end] if _is_wanted(task, request)]
        is_backwards = before is not None and cursor is None
        return found[-int(limit) :] if is_backwards else found[: int(limit)]

    def _make_way(self, earlier: Sequence[FakeTask], on_busy: str | None) -> None:
        unfinished = [task for task in earlier if not task.is_final]
        if on_busy == "reject" and unfinished:
            raise RefusalError(409, f"the session has an unfinished task, {unfinished[0].id}")
        for task in unfinished:
            # Nobody answers a question that a new message was the reply to.
            if on_busy == "interrupt" or (not on_busy and task.status == "input-required"):
                task.cancel()

    def _id_for(self, wanted: str | None) -> str:
        if wanted and not (self._numbers_tasks and _MADE_UP.fullmatch(wanted)):
            return wanted
        while f"task_id {(task_id := self.new_id('task'))!r}" in self._used:
            pass  # a client chose it before
        return task_id

    @staticmethod
    def _names(request: RecordedRequest, body: Mapping[str, Any]) -> list[str]:
        key, task_id = request.headers.get("idempotency-key"), request.given_ids(body)["task_id"]
        named = {"Idempotency-Key": key, "task_id": task_id}
        return [f"{name} {value!r}" for name, value in named.items() if value]

    @staticmethod
    def _place(places: Mapping[str, int], task_id: str, name: str) -> int:
        if task_id not in places:
            raise invalid(name, msg="is no task's id")
        return places[task_id]


def _is_wanted(task: FakeTask, request: RecordedRequest) -> bool:
    metadata: Mapping[str, Any] = task.body.get("metadata") or {}
    parent = metadata.get("parent_task_id")
    told = {"session_id": task.session_id, "user_id": task.user_id, "parent_task_id": parent}
    statuses = [*request.query.get("status", ()), *request.query.get("status[]", ())]
    return all(request.value(name) in {None, told[name]} for name in told) and (
        not statuses or task.status in statuses
    )


def _canonical(body: Mapping[str, Any]) -> str:
    said = {name: value for name, value in body.items() if name not in _NOT_CANONICAL}
    return json.dumps(said, sort_keys=True)
