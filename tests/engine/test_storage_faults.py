"""A database that refuses writes for a while: no task hangs, none is lost, each goes on."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest
from msgspec.structs import replace

from agentlin_server.domain.errors import StorageError
from agentlin_server.domain.ports import Store
from agentlin_server.domain.records import Commit
from agentlin_server.domain.status import Status
from agentlin_server.engine import recovery
from agentlin_server.models.script import Answer, Gate, Text
from tests.engine.harness import SPEC, says, scripted, serving, text_of
from tests.engine.streams import collect, validated
from tests.requirements import requirement

pytestmark = pytest.mark.anyio
SO_FAR = Answer([Text("So "), Text("far")], repeat=True)


class Faulty:
    """A store that refuses appends: so many, from the n-th, or from a kind of event, on."""

    def __init__(
        self, store: Store, *, refusals: float, nth: int = 0, begins_at: bytes = b""
    ) -> None:
        self._store = store
        self._begins_at = begins_at
        self._before = nth
        self.left = refusals
        self._is_faulty = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def append(self, commit: Commit, *, on_commit: Callable[[], None]) -> None:
        self._before -= 1
        has_begun = self._before < 0 and self._begins_at in commit.events
        self._is_faulty = self._is_faulty or has_begun
        if self._is_faulty and self.left > 0:
            self.left -= 1
            raise StorageError("disk full")
        await self._store.append(commit, on_commit=on_commit)


class Picky(Faulty):
    """A store that never takes a kind of event."""

    async def append(self, commit: Commit, *, on_commit: Callable[[], None]) -> None:
        if self._begins_at in commit.events:
            raise StorageError("too large")
        await self._store.append(commit, on_commit=on_commit)


def faulty(**faults: Any) -> Callable[[Store], Any]:
    return lambda store: Faulty(store, **faults)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "_RESCUE_PAUSES_S", (0.0,))


@requirement("task.storage-fault")
@pytest.mark.parametrize("refusals", [1, 2, 5])
@pytest.mark.parametrize("begins_at", [b"task.text.delta", b"task.completed"])
async def test_a_task_whose_write_was_refused_goes_on_as_soon_as_writes_are_taken(
    begins_at: bytes, refusals: int
) -> None:
    wrap = faulty(begins_at=begins_at, refusals=refusals)
    async with serving(scripted([SO_FAR]), wrap=wrap) as service:
        task = await service.submit("1", session="s")
        waiting = await service.submit("2", session="s")
        ended = await service.ended(task)
        assert (ended["status"], text_of(ended)) == ("completed", "So far")
        assert (await service.ended(waiting))["status"] == "completed", "its session goes on"
        assert service.engine.running == 0


@requirement("task.storage-fault")
@pytest.mark.parametrize("nth", [0, 1, 2, 3])
async def test_so_does_one_of_which_any_write_is_refused(nth: int) -> None:
    async with serving(scripted([SO_FAR]), wrap=faulty(nth=nth, refusals=1)) as service:
        assert text_of(await service.run()) == "So far"


@requirement("task.storage-fault")
async def test_so_does_one_that_could_not_even_begin() -> None:
    gate = anyio.Event()
    model = scripted([[Gate(gate)], says("x")])
    # The first append is the end of the task before it.
    async with serving(model, wrap=faulty(nth=1, refusals=1)) as service:
        with anyio.fail_after(10):
            first = await service.submit(session="s")
            second = await service.submit(session="s")
            assert second.status is Status.QUEUED
            gate.set()
            await service.ended(first)
            assert text_of(await service.ended(second)) == "x"


@requirement("task.storage-fault")
async def test_a_task_that_the_database_never_takes_fails_after_three_attempts() -> None:
    def wrap(store: Store) -> Any:
        return Picky(store, begins_at=b"far", refusals=0)

    model = scripted([SO_FAR])
    async with serving(model, wrap=wrap) as service:
        ended = await service.run()
        assert ended["status"] == "failed"
        assert ended["error"]["data"] == {"reason": "storage", "retryable": True}
        assert len(model.calls) == 3
        assert (await service.run(spec=replace(SPEC, model="scripted/echo")))[
            "status"
        ] == "completed"


@requirement("task.storage-fault")
async def test_a_reader_never_sees_what_was_refused() -> None:
    gate = anyio.Event()
    model = scripted([[Text("So "), Gate(gate), Text("far")], says("again")])
    async with serving(model, wrap=faulty(begins_at=b"far", refusals=3)) as service:
        task = await service.submit()
        await service.wait_for(task, "task.text.delta")
        got: list[Any] = []

        async def read() -> None:
            got.extend(await collect(service.reader, task.pk))

        async with anyio.create_task_group() as group:
            group.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            gate.set()
        first, second = validated(got)["output"]
        assert (first["status"], first["message_content"][0]["text"]) == ("incomplete", "So ")
        assert (second["attempt"], second["supersedes"]) == (2, first["id"])
