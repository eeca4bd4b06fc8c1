"""Retention: what has ended is compressed, and removed if that is wanted; all else stays."""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import anyio
import pytest

from agentlin_server.domain.errors import IdempotencyConflictError, StorageError
from agentlin_server.domain.ids import TaskPk
from agentlin_server.domain.ports import Store
from agentlin_server.domain.status import Status
from agentlin_server.engine import retention
from agentlin_server.engine.hub import Hub
from agentlin_server.engine.limits import EngineLimits
from agentlin_server.engine.reader import TaskReader
from agentlin_server.engine.retention import Retention
from agentlin_server.store.sqlite import SqliteStore
from tests.requirements import requirement
from tests.store.rows import Writer, event, log_of, new_task, started

pytestmark = pytest.mark.anyio

NOW = 10_000.0
LIMITS = EngineLimits(seal_after_s=60.0, keep_s=1_000.0, reserved_s=500.0)


@pytest.fixture
async def store() -> AsyncGenerator[SqliteStore]:
    opened = await SqliteStore.open(":memory:")
    yield opened
    await opened.close()


def made(store: Store, limits: EngineLimits = LIMITS, hub: Hub | None = None) -> Retention:
    return Retention(store=store, hub=hub or Hub(), clock=lambda: NOW, limits=limits)


async def ended(store: Store, name: str, *, age_s: float) -> Writer:
    """Make a task that ended some seconds ago, after a few rows of deltas."""
    one = await started(store, name)
    for _ in range(4):
        await one.append_deltas(2)
    await one.append(
        event("task.completed", one.seq), status=Status.COMPLETED, barrier=True, at=NOW - age_s
    )
    return one


async def rows_of(store: Store, pk: TaskPk) -> int:
    return len(await store.read(pk, after_seq=-1, bytes_max=2**40))


async def names(store: Store, *pks: TaskPk) -> list[str]:
    rows = [await store.get_by_pk(pk) for pk in pks]
    return [row.id for row in rows if row is not None]


@requirement("journal.sealed")
async def test_a_task_is_sealed_a_while_after_its_end_and_says_what_it_said(
    store: SqliteStore,
) -> None:
    young, old = await ended(store, "young", age_s=59), await ended(store, "old", age_s=61)
    running = await started(store, "running")
    await running.append_deltas()
    await running.append_deltas()
    lines = await log_of(store, old.pk)
    assert await made(store).seal() == 1
    assert [await rows_of(store, one.pk) for one in (young, old, running)] == [6, 3, 3]
    assert await log_of(store, old.pk) == lines


@requirement("journal.retention")
async def test_a_task_is_removed_when_it_is_old_and_its_id_stays_reserved(
    store: SqliteStore,
) -> None:
    young, old = await ended(store, "young", age_s=999), await ended(store, "old", age_s=1_001)
    waiting = (await store.create(new_task("waiting", may_start=False, at=0.0))).task
    assert await made(store).remove() == 1
    assert await names(store, young.pk, old.pk, waiting.pk) == ["young", "waiting"]
    with pytest.raises(IdempotencyConflictError, match="deleted"):
        await store.create(new_task("old", at=NOW + LIMITS.reserved_s - 1))
    assert (await store.create(new_task("old", at=NOW + LIMITS.reserved_s))).is_new


@requirement("journal.retention")
async def test_a_clock_that_is_set_forward_makes_no_task_old(store: SqliteStore) -> None:
    task = await ended(store, "task", age_s=900)
    wall_s, passed_s = NOW, 5.0
    keeper = Retention(
        store=store, hub=Hub(), clock=lambda: wall_s, limits=LIMITS, elapsed=lambda: passed_s
    )
    wall_s += 365 * 86_400.0
    passed_s += 99
    assert await keeper.remove() == 0
    passed_s += 2
    assert await keeper.remove() == 1
    assert await names(store, task.pk) == []


@requirement("journal.retention")
async def test_by_default_everything_is_kept(store: SqliteStore) -> None:
    old = await ended(store, "old", age_s=9_000)
    assert await made(store, EngineLimits()).remove() == 0
    assert await names(store, old.pk) == ["old"]


@requirement("journal.retention")
async def test_whoever_reads_a_task_that_is_removed_is_told(store: SqliteStore) -> None:
    old, hub = await ended(store, "old", age_s=5_000), Hub()
    reader = TaskReader(store, hub)
    with hub.tail(old.pk) as tail, anyio.fail_after(5):
        await made(store, hub=hub).remove()
        assert tail.is_closed
        batches = reader.follow(old.pk, after_seq=-1, until_final=True, idle_s=60)
        assert [batch async for batch in batches] == []


async def test_more_tasks_than_a_batch_are_done_in_one_round(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_BATCH", 2)
    pks = [(await ended(store, f"t{n}", age_s=900 + 40 * n)).pk for n in range(7)]
    assert await made(store).seal() == 7
    assert await made(store).remove() == 4
    assert await names(store, *pks) == ["t0", "t1", "t2"]


class Failing:
    """A store that refuses some calls, and tells of every call."""

    def __init__(self, store: Store, refused: int) -> None:
        self._store = store
        self._refused = refused
        self.calls = list[str]()
        self.came = anyio.Event()

    def __getattr__(self, name: str) -> Any:
        call: Callable[..., Awaitable[Any]] = getattr(self._store, name)

        async def tell(*args: Any, **options: Any) -> Any:
            self.calls.append(name)
            self.came.set()
            self.came = anyio.Event()
            if name in {"seal", "finished"} and self._refused > 0:
                self._refused -= 1
                raise StorageError("the disk is full")
            return await call(*args, **options)

        return tell


@requirement("journal.retention")
async def test_a_round_that_fails_is_logged_and_the_next_does_it(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(retention, "_EVERY_S", 0.01)
    old, newer = await ended(store, "old", age_s=5_000), await ended(store, "newer", age_s=100)
    failing = Failing(store, refused=2)
    with caplog.at_level(logging.ERROR), anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(made(failing).serve)  # pyright: ignore[reportArgumentType]
            while await names(store, old.pk) or await rows_of(store, newer.pk) != 3:
                await failing.came.wait()
            group.cancel_scope.cancel()
    assert failing.calls[:2] == ["finished", "seal"], "one that fails does not stop the other"
    messages = [record.getMessage() for record in caplog.records]
    assert messages == [
        "finished tasks can't be removed; trying again",
        "finished tasks can't be compressed; trying again",
    ]


async def test_a_round_comes_at_once_and_then_it_rests(store: SqliteStore) -> None:
    failing = Failing(store, refused=0)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(made(failing).serve)  # pyright: ignore[reportArgumentType]
            while "seal" not in failing.calls:
                await failing.came.wait()
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
    assert failing.calls == ["finished", "seal"]
