"""The database refuses a write (full disk, a lock that lasts): the task ends all the same."""

from collections.abc import Callable
from typing import Any, cast

import anyio
import pytest

from agentlin_server.domain.errors import StorageError
from agentlin_server.domain.ports import Commit, Segment, Store
from agentlin_server.domain.status import Status
from agentlin_server.models.script import Gate, Text
from tests.engine.harness import says, scripted, serving
from tests.engine.streams import collect, types_of

pytestmark = pytest.mark.anyio


class Refusing:
    """A store that refuses the n-th append, once."""

    def __init__(self, store: Store, nth: int) -> None:
        self._store = store
        self._left = nth

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def append(self, commit: Commit, *, on_commit: Callable[[], None]) -> None:
        self._left -= 1
        if self._left == 0:
            raise StorageError("the disk is full")
        await self._store.append(commit, on_commit=on_commit)


@pytest.mark.parametrize("nth", [1, 2, 3])
async def test_a_task_whose_write_is_refused_fails_and_its_session_goes_on(nth: int) -> None:
    def refusing(store: Store) -> Store:
        return cast("Store", Refusing(store, nth))

    async with serving(scripted([says("a", "b", "c"), says("next")]), wrap=refusing) as service:
        with anyio.fail_after(10):
            broken = await service.ended(await service.submit(session="s"))
            following = await service.ended(await service.submit(session="s"))
        assert broken["status"] == "failed"
        assert broken["error"]["data"] == {"reason": "storage", "retryable": True}
        assert following["status"] == "completed"
        assert service.engine.running == 0


async def test_so_does_one_that_could_not_even_begin() -> None:
    gate = anyio.Event()

    def refusing(store: Store) -> Store:
        return cast("Store", Refusing(store, 2))  # the first is the end of the task before it

    model = scripted([[Gate(gate)], says("x")])
    async with serving(model, wrap=refusing) as service:
        with anyio.fail_after(10):
            first = await service.submit(session="s")
            second = await service.submit(session="s")
            assert second.status is Status.QUEUED
            gate.set()
            await service.ended(first)
            assert (await service.ended(second))["status"] == "failed"


class Overtaken:
    """A store whose reader is overtaken: all events come while it looks for the first time."""

    def __init__(self, store: Store, gate: anyio.Event) -> None:
        self._store = store
        self._gate = gate
        self.is_late = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def get_by_pk(self, pk: Any) -> Any:
        row = await self._store.get_by_pk(pk)
        if self.is_late:
            self.is_late = False
            self._gate.set()
            while (now := await self._store.get_by_pk(pk)) and now.status is not Status.COMPLETED:
                await anyio.lowlevel.checkpoint()
        return row

    async def read(self, *args: Any, **kwargs: Any) -> list[Segment]:
        return list(await self._store.read(*args, **kwargs))


async def test_a_reader_that_is_overtaken_at_its_first_look_gets_everything() -> None:
    gate = anyio.Event()
    made: list[Overtaken] = []

    def overtaken(store: Store) -> Store:
        made.append(Overtaken(store, gate))
        return cast("Store", made[0])

    async with serving(scripted([[Gate(gate), Text("x")]]), wrap=overtaken) as service:
        task = await service.submit()
        made[0].is_late = True
        with anyio.fail_after(10):
            batches = await collect(service.reader, task.pk, after=2)
        assert types_of(batches)[-1] == "task.completed"
