"""Time: tasks expire when theirs is over, and only then."""

from pathlib import Path

import anyio
import pytest

from agentlin_server.domain.ids import LOCAL_TENANT
from agentlin_server.domain.records import OnBusy
from agentlin_server.domain.status import Status
from agentlin_server.engine.answers import ToolAnswer
from agentlin_server.engine.limits import EngineLimits
from agentlin_server.models.script import Gate, Text, ToolCall
from tests.engine.harness import Clock, Service, says, scripted, serving, text_of, with_tools
from tests.engine.streams import collect, types_of
from tests.engine.tools import NotingTool
from tests.requirements import requirement

pytestmark = pytest.mark.anyio
ASK = with_tools(client=["ask"])
ASKING = [ToolCall("ask", "{}", "call_1")]


class Elapsed:
    """Time that passes when it is told to, on both clocks."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.offset = clock.now

    def __call__(self) -> float:
        return self.clock.now - self.offset

    async def pass_s(self, service: Service, seconds: float) -> None:
        """Let time pass, and the engine look at the clock."""
        self.clock.now += seconds
        await service.engine._deadlines.look()

    async def set_clock(self, service: Service, by_s: float) -> None:
        """Set the wall clock, while no time passes."""
        self.clock.now += by_s
        self.offset += by_s
        await service.engine._deadlines.look()


@requirement("task.expire")
async def test_a_working_task_expires_in_the_middle_of_its_call() -> None:
    clock = Clock()
    time = Elapsed(clock)
    model = scripted([[Text("So "), Gate(anyio.Event())]])
    async with serving(model, clock=clock, elapsed=time) as service:
        task = await service.submit(timeout_s=60.0)
        await service.wait_for(task, "task.text.delta")
        await time.pass_s(service, 59)
        assert (await service.row(task)).status is Status.WORKING
        await time.pass_s(service, 2)
        ended = await service.ended(task)
    assert ended["status"] == "expired"
    assert ended["error"]["code"] == -32006
    assert ended["error"]["data"]["limit"] == "timeout_s"
    assert ended["output"][0]["status"] == "incomplete"
    assert model.calls[0].outcome == "closed_early"


@requirement("task.expire")
async def test_a_queued_task_expires_too_and_its_session_goes_on() -> None:
    clock = Clock()
    time = Elapsed(clock)
    gate = anyio.Event()
    model = scripted([[Gate(gate)], says("third")])
    async with serving(model, clock=clock, elapsed=time) as service:
        first = await service.submit(session="s")
        second = await service.submit(session="s", timeout_s=5.0)
        third = await service.submit(session="s")
        await time.pass_s(service, 6)
        assert (await service.ended(second))["status"] == "expired"
        gate.set()
        await service.ended(first)
        assert text_of(await service.ended(third)) == "third"


@requirement("task.expire", "task.expire.rest")
async def test_the_time_of_a_task_stands_still_while_it_rests() -> None:
    clock = Clock()
    time = Elapsed(clock)
    gate = anyio.Event()
    model = scripted([ASKING, [Gate(gate), Text("x")]])
    async with serving(model, clock=clock, elapsed=time) as service:
        task = await service.submit(spec=ASK, timeout_s=60.0)
        await service.wait_for(task, "task.input_required")
        await time.pass_s(service, 3_600)
        row = await service.row(task)
        assert row.status is Status.INPUT_REQUIRED
        assert row.clock.time_left_s == pytest.approx(60, abs=1)
        await answer(service, task.id)
        await service.wait_for(task, "task.working")
        await time.pass_s(service, 50)
        assert (await service.row(task)).status is Status.WORKING
        await time.pass_s(service, 11)
        assert (await service.ended(task))["status"] == "expired"


async def answer(service: Service, task_id: str) -> None:
    task = await service.store.get(LOCAL_TENANT, task_id)
    assert task is not None
    answers = [ToolAnswer(call_id="call_1", message_content="yes")]
    await service.engine.answer(task, answers, actor="ann")


@requirement("task.expire.rest")
async def test_an_unanswered_question_expires_and_the_session_goes_on(tmp_path: Path) -> None:
    clock = Clock()
    time = Elapsed(clock)
    limits = EngineLimits(input_required_max_s=100)
    path = tmp_path / "tasks.db"
    async with serving(
        scripted([ASKING]), clock=clock, elapsed=time, limits=limits, path=path
    ) as service:
        task = await service.submit(spec=ASK, session="s")
        await service.wait_for(task, "task.input_required")
        following = await service.submit(session="s", on_busy=OnBusy.ENQUEUE)
        await time.pass_s(service, 99)
        assert (await service.row(task)).status is Status.INPUT_REQUIRED
    clock.now += 2  # while no server runs
    async with serving(scripted([says("next")]), clock=clock, elapsed=time, path=path) as service:
        ended = await service.ended(task)
        assert ended["status"] == "expired"
        assert ended["error"]["data"]["limit"] == "input-required"
        assert text_of(await service.ended(following)) == "next"


@requirement("task.expire.rest")
async def test_a_paused_task_expires_after_its_own_limit() -> None:
    clock = Clock()
    time = Elapsed(clock)
    tool = NotingTool(gate=(gate := anyio.Event()))
    model = scripted([[ToolCall("note", "{}", "call_1")]])
    limits = EngineLimits(paused_max_s=50)
    async with serving(model, clock=clock, elapsed=time, limits=limits, tools=[tool]) as service:
        task = await service.submit(spec=with_tools(tool))
        with anyio.fail_after(5):
            await tool.started.wait()
        await service.engine.pause(await service.row(task), actor="ann")
        gate.set()
        await service.wait_for(task, "task.paused")
        await time.pass_s(service, 51)
        ended = await service.ended(task)
    assert ended["error"]["data"] == {"limit": "paused", "limit_s": 50, "retryable": False}


@requirement("task.expire.clock-set")
@pytest.mark.parametrize("by_s", [86_400.0, -86_400.0])
async def test_nothing_expires_because_the_clock_was_set(by_s: float) -> None:
    clock = Clock()
    time = Elapsed(clock)
    model = scripted([[Gate(anyio.Event())]])
    async with serving(model, clock=clock, elapsed=time) as service:
        task = await service.submit(timeout_s=60.0)
        await service.wait_for(task, "task.tools_updated")
        await time.pass_s(service, 30)
        await time.set_clock(service, by_s)
        assert (await service.row(task)).status is Status.WORKING
        await time.pass_s(service, 29)
        assert (await service.row(task)).status is Status.WORKING
        await time.pass_s(service, 2)
        assert (await service.ended(task))["status"] == "expired"


@requirement("task.expire")
async def test_the_servers_own_limit_counts_for_tasks_that_name_none() -> None:
    clock = Clock()
    time = Elapsed(clock)
    limits = EngineLimits(timeout_s=10)
    model = scripted([[Gate(anyio.Event())], [Gate(anyio.Event())]])
    async with serving(model, clock=clock, elapsed=time, limits=limits) as service:
        task = await service.submit("1")
        patient = await service.submit("2", timeout_s=1_000.0)
        await time.pass_s(service, 11)
        assert (await service.ended(task))["status"] == "expired"
        assert (await service.row(patient)).status is Status.WORKING
        assert types_of(await collect(service.reader, task.pk))[-1] == "task.expired"
