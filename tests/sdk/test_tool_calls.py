"""What becomes of each call of a run: it is asked about, run beside the others, and answered."""

import logging
import threading
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from agentlin_client.lib.calls import Answer, Approve, Reject
from agentlin_client.lib.tools import ToolContext, tool
from agentlin_client.types import ToolCallItem
from tests.sdk.tool_tasks import CALL, SUM, FakeTasks, Kit, add, answered, get_weather

pytestmark = pytest.mark.anyio

WAIT_S = 5.0


@pytest.fixture(params=["sync", "async"])
def kit(request: pytest.FixtureRequest) -> Kit:
    return Kit(request.param)


async def test_calls_of_one_step_are_run_side_by_side(kit: Kit) -> None:
    both = threading.Barrier(2)

    def meet(name: str) -> str:
        both.wait(WAIT_S)
        return name

    tasks = answered(("a", "meet", '{"name": "x"}'), ("b", "meet", '{"name": "y"}'))
    await kit.run(tasks, tools=[meet])
    assert tasks.results() == [{"a": "x", "b": "y"}]


async def test_no_more_calls_run_at_once_than_allowed(kit: Kit) -> None:
    both = threading.Barrier(2)

    def meet() -> None:
        both.wait(0.01)

    tasks = answered(("a", "meet", ""), ("b", "meet", ""))
    await kit.run(tasks, tools=[meet], max_parallel=1)
    assert all("BrokenBarrierError" in result for result in tasks.results()[0].values())


async def test_blocking_tools_leave_the_event_loop_free() -> None:
    went_on = threading.Event()

    def wait() -> bool:
        return went_on.wait(WAIT_S)

    tasks = answered(("a", "wait", "{}"))
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: Kit("async").run(tasks, tools=[wait]))
        await anyio.wait_all_tasks_blocked()
        went_on.set()
    assert tasks.results() == [{"a": "true"}]


async def test_async_tools_are_awaited() -> None:
    async def slow(text: str) -> str:
        await anyio.lowlevel.checkpoint()
        return text.upper()

    tasks = answered(("a", "slow", '{"text": "hi"}'))
    await Kit("async").run(tasks, tools=[slow])
    assert tasks.results() == [{"a": "HI"}]


async def test_a_blocking_client_refuses_async_functions_at_once() -> None:
    async def hook(call: object) -> bool:
        return True

    async def later() -> None: ...

    tasks = FakeTasks()
    with pytest.raises(TypeError, match=r"later is an async function: use AsyncClient"):
        await Kit("sync").run(tasks, tools=[later])
    for name in ("on_tool_call", "on_event"):
        with pytest.raises(TypeError, match=r"hook.* is an async function: use AsyncClient"):
            await Kit("sync").run(tasks, tools=[add], **{name: hook})
    assert tasks.names == []


async def test_two_tools_of_one_name_are_refused(kit: Kit) -> None:
    with pytest.raises(ValueError, match="two tools are named 'add'"):
        await kit.run(FakeTasks(), tools=[add, add])


@pytest.mark.parametrize("limit", [{"max_parallel": 0}, {"max_rounds": -1}])
async def test_limits_out_of_range_are_refused(kit: Kit, limit: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be at least"):
        await kit.run(FakeTasks(), **limit)


async def test_errors_become_results(kit: Kit, caplog: pytest.LogCaptureFixture) -> None:
    def fail(how: str) -> None:
        if how == "exit":
            raise SystemExit(3)
        raise LookupError(how)

    def give_bytes() -> bytes:
        return b"\0"

    tasks = answered(
        ("a", "fail", '{"how": "lost"}'),
        ("b", "fail", '{"how": "exit"}'),
        ("c", "fail", '{"why": 1}'),
        ("d", "give_bytes", ""),
    )
    with caplog.at_level(logging.WARNING, logger="agentlin_client"):
        run = await kit.run(tasks, tools=[fail, give_bytes])

    assert run.status == "completed"
    results = tasks.results()[0]
    assert results["a"] == "fail failed: LookupError: lost"
    assert results["b"] == "fail failed: SystemExit: 3"
    assert "- how: Field required" in results["c"]
    assert "- why: Extra inputs are not permitted (got 1)" in results["c"]
    assert results["d"].startswith("give_bytes failed: TypeError: bytes can't be shown")
    assert "Traceback" in caplog.text
    assert not any("Traceback" in text for text in results.values())


async def test_a_tool_that_takes_too_long_is_left_behind(kit: Kit) -> None:
    gate = threading.Event()

    @tool(timeout=0.01)
    def hang() -> None:
        gate.wait(WAIT_S)

    tasks = answered(("a", "hang", "{}"), SUM)
    await kit.run(tasks, tools=[hang, add], tool_timeout=WAIT_S)
    gate.set()
    late = "hang did not answer within 0.01 s; it may still take effect."
    assert tasks.results() == [{"a": late, "call_2": "3"}]


async def test_the_time_out_of_the_run_holds_for_tools_without_their_own(kit: Kit) -> None:
    gate = threading.Event()
    tasks = answered(("a", "hang", "{}"))
    await kit.run(tasks, tools=[(lambda: gate.wait(WAIT_S), {"name": "hang"})], tool_timeout=0.01)
    gate.set()
    assert "within 0.01 s" in tasks.results()[0]["a"]


async def test_an_async_tool_that_takes_too_long_is_canceled() -> None:
    was_canceled = anyio.Event()

    async def hang() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            was_canceled.set()

    tasks = answered(("a", "hang", "{}"))
    await Kit("async").run(tasks, tools=[hang], tool_timeout=0.01)
    assert was_canceled.is_set()


async def test_a_context_tells_a_tool_which_call_it_answers(kit: Kit) -> None:
    seen: list[ToolContext] = []

    def pay(amount: int, context: ToolContext) -> None:
        seen.append(context)

    tasks = answered(("call_7", "pay", '{"amount": 5}'))
    await kit.run(tasks, tools=[pay])
    assert seen[0].idempotency_key == "task_1:call_7"
    parameters = tasks.asked[0][1]["client_tools"][0]["function"]["parameters"]
    assert list(parameters["properties"]) == ["amount"]


@pytest.mark.parametrize(
    ("decision", "result"),
    [
        (True, "18 degrees in Rome"),
        (None, "18 degrees in Rome"),
        (Approve(), "18 degrees in Rome"),
        (Approve({"city": "Oslo"}), "18 degrees in Oslo"),
        (Approve('{"city": "Bern"}'), "18 degrees in Bern"),
        (False, "The user rejected this call; it was not run."),
        (Reject("Not today."), "Not today."),
        (Answer({"degrees": 3}), '{"degrees":3}'),
        ("It snows.", "It snows."),
    ],
)
async def test_the_hook_decides_about_each_call(kit: Kit, decision: Any, result: str) -> None:
    asked: list[ToolCallItem] = []

    def on_tool_call(call: ToolCallItem) -> Any:
        asked.append(call)
        return decision

    tasks = answered(CALL)
    await kit.run(tasks, tools=[get_weather], on_tool_call=kit.hook(on_tool_call))
    assert [call.call_id for call in asked] == ["call_1"]
    assert tasks.results() == [{"call_1": result}]


async def test_a_hook_that_decides_nothing_known_ends_the_run(kit: Kit) -> None:
    tasks = answered(CALL)
    with pytest.raises(TypeError, match="on_tool_call must return True"):
        await kit.run(tasks, tools=[get_weather], on_tool_call=lambda call: 7)
    assert tasks.names == ["create"]
