"""Delete: everything goes, whoever looks on is told."""

from typing import Any

import anyio
import pytest

from agentlin_server.domain.errors import TaskNotFoundError
from agentlin_server.domain.ports import Store
from agentlin_server.domain.records import Segment, TaskRow
from agentlin_server.domain.status import Status
from agentlin_server.models.script import Gate, Text
from tests.engine.harness import says, scripted, serving
from tests.engine.streams import Batch, collect, lines_of, types_of
from tests.requirements import requirement

pytestmark = pytest.mark.anyio


@requirement("task.delete")
async def test_deleting_a_running_task_cancels_it_and_its_readers_are_told() -> None:
    model = scripted([[Text("So far"), Gate(anyio.Event())]])
    async with serving(model) as service:
        task = await service.submit()
        await service.wait_for(task, "task.text.delta")
        got: list[Batch] = []
        snapshot: dict[str, Any] = {}

        async def read() -> None:
            batches = service.reader.follow(task.pk, after_seq=-1, until_final=True, idle_s=60)
            got.extend([batch async for batch in batches])

        with anyio.fail_after(5):
            async with anyio.create_task_group() as group:
                group.start_soon(read)
                await anyio.wait_all_tasks_blocked()
                snapshot = await service.engine.delete(task, actor="ann")
        assert types_of(got)[-1] == "task.canceled"
        assert snapshot["status"] == "canceled"
        assert snapshot["output"][0]["status"] == "incomplete"
        assert await service.store.get_by_pk(task.pk) is None
        assert model.calls[0].outcome == "closed_early"


@requirement("task.delete")
async def test_deleting_a_final_task_answers_its_last_snapshot() -> None:
    async with serving(scripted([says("x")])) as service:
        task = await service.submit()
        ended = await service.ended(task)
        assert await service.engine.delete(await service.row(task), actor="ann") == ended
        with pytest.raises(TaskNotFoundError):
            await service.reader.snapshot(task)
        with pytest.raises(TaskNotFoundError):
            await service.engine.delete(task, actor="ann")


@requirement("task.delete")
async def test_a_reader_of_a_task_that_is_gone_ends() -> None:
    async with serving(scripted([says("x")])) as service:
        task = await service.submit()
        await service.ended(task)
        await service.store.delete(task.pk, reserved_until=2e9)
        with anyio.fail_after(5):
            batches = service.reader.follow(task.pk, after_seq=-1, until_final=True, idle_s=60)
            assert [batch async for batch in batches] == []


class DeletesWhileRead:
    """A store that loses a task just after its segments were read."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.victim: TaskRow | None = None
        self.after_row = False

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def _strike(self) -> None:
        if self.victim is not None:
            victim, self.victim = self.victim, None
            await self._store.delete(victim.pk, reserved_until=2e9)

    async def read(
        self, pk: int, *, after_seq: int, after_rev: int = 0, bytes_max: int
    ) -> list[Segment]:
        found = await self._store.read(
            pk,  # pyright: ignore[reportArgumentType]
            after_seq=after_seq,
            after_rev=after_rev,
            bytes_max=bytes_max,
        )
        if not self.after_row:
            await self._strike()
        return list(found)

    async def get_by_pk(self, pk: int) -> TaskRow | None:
        row = await self._store.get_by_pk(pk)  # pyright: ignore[reportArgumentType]
        if self.after_row:
            await self._strike()
        return row


@requirement("task.delete")
@pytest.mark.parametrize("after_row", [False, True])
async def test_a_task_that_is_deleted_while_it_is_read_ends_its_reader_without_error(
    *, after_row: bool
) -> None:
    made: list[DeletesWhileRead] = []

    def wrap(store: Store) -> Store:
        made.append(DeletesWhileRead(store))
        return made[0]  # pyright: ignore[reportReturnType]

    async with serving(scripted([says("x")]), wrap=wrap) as service:
        task = await service.submit()
        await service.ended(task)
        made[0].victim, made[0].after_row = task, after_row
        with anyio.fail_after(5):
            batches = service.reader.follow(task.pk, after_seq=-1, until_final=True, idle_s=60)
            got = [batch async for batch in batches]
        assert lines_of(got) == [], "an event without its snapshot is none that was ever sent"


@requirement("task.delete.context")
async def test_a_turn_that_is_deleted_while_the_next_task_begins_is_left_out() -> None:
    async with serving(scripted([says("a"), says("b")])) as service:
        first = await service.submit("1", session="s")
        await service.ended(first)
        store = service.store
        session_tasks = store.session_tasks

        async def then_delete(*args: object, **options: object) -> object:
            found = await session_tasks(*args, **options)  # pyright: ignore[reportArgumentType]
            await store.delete(first.pk, reserved_until=2e9)
            return found

        store.session_tasks = then_delete  # pyright: ignore[reportAttributeAccessIssue]
        second = await service.submit("2", session="s")
        batches = await collect(service.reader, second.pk)
        assert types_of(batches)[-1] == "task.completed"


async def test_deleting_a_waiting_task_lets_the_session_go_on() -> None:
    gate = anyio.Event()
    model = scripted([[Gate(gate)], says("third")])
    async with serving(model) as service:
        tasks = [await service.submit(str(n), session="s") for n in range(3)]
        await service.engine.delete(tasks[1], actor="ann")
        gate.set()
        assert (await service.ended(tasks[2]))["status"] == "completed"
        assert (await service.row(tasks[0])).status is Status.COMPLETED
