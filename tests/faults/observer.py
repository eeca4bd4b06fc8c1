"""Readers that follow a task to its end, drop out, and resume where they were."""

import json
import random
from dataclasses import dataclass, field
from typing import Final, Protocol

import anyio
import httpx

from agentlin_client.types.status import FINAL, RESTING, STATUS_OF_EVENT
from tests.api.frames import CheckedStream, Frame
from tests.faults.client import Api, ViolationError, require
from tests.faults.subject import Subject

RESTART_S: Final = 30
_SNAPSHOT: Final = "task.snapshot"
_STOPPING: Final = 503
_STAYS: Final = 1_000_000


class Host(Protocol):
    """What a reader needs to know of the world."""

    @property
    def api(self) -> Api:
        """The API of the server that runs."""
        ...

    @property
    def power_cuts(self) -> int:
        """How many there were."""
        ...

    async def wait_up(self, *, after: int) -> int:
        """Wait for a server process with a higher number than `after`; return its number."""
        ...


@dataclass(slots=True)
class Reader:
    """One client that follows a task.

    Attributes:
        host: Where the server is.
        subject: The task.
        rng: Decides when it drops out.
        drops: Whether it drops out at all.
        is_creator: Whether its first request is the task's create.
        ended: Set once it has seen the task's end, or that the task is refused or deleted.
    """

    host: Host
    subject: Subject
    rng: random.Random
    drops: bool = True
    is_creator: bool = False
    ended: anyio.Event = field(default_factory=anyio.Event)
    _last: Frame | None = None
    _is_resting: bool = False
    _is_done: bool = False

    async def run(self) -> None:
        """Read until the task's end, or until it is refused or deleted."""
        epoch = await self.host.wait_up(after=0)
        if not self.is_creator:
            await self.subject.known.wait()
        while not self._is_done:
            try:
                is_lost = not await self._read_once()
            except httpx.TimeoutException:
                raise ViolationError(f"{self.subject.key}: nothing came, not even a ping") from None
            except httpx.TransportError:
                is_lost = True
            if is_lost:
                epoch = await self._wait_up(epoch)
        self.ended.set()

    async def _wait_up(self, epoch: int) -> int:
        with anyio.move_on_after(RESTART_S):
            return await self.host.wait_up(after=epoch)
        raise ViolationError(f"{self.subject.key}: a stream was lost though the server went on")

    async def _read_once(self) -> bool:
        """Read one stream; return False if it is the server that ended it early."""
        headers: dict[str, str] = {}
        if self._last is not None:
            headers["Last-Event-ID"] = self._last.id
        if self.is_creator and self._last is None:
            request = ("POST", "", {**self.subject.body, "stream": True}, self.subject.headers)
        else:
            stays = self._is_resting or self.rng.random() < 0.7
            query = "?until=final" if stays else ""
            request = ("GET", f"{self.subject.path}/events{query}", None, headers)
        async with self.host.api.stream(*request) as answer:
            if answer.status_code != httpx.codes.OK:
                return await self._on_refusal(answer)
            return await self._follow(answer)

    async def _on_refusal(self, answer: httpx.Response) -> bool:
        status = answer.status_code
        if status == _STOPPING:
            return False
        if status == httpx.codes.NO_CONTENT:
            self._is_resting = True
            require(self._last is not None, "204 to a reader without any event")
            return True
        said, is_expected = (await answer.aread()).decode(), False
        subject = self.subject
        if self.is_creator and self._last is None:
            subject.is_refused = True
            is_expected = status == httpx.codes.CONFLICT and (
                subject.is_deletion_asked or subject.body.get("on_busy") == "reject"
            )
        if status == httpx.codes.NOT_FOUND:
            is_expected = subject.is_deletion_asked
        require(is_expected, f"{subject.key}: a stream is refused: {status} {said[:500]}")
        self._is_done = True
        return True

    async def _follow(self, answer: httpx.Response) -> bool:
        cuts = self.host.power_cuts
        stream = CheckedStream(resumed_after=None if self._last is None else self._last.seq)
        leaves = self.drops and self.rng.random() < 0.5
        left = self.rng.randrange(1, 40) if leaves else _STAYS
        async for data in answer.aiter_raw():
            for frame in stream.feed(data):
                self._take(frame, cuts=cuts)
                left -= 1
                if left == 0:
                    return True
        return self._is_done or self._is_resting or self._may_have_vanished()

    def _take(self, frame: Frame, *, cuts: int) -> None:
        if frame.type == _SNAPSHOT:
            require(self.host.power_cuts > 0, "a task.snapshot, though no event can be lost")
            status = frame.event["task"]["status"]
        else:
            self.subject.learn(frame.event["task_id"])
            self.subject.seen.add(frame, is_past=cuts < self.host.power_cuts)
            status = STATUS_OF_EVENT.get(frame.type)
        self._last = frame
        self._is_resting = status in RESTING
        self._is_done = status in FINAL

    def _may_have_vanished(self) -> bool:
        """Whether a delete may have ended the stream: it says so, or the next request will."""
        return self.subject.is_deletion_asked


async def read_log(host: Host, subject: Subject, *, up_to: int) -> list[Frame]:
    """Return the task's log from its first event on, at least up to a number.

    Raises:
        httpx.TransportError: the server died.
    """
    stream = CheckedStream()
    async with host.api.stream("GET", f"{subject.path}/events") as answer:
        require(
            answer.status_code == httpx.codes.OK,
            f"{subject.key}: no log: {answer.status_code} {json.dumps(dict(answer.headers))}",
        )
        async for data in answer.aiter_raw():
            stream.feed(data)
            if stream.frames and stream.frames[-1].seq >= up_to:
                break
    return stream.frames
