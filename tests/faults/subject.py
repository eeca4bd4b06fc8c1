"""A task under test: what was asked of it, what was granted, and all that clients saw."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio

from agentlin_client.types.status import FINAL
from tests.api.frames import Frame
from tests.faults.client import require
from tests.faults.screenplay import Plan


@dataclass(slots=True)
class Seen:
    """What clients saw of one task.

    Attributes:
        frames: Every event by its SSE id, as it came first.
        tasks: Every TaskObject since the last power cut, by the number that it is folded up to.
        final: The final status, once someone saw it.
        at_risk: The ids of events that a power cut may have taken, until the log was compared.
        lost: The ids of those that it took.
    """

    frames: dict[str, Frame] = field(default_factory=dict[str, Frame])
    tasks: dict[int, list[dict[str, Any]]] = field(default_factory=dict[int, list[dict[str, Any]]])
    final: str | None = None
    at_risk: set[str] = field(default_factory=set[str])
    lost: set[str] = field(default_factory=set[str])
    _news: anyio.Event = field(default_factory=anyio.Event)

    def add(self, frame: Frame, *, is_past: bool = False) -> None:
        """Take an event of the log; it must be what it was when another client saw it.

        `is_past`: the power was cut since it was sent.
        """
        known = self.frames.setdefault(frame.id, frame)
        if is_past:
            self.at_risk.add(frame.id)
        require(known.raw == frame.raw, f"two events under an id: {known.raw!r}, {frame.raw!r}")
        status = frame.type.removeprefix("task.")
        if status in FINAL:
            self._end(status)
        self._tell()

    def add_task(self, task: dict[str, Any]) -> None:
        """Take a TaskObject; it will be compared with the log."""
        self.tasks.setdefault(task["sequence_number"], []).append(task)
        if task["status"] in FINAL:
            self._end(task["status"])

    def cut(self) -> None:
        """Take note of a power cut."""
        self.at_risk = set(self.frames) - self.lost
        self.tasks.clear()

    def has(self, event_type: str, *, step: int = 0) -> bool:
        """True if such an event was seen (of that model call, if one is named)."""
        return any(
            frame.type == event_type and step in (0, frame.event.get("agent_step"))
            for frame in self.frames.values()
        )

    async def wait_for(self, event_type: str, *, step: int = 0) -> None:
        """Wait until such an event was seen, or the task's end."""
        while not (self.final or self.has(event_type, step=step)):
            await self._news.wait()

    def _end(self, status: str) -> None:
        require(self.final in (None, status), f"first it was {self.final}, then {status}")
        self.final = status

    def _tell(self) -> None:
        news, self._news = self._news, anyio.Event()
        news.set()


@dataclass(slots=True, eq=False)
class Subject:
    """A task under test.

    Attributes:
        plan: What its model does.
        key: Its create's Idempotency-Key.
        body: Its create's body, without `stream` and `background`.
        seen: What clients saw.
        known: Set once a client knows its id; `id` has it then.
        may_end: The final statuses that it may have, given what was asked so far.
        must_end: The only one that it may have, once that was granted.
        answers: What was asked to be the answer of a call, by call id.
        granted: What was granted to be.
        deaths: How many server processes died since it was asked for.
        resumes_begun: How many resumes were sent.
        resumes_ended: How many of them were answered, or never will be.
        pauses: Numbers of the last event at which a pause was granted, that no resume followed.
        is_refused: True if its create was, and may be again.
        is_deletion_asked: True once a client may have deleted it.
        is_deleted: True once that was granted.
    """

    plan: Plan
    key: str
    body: Mapping[str, Any]
    seen: Seen = field(default_factory=Seen)
    known: anyio.Event = field(default_factory=anyio.Event)
    id: str = ""
    may_end: set[str] = field(default_factory=lambda: {"completed"})
    must_end: str | None = None
    answers: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    granted: dict[str, str] = field(default_factory=dict[str, str])
    deaths: int = 0
    resumes_begun: int = 0
    resumes_ended: int = 0
    pauses: list[int] = field(default_factory=list[int])
    is_refused: bool = False
    is_deletion_asked: bool = False
    is_deleted: bool = False

    @property
    def path(self) -> str:
        """Its path below `/v1/tasks`."""
        assert self.id
        return f"/{self.id}"

    @property
    def headers(self) -> dict[str, str]:
        """Headers of its create."""
        return {"Idempotency-Key": self.key}

    def learn(self, task_id: str) -> None:
        """Take note of its id: the same after each repetition of its create."""
        require(self.id in ("", task_id), f"a repeated create made another task: {task_id}")
        self.id = task_id
        self.known.set()
