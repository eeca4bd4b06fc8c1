"""What every dispatcher must do: one suite, run against each of them.

Rows decide what may run; a dispatcher that passes this runs each runnable task once, never too
many at once, and finds what lost its wake. The next dispatcher adds itself to `KINDS`.
"""

from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
import pytest

from agentlin_server.domain.ids import SessionId, TaskPk, UserId
from agentlin_server.domain.ports import Store
from agentlin_server.domain.records import Claimed
from agentlin_server.domain.status import Status
from agentlin_server.engine.dispatcher import Dispatcher, Run
from agentlin_server.engine.local import LocalDispatcher
from agentlin_server.store.sqlite import SqliteStore
from tests.requirements import requirement
from tests.store.rows import Writer, event, new_task

pytestmark = pytest.mark.anyio
OWNER: Final = "worker_1"
Work = Callable[[TaskPk], Awaitable[None]]


def local(store: Store, running_max: int, prepare: Callable[[Claimed], Run]) -> Dispatcher:
    return LocalDispatcher(
        store=store, owner=OWNER, running_max=running_max, prepare=prepare, sweep_s=0.01
    )


KINDS: Final[Mapping[str, Callable[[Store, int, Callable[[Claimed], Run]], Dispatcher]]] = {
    "local": local
}


@dataclass
class Bench:
    """A dispatcher at work: it runs each task by `work`, then ends it."""

    store: Store
    dispatcher: Dispatcher
    begun: list[TaskPk] = field(default_factory=list)
    peak: int = 0
    running: int = 0

    async def wait_ended(self, *pks: TaskPk) -> None:
        """Wait until the tasks are final."""
        with anyio.fail_after(10):
            for pk in pks:
                while (row := await self.store.get_by_pk(pk)) and row.status != Status.COMPLETED:
                    await anyio.lowlevel.checkpoint()

    async def queue(self, name: str, **changes: Any) -> TaskPk:
        """Create a task that waits, without a wake."""
        return (await self.store.create(new_task(name, may_start=False, **changes))).task.pk


@asynccontextmanager
async def at_work(
    kind: str, work: Work, *, running_max: int = 2, store: Store | None = None
) -> AsyncGenerator[Bench]:
    opened = store or await SqliteStore.open(":memory:")
    bench: Bench

    def prepare(claimed: Claimed) -> Run:
        async def run() -> None:
            task = claimed.task
            bench.begun.append(task.pk)
            bench.running += 1
            bench.peak = max(bench.peak, bench.running)
            try:
                await work(task.pk)
                writer = Writer(
                    opened,
                    task.pk,
                    generation=task.generation,
                    rev=claimed.last_rev,
                    seq=claimed.next_seq,
                )
                await writer.append(event("task.working", writer.seq), status=Status.WORKING)
                await writer.end(Status.COMPLETED)
            finally:
                bench.running -= 1

        return run

    bench = Bench(opened, KINDS[kind](opened, running_max, prepare))
    async with anyio.create_task_group() as group:
        with anyio.fail_after(5):
            await group.start(_serve, bench.dispatcher)
        yield bench
        group.cancel_scope.cancel()
    if store is None:
        await opened.close()


async def _serve(dispatcher: Dispatcher, *, task_status: anyio.abc.TaskStatus[None]) -> None:
    await dispatcher.serve(task_status=task_status)


async def nothing(_: TaskPk) -> None:
    """Work that takes no time."""


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@requirement("dispatch.once")
async def test_every_runnable_task_is_run_once(kind: str) -> None:
    async with at_work(kind, nothing, running_max=3) as bench:
        pks = [await bench.queue(f"t{n}") for n in range(30)]
        bench.dispatcher.wake()
        await bench.wait_ended(*pks)
        assert Counter(bench.begun) == Counter(pks)


@requirement("dispatch.bounded")
async def test_never_more_than_its_capacity_run_at_once(kind: str) -> None:
    gate = anyio.Event()

    async def work(_: TaskPk) -> None:
        await gate.wait()

    async with at_work(kind, work, running_max=2) as bench:
        pks = [await bench.queue(f"t{n}") for n in range(6)]
        bench.dispatcher.wake()
        with anyio.fail_after(5):
            while len(bench.begun) < 2:
                await anyio.lowlevel.checkpoint()
        assert not bench.dispatcher.reserve_nowait(), "all slots are taken"
        gate.set()
        await bench.wait_ended(*pks)
        assert bench.peak == 2


@requirement("dispatch.once")
async def test_a_task_whose_wake_was_lost_is_found(kind: str) -> None:
    async with at_work(kind, nothing) as bench:
        pk = await bench.queue("t")  # nobody says so
        await bench.wait_ended(pk)


