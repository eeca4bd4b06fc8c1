"""A reader whose task ends between its two looks at the log."""

from typing import Any, cast

import anyio
import pytest

from agentlin_server.domain.ports import Store
from agentlin_server.domain.records import Segment
from agentlin_server.domain.status import Status
from agentlin_server.models.script import Gate, Text
from tests.engine.harness import scripted, serving
from tests.engine.streams import collect, types_of

pytestmark = pytest.mark.anyio


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
