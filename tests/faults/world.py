"""The world of one run: a server that is started again whenever it dies, tasks, their readers."""

import random
import signal
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.abc
import anyio.to_thread
import httpx

from tests.faults import checker, power
from tests.faults.client import Api, Reply, ViolationError, require
from tests.faults.observer import RESTART_S, Reader, read_log
from tests.faults.process import FaultyServer, NoServerError
from tests.faults.server import Faults
from tests.faults.subject import Subject

_NOT_FOUND: Final = 404
_PLAIN: Final = Faults()
_SETTINGS: Final = {"stop_grace_s": 0.5, "heartbeat_s": 5}


@dataclass(slots=True)
class World:
    """See `living_world`.

    Attributes:
        server: The server's process.
        api: A client of it.
        rng: Decides what chance decides.
        background: Where what goes on by itself runs.
        faults: Of the next processes; those after them have none.
        survivors: Where what outlives a power cut is kept; None if there will be none.
        subjects: The tasks.
        readers: Everyone who follows one of them.
        failures: What went wrong in the background.
        epoch: Number of the server's process, from 1.
        deaths: How many of them were killed.
        power_cuts: How many of the kills were power cuts.
        lost_bytes: What they cost, in bytes of log.
        stops: How many processes stopped because they were asked to.
        story: What happened, line by line; beside the database after a failure.
    """

    server: FaultyServer
    api: Api
    rng: random.Random
    background: anyio.abc.TaskGroup
    faults: deque[Faults]
    survivors: Path | None = None
    subjects: list[Subject] = field(default_factory=list[Subject])
    readers: list[Reader] = field(default_factory=list[Reader])
    failures: list[Exception] = field(default_factory=list[Exception])
    epoch: int = 0
    deaths: int = 0
    power_cuts: int = 0
    lost_bytes: int = 0
    stops: int = 0
    story: list[str] = field(default_factory=list[str])
    _is_up: bool = False
    _cut: power.Cut | None = None
    """How the power is cut at the next death."""
    _is_asked_to_stop: bool = False
    _changed: anyio.Event = field(default_factory=anyio.Event)

    @property
    def ledger(self) -> Path:
        """Where the tools leave their side effects."""
        return self.server.folder / "ledger"

    # The server's life.

    async def supervise(self) -> None:
        """Start the server, and start it again whenever it has ended."""
        while True:
            await self._start()
            await anyio.wait_readable(self.server.sentinel)
            self._is_up = False
            self._on_end(self.server.wait_dead())

    async def wait_up(self, *, after: int) -> int:
        """Wait for a process with a higher number than `after`; return its number."""
        while not (self._is_up and self.epoch > after):
            self.check()
            await self._changed.wait()
        return self.epoch

    async def kill(self, *, cut: power.Cut | None = None) -> None:
        """Kill the server, or let its power be cut; return when the next process is up."""
        epoch = await self.wait_up(after=0)
        self._cut = cut
        self.server.signal(signal.SIGKILL)
        await self._wait_restart(epoch)

    def arm(self, commits: int) -> None:
        """Let the server kill itself before one of its next commits."""
        self.server.levers.kill_in.value = commits

    async def stop(self) -> None:
        """Stop the server as an operator would; return when the next process is up."""
        epoch = self.epoch
        self._is_asked_to_stop = True
        self.server.signal(signal.SIGTERM)
        await self._wait_restart(epoch)

    async def _wait_restart(self, epoch: int) -> None:
        with anyio.move_on_after(RESTART_S):
            await self.wait_up(after=epoch)
            return
        raise ViolationError("the server does not answer, and has not ended")

    async def _start(self) -> None:
        while True:
            faults = self.faults.popleft() if self.faults else _PLAIN
            faults = replace(faults, survivors=self.survivors)
            self.server.levers.kill_in.value = 0
            try:
                await anyio.to_thread.run_sync(self.server.start, faults)
                break
            except NoServerError as exc:
                if not faults.kill_at:
                    raise ViolationError(f"the server did not start: {exc}") from None
                self._on_end(-signal.SIGKILL)
        self.epoch += 1
        self.note(f"process {self.epoch} is up")
        self._is_up = True
        self._tell()

    def _on_end(self, status: int) -> None:
        self.note(f"process {self.epoch} has ended: {status}")
        asked, self._is_asked_to_stop = self._is_asked_to_stop, False
        # A server that has only just started to listen does not know SIGTERM yet, and dies of it.
        expected = (0, -signal.SIGKILL, -signal.SIGTERM) if asked else (-signal.SIGKILL,)
        require(status in expected, f"the server ended with {status}: {self.server.said()}")
        self.check_words()
        if status == 0:
            self.stops += 1
            return
        self.deaths += 1
        for subject in self.subjects:
            subject.deaths += 1
            if subject.deaths >= checker.DEATHS_MAX or any(
                step.breaks for step in subject.plan.steps
            ):
                subject.may_end.add("failed")
        if self._cut is not None:
            assert self.survivors is not None
            self.lost_bytes += power.cut(self.server.db, self.survivors, self._cut, self.rng)
            self._cut = None
            self.power_cuts += 1
            for subject in self.subjects:
                subject.seen.cut()

    # Requests.

    async def call(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Reply | None:
        """Make one request; None if the server died under it: the next process is up then."""
        epoch = await self.wait_up(after=0)
        cuts = self.power_cuts
        reply = await self.api.call(method, path, body, headers)
        if reply is None:
            await self._wait_restart(epoch)
            self.note(f"{method} {path}: no answer")
            return None
        self.note(f"{method} {path}: {reply.status}")
        return replace(reply, is_past=self.power_cuts != cuts)

    async def insist(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Make one request, again and again until it is answered."""
        while (reply := await self.call(method, path, body, headers)) is None:
            pass
        return reply

    async def wait_past(self, subject: Subject, number: int) -> None:
        """Wait until a task rests or ends, after an event, or the server dies."""
        epoch = await self.wait_up(after=0)
        path = f"{subject.path}/events?starting_after={number}"
        try:
            async with self.api.stream("GET", path) as answer:
                async for _ in answer.aiter_raw():
                    pass
        except httpx.TransportError:
            await self._wait_restart(epoch)

    def follow(self, subject: Subject, *, is_creator: bool = False, drops: bool = True) -> None:
        """Let one more reader follow a task."""
        rng = random.Random(self.rng.random())
        reader = Reader(self, subject, rng, drops=drops, is_creator=is_creator)
        self.readers.append(reader)
        self.spawn(reader.run)

    def spawn(self, action: Callable[[], Awaitable[object]]) -> None:
        """Let something go on in the background; `check` raises what goes wrong in it."""
        self.background.start_soon(self._guarded, action)

    async def _guarded(self, action: Callable[[], Awaitable[object]]) -> None:
        try:
            await action()
        except Exception as exc:  # noqa: BLE001 # kept for `check`
            self.failures.append(exc)
            self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    # Checks.

    def check_words(self) -> None:
        """Look for bugs in what the server has said."""
        said = self.server.said()
        require("Traceback" not in said, said)

    def note(self, what: str) -> None:
        """Add a line to the story."""
        self.story.append(f"{anyio.current_time() % 1_000:8.3f} {what}")

    async def wait_readers(self) -> None:
        """Wait until everyone who follows a task has seen its end; there must be one."""
        with anyio.move_on_after(RESTART_S):
            for reader in self.readers:
                if reader.is_creator or reader.subject.known.is_set():
                    self.check()
                    await reader.ended.wait()
            return
        self.check()
        raise ViolationError("a reader does not see the end of its task")

    def check(self) -> None:
        """Raise what went wrong in the background."""
        if self.failures:
            raise self.failures[0]

    async def check_logs(self) -> None:
        """Compare the logs of all tasks with what clients saw."""
        for subject in self.subjects:
            if subject.known.is_set():
                await self.log_of(subject)
        self.check()

    async def log_of(self, subject: Subject) -> dict[str, Any] | None:
        """Compare a task's log with what clients saw; return the task, None if it is deleted."""
        while True:
            reply = await self.insist("GET", subject.path)
            if reply.status == _NOT_FOUND and subject.is_deletion_asked:
                subject.is_deleted = True
                return None
            require(reply.is_ok, f"{subject.key} is lost: {reply}")
            require(not subject.is_deleted, f"{subject.key} is there again after its delete")
            with suppress(httpx.TransportError):
                log = await read_log(self, subject, up_to=reply.task["sequence_number"])
                if reply.is_past:
                    continue
                subject.seen.add_task(reply.task)
                checker.check_log(subject, log)
                return reply.task


@asynccontextmanager
async def living_world(
    folder: Path,
    *,
    seed: int,
    faults: Sequence[Faults] = (),
    cut: power.Cut | None = None,
    keeps_survivors: bool = False,
    settings: Mapping[str, object] | None = None,
) -> AsyncGenerator[World]:
    """A server on a database of its own, which is restarted whenever it dies, while in the context.

    Args:
        folder: Where all files are.
        seed: Of everything that chance decides.
        faults: Of the first processes.
        cut: How the power is cut at the first death, if it is.
        keeps_survivors: True if there may be more power cuts.
        settings: Settings of agentlin.
    """
    given = {**_SETTINGS, "ledger_dir": folder / "ledger", **(settings or {})}
    server = FaultyServer(folder, given)
    failure: Exception | None = None
    async with Api(lambda: server.address) as api, anyio.create_task_group() as group:
        survivors = folder / "survivors" if keeps_survivors or cut else None
        world = World(server, api, random.Random(seed), group, deque(faults), survivors, _cut=cut)
        try:
            world.spawn(world.supervise)
            await world.wait_up(after=0)
            yield world
        except Exception as exc:  # noqa: BLE001 # raised below, without a group around it
            failure = exc
            (folder / "story.txt").write_text("\n".join([*world.story, repr(exc)]), "utf-8")
        finally:
            group.cancel_scope.cancel()
            server.kill()
    if failure is not None:
        raise failure
