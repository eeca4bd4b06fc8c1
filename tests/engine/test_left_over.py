"""What could not be done at once is done later, by the same process: nothing stays stuck."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from agentlin_server.domain.errors import StorageError, TaskNotFoundError
from agentlin_server.domain.ids import TaskPk
from agentlin_server.domain.ports import Store
from agentlin_server.domain.records import Commit, IntentKind, OnBusy
from agentlin_server.domain.status import Signal, Status
from agentlin_server.domain.tool import Effect
from agentlin_server.engine import recovery, run
from agentlin_server.engine.limits import EngineLimits
from agentlin_server.models.script import Answer, Gate, Text, ToolCall
from tests.engine.harness import (
    Clock,
    Service,
    results_of,
    says,
    scripted,
    serving,
    text_of,
    with_tools,
)
from tests.engine.tools import NotingTool
from tests.requirements import requirement

pytestmark = pytest.mark.anyio
ASK = with_tools(client=["ask"])
ASKING = [ToolCall("ask", "{}", "call_1")]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "_RESCUE_PAUSES_S", (0.0,))
    monkeypatch.setattr(recovery, "_LOOK_EVERY_S", 0.01)


class Refusing:
    """A store that refuses some calls: those that `refuses` says yes to."""

    def __init__(self, store: Store, refuses: Callable[[str, tuple[Any, ...]], bool]) -> None:
        self._store = store
        self._refuses = refuses

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            if self._refuses(name, args):
                raise StorageError("disk full")
            return await method(*args, **kwargs)

        return call


def refusing_appends(status: Status, times: int) -> Callable[[Store], Any]:
    """Refuse the first appends that bring a status."""
    left = times

    def refuses(name: str, args: tuple[Any, ...]) -> bool:
        nonlocal left
        if name != "append" or not isinstance(args[0], Commit) or args[0].status is not status:
            return False
        left -= 1
        return left >= 0

    return lambda store: Refusing(store, refuses)


def refusing_first(method: str, times: int = 1) -> Callable[[Store], Any]:
    """Refuse the first calls of a method."""
    left = times

    def refuses(name: str, _: tuple[Any, ...]) -> bool:
        nonlocal left
        if name != method:
            return False
        left -= 1
        return left >= 0

    return lambda store: Refusing(store, refuses)


async def gone(service: Service, pk: TaskPk) -> None:
    with anyio.fail_after(5):
        while await service.store.get_by_pk(pk) is not None:
            await anyio.lowlevel.checkpoint()


@requirement("intents.done")
async def test_a_cancel_that_the_database_refused_is_done_later() -> None:
    model = scripted([[Text("x"), Gate(anyio.Event())], says("next")])
    wrap = refusing_appends(Status.CANCELED, 2)
    async with serving(model, wrap=wrap) as service:
        task = await service.submit(session="s")
        following = await service.submit(session="s")
        await service.wait_for(task, "task.text.delta")
        with pytest.raises(StorageError):
            await service.engine.cancel(await service.row(task), actor="ann")
        assert (await service.ended(task))["status"] == "canceled"
        assert text_of(await service.ended(following)) == "next"


@requirement("intents.done", "session.on-busy")
@pytest.mark.parametrize("on_busy", [OnBusy.DEFAULT, OnBusy.INTERRUPT])
async def test_a_task_whose_predecessor_could_not_be_canceled_at_once_runs_all_the_same(
    on_busy: OnBusy,
) -> None:
    wrap = refusing_appends(Status.CANCELED, 1)
    async with serving(scripted([ASKING, says("next")]), wrap=wrap) as service:
        task = await service.submit(spec=ASK, session="s")
        await service.wait_for(task, "task.input_required")
        following = await service.submit("else", session="s", on_busy=on_busy)
        assert (await service.ended(task))["status"] == "canceled"
        assert text_of(await service.ended(following)) == "next"


@requirement("intents.done")
async def test_a_delete_that_was_cut_short_is_done_later() -> None:
    async with serving(scripted([ASKING]), wrap=refusing_first("delete")) as service:
        task = await service.submit(spec=ASK)
        await service.wait_for(task, "task.input_required")
        with pytest.raises(StorageError):
            await service.engine.delete(await service.row(task), actor="ann")
        await gone(service, task.pk)


@requirement("intents.done")
async def test_a_resume_that_was_recorded_elsewhere_is_done() -> None:
    tool = NotingTool(gate=(gate := anyio.Event()))
    model = scripted([[ToolCall("note", "{}", "call_1")], says("on")])
    async with serving(model, tools=[tool]) as service:
        task = await service.submit(spec=with_tools(tool))
        with anyio.fail_after(5):
            await tool.started.wait()
        await service.engine.pause(await service.row(task), actor="ann")
        gate.set()
        await service.wait_for(task, "task.paused")
        await service.store.request(task.pk, IntentKind.RESUME, actor="elsewhere", at=0.0)
        assert text_of(await service.ended(task)) == "on"


@requirement("task.restart", "task.storage-fault")
@pytest.mark.parametrize("method", ["append", "claim", "pending", "claim_next", "due", "repair"])
async def test_a_database_that_hiccups_at_the_start_costs_nothing(
    tmp_path: Path, method: str
) -> None:
    path = tmp_path / "tasks.db"
    async with serving(scripted([[Text("x"), Gate(anyio.Event())]]), path=path) as service:
        task = await service.submit(session="s")
        following = await service.submit(session="s")
        await service.wait_for(task, "task.text.delta")
    model = scripted([says("one"), says("two")])
    async with serving(model, path=path, wrap=refusing_first(method, 3)) as service:
        assert text_of(await service.ended(task)) == "one"
        assert text_of(await service.ended(following)) == "two"


@requirement("task.storage-fault")
async def test_a_last_write_that_takes_too_long_loses_no_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run, "_LAST_WRITE_MAX_S", 0.01)
    is_slow = True

    class Slow:
        def __init__(self, store: Store) -> None:
            self._store = store

        def __getattr__(self, name: str) -> Any:
            return getattr(self._store, name)

        async def append(self, commit: Commit, *, on_commit: Callable[[], None]) -> None:
            nonlocal is_slow
            if commit.status is Status.COMPLETED and is_slow:
                is_slow = False
                await anyio.sleep_forever()
            await self._store.append(commit, on_commit=on_commit)

    model = scripted([Answer([Text("x")], repeat=True)])
    async with serving(model, wrap=Slow) as service:  # pyright: ignore[reportArgumentType]
        assert text_of(await service.run()) == "x"


@requirement("task.expire")
async def test_a_task_that_got_more_time_in_between_keeps_its_runner() -> None:
    clock = Clock()
    gate = anyio.Event()
    async with serving(scripted([[Text("x"), Gate(gate)]]), clock=clock) as service:
        task = await service.submit(timeout_s=60.0)
        await service.wait_for(task, "task.text.delta")
        await service.engine._control.expire(task.pk)
        gate.set()
        assert (await service.ended(task))["status"] == "completed"


@requirement("task.expire")
async def test_a_runner_that_was_fenced_off_for_nothing_is_replaced() -> None:
    looks = 0
    model = scripted([[Text("x"), Gate(anyio.Event())], says("again")])
    async with serving(model) as service:
        task = await service.submit()
        await service.wait_for(task, "task.text.delta")

        def changes_its_mind(_: Any) -> Any:
            nonlocal looks
            looks += 1
            return service.engine._control._expired(task) if looks == 1 else None

        await service.engine._recovery.takeover.end(task.pk, Signal.EXPIRE, changes_its_mind)
        service.engine._dispatcher.wake()
        assert text_of(await service.ended(task)) == "again"


@requirement("task.expire.clock-set")
@pytest.mark.parametrize("by_s", [3_600.0, -3_600.0])
async def test_a_clock_that_is_set_gives_and_takes_no_time_of_a_task_that_runs(
    by_s: float,
) -> None:
    clock = Clock()
    offset = clock.now
    gate = anyio.Event()

    def elapsed() -> float:
        return clock.now - offset

    async with serving(scripted([[Gate(gate), *ASKING]]), clock=clock, elapsed=elapsed) as service:
        task = await service.submit(spec=ASK, timeout_s=600.0)
        await service.wait_for(task, "task.tools_updated")
        clock.now += by_s
        offset += by_s
        await service.engine._deadlines.look()
        gate.set()
        await service.wait_for(task, "task.input_required")
        left = (await service.row(task)).clock.time_left_s
        assert left == pytest.approx(600, abs=1)


@requirement("tool.unsafe-once")
async def test_a_tool_that_is_gone_after_the_crash_is_still_said_to_be_interrupted(
    tmp_path: Path,
) -> None:
    path = tmp_path / "tasks.db"
    tool = NotingTool("pay", gate=anyio.Event())
    call = ToolCall("pay", "{}", "call_1")
    async with serving(scripted([[call]]), path=path, tools=[tool]) as service:
        task = await service.submit(spec=with_tools(tool))
        with anyio.fail_after(5):
            await tool.started.wait()
    async with serving(scripted([says("Oh")]), path=path) as service:
        ended = await service.ended(task)
    assert "unknown" in results_of(ended)["call_1"][0]


@requirement("tool.unsafe-once")
async def test_calls_that_had_not_started_are_run_after_the_crash(tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"
    gate = anyio.Event()
    tool = NotingTool(gate=gate)
    calls = [ToolCall("note", "{}", f"call_{n}") for n in range(5)]
    limits = EngineLimits(tools_at_once_max=2)
    async with serving(scripted([calls]), path=path, tools=[tool], limits=limits) as service:
        task = await service.submit(spec=with_tools(tool))
        with anyio.fail_after(5):
            while len(tool.begun) < 2:
                await anyio.lowlevel.checkpoint()
    gate.set()
    async with serving(scripted([says("Done")]), path=path, tools=[tool], limits=limits) as service:
        ended = await service.ended(task)
    assert sorted(one.call_id for one in tool.begun) == [f"call_{n}" for n in range(5)]
    said = [texts[0] for _, texts in sorted(results_of(ended).items())]
    assert ["unknown" in text for text in said] == [True, True, False, False, False]


@requirement("task.usage")
async def test_a_call_that_was_cut_off_by_a_crash_is_counted_and_estimated(tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"
    steps = [Text("x" * 4_000), Gate(anyio.Event())]
    async with serving(scripted([steps]), path=path) as service:
        task = await service.submit()
        await service.wait_for(task, "task.text.delta")
    async with serving(scripted([says("ok")]), path=path) as service:
        usage = (await service.ended(task))["usage"]
    assert (usage["model_calls"], usage["estimated"]) == (2, True)
    assert usage["output_tokens"] > 1_000


async def test_a_damaged_task_can_be_deleted(tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"
    async with serving(scripted([[Gate(anyio.Event())]]), path=path) as service:
        damaged = await service.submit(session="s")
        following = await service.submit(session="s")
        await service.store._write(  # pyright: ignore[reportAttributeAccessIssue]
            lambda db: db.execute(
                "UPDATE journal SET events = CAST('{' AS BLOB) WHERE task_pk = ?", (damaged.pk,)
            )
        )
    async with serving(scripted([says("next")]), path=path) as service:
        await service.engine.delete(await service.row(damaged), actor="ann")
        assert await service.store.get_by_pk(damaged.pk) is None
        with pytest.raises(TaskNotFoundError):
            await service.engine.delete(damaged, actor="ann")
        assert text_of(await service.ended(following)) == "next"


async def test_read_only_tools_that_are_many_all_run(tmp_path: Path) -> None:
    tool = NotingTool(effect=Effect.READ)
    calls = [ToolCall("note", "{}", f"call_{n}") for n in range(50)]
    async with serving(scripted([calls, says("Done")]), tools=[tool]) as service:
        ended = await service.run(spec=with_tools(tool))
    assert len(results_of(ended)) == len(tool.begun) == 50