@requirement("dispatch.once")
async def test_what_waited_before_it_served_is_run(kind: str) -> None:
    store = await SqliteStore.open(":memory:")
    pk = (await store.create(new_task("t", may_start=False))).task.pk
    async with at_work(kind, nothing, store=store) as bench:
        await bench.wait_ended(pk)
    await store.close()


@requirement("session.order")
async def test_tasks_of_a_session_are_run_one_after_the_other(kind: str) -> None:
    async with at_work(kind, nothing, running_max=5) as bench:
        session = SessionId("s")
        pks = [await bench.queue(f"t{n}", session_id=session) for n in range(8)]
        bench.dispatcher.wake()
        await bench.wait_ended(*pks)
        assert (bench.begun, bench.peak) == (pks, 1)


@requirement("dispatch.fair")
async def test_a_users_many_tasks_do_not_starve_anothers_one(kind: str) -> None:
    gate = anyio.Event()

    async def work(_: TaskPk) -> None:
        await gate.wait()

    async with at_work(kind, work, running_max=1) as bench:
        many = [await bench.queue(f"t{n}", user_id=UserId("ann")) for n in range(50)]
        bench.dispatcher.wake()
        with anyio.fail_after(5):
            while not bench.begun:
                await anyio.lowlevel.checkpoint()
        one = await bench.queue("other", user_id=UserId("bob"))
        gate.set()
        await bench.wait_ended(*many, one)
        assert bench.begun.index(one) <= 2


@requirement("dispatch.once")
async def test_a_run_that_raises_ends_no_other_and_gives_its_slot_back(kind: str) -> None:
    async def work(pk: TaskPk) -> None:
        if pk == 1:
            raise RuntimeError("a bug")

    async with at_work(kind, work, running_max=1) as bench:
        pks = [await bench.queue(f"t{n}") for n in range(3)]
        assert pks[0] == 1
        bench.dispatcher.wake()
        await bench.wait_ended(*pks[1:])
        with anyio.fail_after(5):
            await bench.dispatcher.wait_idle()


@requirement("server.drain")
async def test_one_that_stopped_claiming_begins_nothing_and_ends_what_runs(kind: str) -> None:
    gate = anyio.Event()

    async def work(_: TaskPk) -> None:
        await gate.wait()

    async with at_work(kind, work, running_max=1) as bench:
        first, second = await bench.queue("t1"), await bench.queue("t2")
        bench.dispatcher.wake()
        with anyio.fail_after(5):
            while not bench.begun:
                await anyio.lowlevel.checkpoint()
            bench.dispatcher.stop_claiming()
            gate.set()
            await bench.dispatcher.wait_idle()
        await bench.wait_ended(first)
        assert bench.begun == [first]
        row = await bench.store.get_by_pk(second)
        assert row is not None
        assert row.status is Status.QUEUED


@requirement("dispatch.bounded")
async def test_a_reserved_slot_is_kept_free_until_it_is_given_back(kind: str) -> None:
    async with at_work(kind, nothing, running_max=1) as bench:
        assert bench.dispatcher.reserve_nowait()
        pk = await bench.queue("t")
        bench.dispatcher.wake()
        await anyio.wait_all_tasks_blocked()
        assert not bench.begun
        bench.dispatcher.release()
        await bench.wait_ended(pk)


@requirement("dispatch.fair")
async def test_a_new_task_overtakes_nobody_who_waits_for_a_worker(kind: str) -> None:
    async with at_work(kind, nothing, running_max=1) as bench:
        assert bench.dispatcher.reserve_nowait()
        pks = [await bench.queue(f"t{n}") for n in range(2)]
        bench.dispatcher.wake()
        await anyio.wait_all_tasks_blocked()
        await bench.store.purge(at=0.0)  # writes are in order: by now it has looked
        bench.dispatcher.release()
        assert not bench.dispatcher.reserve_nowait(), "the slot is for those who wait"
        await bench.wait_ended(*pks)
        with anyio.fail_after(5):
            while not bench.dispatcher.reserve_nowait():
                await anyio.lowlevel.checkpoint()


async def test_no_run_outlives_it(kind: str) -> None:
    stopped: list[TaskPk] = []

    async def work(pk: TaskPk) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            stopped.append(pk)

    async with at_work(kind, work) as bench:
        pk = await bench.queue("t")
        bench.dispatcher.wake()
        with anyio.fail_after(5):
            while not bench.begun:
                await anyio.lowlevel.checkpoint()
    assert stopped == [pk]
    assert bench.running == 0
