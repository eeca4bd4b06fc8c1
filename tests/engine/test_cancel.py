"""Cancel: in every phase exactly one final event, and the provider's stream is closed."""

from collections.abc import Callable
from typing import Any, cast

import anyio
import pytest

from agentlin_server.domain.errors import TaskNotCancelableError, TaskNotFoundError
from agentlin_server.domain.events import canceled as canceled_event
from agentlin_server.domain.ports import Store
from agentlin_server.domain.records import Claimed, Commit, TaskRow
from agentlin_server.domain.status import Signal, Status
from agentlin_server.engine.limits import EngineLimits
from agentlin_server.models.script import Answer, Fail, Gate, Text
from agentlin_server.models.scripted import ScriptedModel
from tests.engine.harness import Service, says, scripted, serving
from tests.engine.streams import collect, types_of
from tests.requirements import requirement

pytestmark = pytest.mark.anyio
FINAL = {"task.completed", "task.canceled", "task.failed", "task.expired"}


async def canceled(service: Service, task: TaskRow) -> dict[str, Any]:
    """Cancel a task; return it, with its whole stream checked."""
    with anyio.fail_after(5):
        row = await service.engine.cancel(task, actor="ann")
    assert row.status is Status.CANCELED
    ended = await service.ended(task)
    types = types_of(await collect(service.reader, task.pk))
    assert [one for one in types if one in FINAL] == ["task.canceled"]
    return ended


def endless() -> Gate:
    return Gate(anyio.Event())


@requirement("task.cancel.any-phase")
async def test_a_task_that_waits_is_canceled_at_once_and_never_runs() -> None:
    model = scripted([[endless()]])
    async with serving(model, limits=EngineLimits(running_max=1)) as service:
        running = await service.submit("runs")
        waiting = await service.submit("waits")
        assert waiting.status is Status.QUEUED
        ended = await canceled(service, waiting)
        assert ended["output"] == []
        await canceled(service, running)
    assert len(model.calls) == 1


@requirement("task.cancel.any-phase")
async def test_before_the_first_token_a_cancel_closes_the_providers_stream() -> None:
    model = scripted([[endless()]])
    async with serving(model) as service:
        task = await service.submit()
        await anyio.wait_all_tasks_blocked()
        ended = await canceled(service, task)
        assert ended["output"] == []
        assert [call.outcome for call in model.calls] == ["closed_early"]


@requirement("task.cancel.any-phase", "task.unfinished-call")
async def test_in_the_middle_of_an_answer_a_cancel_keeps_what_there_is_incomplete() -> None:
    model = scripted([[Text("So "), Text("far"), endless()]])
    async with serving(model) as service:
        task = await service.submit()
        await service.wait_for(task, "task.text.delta")
        await anyio.wait_all_tasks_blocked()
        ended = await canceled(service, task)
        assert [call.outcome for call in model.calls] == ["closed_early"]
    (message,) = ended["output"]
    assert message["status"] == "incomplete"
    assert message["message_content"][0]["text"] == "So far"
    assert ended["usage"]["estimated"]


@requirement("task.cancel.any-phase")
async def test_a_cancel_before_the_run_has_begun_is_applied() -> None:
    async with serving(scripted([says("never")])) as service:
        task = await service.submit()
        handle = service.engine._runs.get(task.pk)
        assert handle is not None
        handle.run.stop(
            Signal.CANCEL, canceled_event()
        )  # no await in between: the run has not begun
        ended = await service.ended(task)
        assert (ended["status"], ended["output"]) == ("canceled", [])


class Held:
    """A store whose final appends wait for a gate, before or after they are written."""

    def __init__(self, store: Store, *, is_after: bool) -> None:
        self._store = store
        self._is_after = is_after
        self.reached = anyio.Event()
        self.gate = anyio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def append(self, commit: Commit, *, on_commit: Callable[[], None]) -> None:
        if commit.status is not Status.COMPLETED:
            await self._store.append(commit, on_commit=on_commit)
            return
        if self._is_after:
            await self._store.append(commit, on_commit=on_commit)
        self.reached.set()
        await self.gate.wait()
        if not self._is_after:
            await self._store.append(commit, on_commit=on_commit)


