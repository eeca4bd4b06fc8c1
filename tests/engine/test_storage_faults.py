"""A database that goes on refusing writes for a while: no task hangs, each is ended after it."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from agentlin_server.domain.errors import StorageError
from agentlin_server.domain.ports import Commit, Store
from agentlin_server.engine import engine
from agentlin_server.models.script import Gate, Text
from tests.engine.harness import says, scripted, serving
from tests.engine.streams import collect, validated
from tests.requirements import requirement

pytestmark = pytest.mark.anyio


class Faulty:
    """A store that refuses as many appends as it is told to, from a kind of event on."""

    def __init__(self, store: Store, *, begins_at: bytes, refusals: int) -> None:
        self._store = store
        self._begins_at = begins_at
        self.left = refusals
        self._is_faulty = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def append(self, commit: Commit, *, on_commit: Callable[[], None]) -> None:
        self._is_faulty = self._is_faulty or self._begins_at in commit.events
        if self._is_faulty and self.left > 0:
            self.left -= 1
            raise StorageError("disk full")
        await self._store.append(commit, on_commit=on_commit)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_RESCUE_PAUSES_S", (0.0,))


@requirement("task.storage-fault")
@pytest.mark.parametrize("refusals", [1, 2, 5])
@pytest.mark.parametrize("begins_at", [b"task.text.delta", b"task.completed"])
async def test_a_task_whose_write_was_refused_fails_as_soon_as_writes_are_taken(
    begins_at: bytes, refusals: int
) -> None:
    def wrap(store: Store) -> Any:
        return Faulty(store, begins_at=begins_at, refusals=refusals)

    model = scripted([[Text("So "), Text("far")], says("next")])
    async with serving(model, wrap=wrap) as service:
        task = await service.submit("1", session="s")
        waiting = await service.submit("2", session="s")
        ended = await service.ended(task)
        assert ended["status"] == "failed"
        assert ended["error"]["data"] == {"reason": "storage", "retryable": True}
        assert {item["status"] for item in ended["output"]} <= {"incomplete"}
        assert (await service.ended(waiting))["status"] == "completed", "its session goes on"
        assert service.engine.running == 0


@requirement("task.storage-fault")
async def test_a_reader_that_looks_on_sees_the_end_of_a_task_that_could_not_write() -> None:
    def wrap(store: Store) -> Any:
        return Faulty(store, begins_at=b"far", refusals=3)

    gate = anyio.Event()
    async with serving(scripted([[Text("So "), Gate(gate), Text("far")]]), wrap=wrap) as service:
        task = await service.submit()
        await service.wait_for(task, "task.text.delta")
        got: list[Any] = []

        async def read() -> None:
            got.extend(await collect(service.reader, task.pk))

        async with anyio.create_task_group() as group:
            group.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            gate.set()
        text = validated(got)["output"][0]["message_content"][0]["text"]
        assert text == "So ", "what was refused was shown to nobody"