@requirement("task.end.final", "task.cancel.repeat")
@pytest.mark.parametrize("is_after", [True, False])
async def test_a_cancel_that_races_the_completion_leaves_one_final_event(*, is_after: bool) -> None:
    held: list[Held] = []

    def hold(store: Store) -> Store:
        held.append(Held(store, is_after=is_after))
        return cast("Store", held[0])

    async with serving(scripted([says("done")]), wrap=hold) as service:
        task = await service.submit()
        outcome: list[bool] = []
        with anyio.fail_after(5):
            await held[0].reached.wait()
            async with anyio.create_task_group() as group:

                async def cancel() -> None:
                    try:
                        await service.engine.cancel(task, actor="ann")
                        outcome.append(True)
                    except TaskNotCancelableError:
                        outcome.append(False)

                handle = service.engine._runs.get(task.pk)
                assert handle is not None
                group.start_soon(cancel)
                while handle.run._stop is None:
                    await anyio.lowlevel.checkpoint()
                held[0].gate.set()
        assert outcome == [False], "the completion came first"
        ended = await service.ended(task)
        assert ended["status"] == "completed"
        types = types_of(await collect(service.reader, task.pk))
        assert [one for one in types if one in FINAL] == ["task.completed"]


@requirement("task.cancel.silent-runner")
async def test_a_runner_that_does_not_let_go_is_fenced_off() -> None:
    let_go = anyio.Event()

    async def stubborn() -> None:
        with anyio.CancelScope(shield=True):
            await let_go.wait()

    model = scripted([[Text("So far"), Gate(stubborn), Text("too late")]])
    limits = EngineLimits(cancel_grace_s=0.01)
    async with serving(model, limits=limits) as service:
        task = await service.submit()
        await service.wait_for(task, "task.text.delta")
        ended = await canceled(service, task)
        assert ended["output"][0]["status"] == "incomplete"
        assert ended["output"][0]["message_content"][0]["text"] == "So far"
        let_go.set()
        await anyio.wait_all_tasks_blocked()
        assert await service.reader.snapshot(await service.row(task)) == ended
        assert service.engine.running == 0


@requirement("task.cancel.repeat")
async def test_a_canceled_task_can_be_canceled_again_a_completed_one_not() -> None:
    async with serving(scripted([says("x"), [endless()]])) as service:
        completed = await service.submit("1")
        await service.ended(completed)
        with pytest.raises(TaskNotCancelableError, match="completed"):
            await service.engine.cancel(await service.row(completed), actor="ann")
        with pytest.raises(TaskNotCancelableError):
            await service.engine.cancel(completed, actor="ann")  # a row that is out of date
        other = await service.submit("2")
        await canceled(service, other)
        await canceled(service, other)
        await canceled(service, await service.row(other))


@requirement("task.cancel.repeat")
@pytest.mark.parametrize("is_queued", [True, False])
async def test_cancels_at_the_same_time_all_succeed_and_leave_one_event(*, is_queued: bool) -> None:
    limits = EngineLimits(running_max=1, cancel_grace_s=1.0)
    async with serving(scripted([[endless()]]), limits=limits) as service:
        first = await service.submit("1")
        task = await service.submit("2") if is_queued else first
        await anyio.wait_all_tasks_blocked()
        async with anyio.create_task_group() as group:
            for _ in range(4):
                group.start_soon(canceled, service, task)
        if is_queued:
            await canceled(service, first)


@requirement("session.order", "task.cancel.any-phase")
async def test_canceling_a_waiting_task_lets_the_next_of_its_session_run() -> None:
    gate = anyio.Event()
    model = scripted([[Gate(gate)], says("third")])
    async with serving(model) as service:
        first = await service.submit("1", session="s")
        second = await service.submit("2", session="s")
        third = await service.submit("3", session="s")
        await canceled(service, second)
        assert (await service.row(third)).status is Status.QUEUED
        gate.set()
        assert (await service.ended(third))["status"] == "completed"
        assert (await service.row(first)).status is Status.COMPLETED


class SlowClaims:
    """A store whose claims of waiting tasks are held up on their way back."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.claimed = anyio.Event()
        self.gate = anyio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def claim_next(self, *, owner: str, limit: int) -> Any:
        found = await self._store.claim_next(owner=owner, limit=limit)
        if found.claims:
            self.claimed.set()
            await self.gate.wait()
        return found


@requirement("task.cancel.any-phase")
async def test_a_cancel_between_claim_and_run_is_applied_once() -> None:
    made: list[SlowClaims] = []

    def slow(store: Store) -> Store:
        made.append(SlowClaims(store))
        return cast("Store", made[0])

    gate = anyio.Event()
    model = scripted([[Gate(gate)], says("never")])
    limits = EngineLimits(running_max=1)
    async with serving(model, wrap=slow, limits=limits) as service:
        await service.submit("1")
        waiting = await service.submit("2")
        gate.set()
        with anyio.fail_after(5):
            await made[0].claimed.wait()
        await canceled(service, waiting)
        made[0].gate.set()
        await anyio.wait_all_tasks_blocked()
        assert (await service.row(waiting)).status is Status.CANCELED
    assert len(model.calls) == 1


class LateTakeover:
    """A store in which a waiting task is claimed just after its cancel took the claim."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def claim(self, pk: Any, *, owner: str, take_over: bool) -> Claimed | None:
        claimed = await self._store.claim(pk, owner=owner, take_over=take_over)
        found = await self._store.claim_next(owner="a free slot", limit=9)
        assert found.claims == []
        return claimed


@requirement("task.cancel.any-phase")
async def test_a_waiting_task_is_not_started_while_it_is_being_canceled() -> None:
    limits = EngineLimits(running_max=1)
    async with serving(scripted([[endless()]]), limits=limits, wrap=LateTakeover) as service:  # pyright: ignore[reportArgumentType]
        await service.submit("1")
        waiting = await service.submit("2")
        await canceled(service, waiting)


@requirement("task.detached")
async def test_a_caller_who_leaves_in_the_middle_of_a_cancel_leaves_no_task_behind() -> None:
    limits = EngineLimits(running_max=1)
    async with serving(scripted([[endless()]]), limits=limits) as service:
        await service.submit("1")
        waiting = await service.submit("2")
        for ticks in range(1, 12):
            with anyio.CancelScope() as scope:
                async with anyio.create_task_group() as group:
                    group.start_soon(lambda: service.engine.cancel(waiting, actor="ann"))
                    for _ in range(ticks):
                        await anyio.lowlevel.checkpoint()
                    scope.cancel()
            if (await service.row(waiting)).status is Status.CANCELED:
                break
        await canceled(service, waiting)


async def test_a_task_that_was_deleted_cannot_be_canceled() -> None:
    async with serving(scripted([[endless()]])) as service:
        task = await service.submit()
        await service.engine.delete(task, actor="ann")
        with pytest.raises(TaskNotFoundError):
            await service.engine.cancel(task, actor="ann")


async def test_a_cancel_while_a_cut_call_is_being_retried_ends_all_items_incomplete() -> None:
    model = scripted([[Text("one"), Fail("stream")], [Text("two"), endless()]])
    async with serving(model) as service:
        task = await service.submit()
        with anyio.fail_after(5):
            while len(model.calls) < 2:
                await anyio.lowlevel.checkpoint()
        await anyio.wait_all_tasks_blocked()
        ended = await canceled(service, task)
    assert [item["status"] for item in ended["output"]] == ["incomplete", "incomplete"]


async def test_the_model_that_streams_flat_out_is_canceled_too() -> None:
    model = ScriptedModel([Answer([Text("x" * 200_000, chunks=1)])])
    async with serving(model) as service:
        task = await service.submit()
        await service.wait_for(task, "task.text.delta")
        ended = await canceled(service, task)
        assert 0 < len(ended["output"][0]["message_content"][0]["text"]) < 200_000
