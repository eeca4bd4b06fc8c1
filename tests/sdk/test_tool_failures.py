"""What tools and hooks must not break: the run ends, or says what is wrong, whatever they do."""

import asyncio
import dataclasses
import functools
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any, Never

import anyio
import anyio.lowlevel
import pytest

from agentlin_client import APITimeoutError
from agentlin_client.lib import FunctionTool, ToolContext, ToolOptions, tool
from agentlin_client.lib.concurrency import Job, Raised, run_all, run_all_async
from tests.sdk import wire
from tests.sdk.conftest import Sdk
from tests.sdk.server import SILENCE
from tests.sdk.tool_tasks import CALL, FakeTasks, Kit, TaskLog, answered, get_weather

pytestmark = pytest.mark.anyio

WAIT_S = 5.0


class FatalError(BaseException):
    """Not for anybody to take for a failure."""


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise LookupError("no words")


@pytest.fixture(params=["sync", "async"])
def kit(request: pytest.FixtureRequest) -> Kit:
    return Kit(request.param)


def raising(error: BaseException) -> Callable[[str], Never]:
    def get_weather(city: str) -> Never:
        raise error

    return get_weather


@pytest.mark.parametrize("max_parallel", [1, 8])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), FatalError("boom")])
async def test_what_is_no_failure_of_a_tool_ends_the_run(
    kit: Kit, error: BaseException, max_parallel: int
) -> None:
    tasks = answered(CALL)
    with pytest.raises(type(error)) as caught:
        await kit.run(tasks, tools=[raising(error)], max_parallel=max_parallel)
    assert caught.value is error
    assert tasks.results() == []


async def test_a_tool_whose_own_loop_was_canceled_has_failed(kit: Kit) -> None:
    tasks = answered(CALL)
    await kit.run(tasks, tools=[raising(asyncio.CancelledError())])
    assert tasks.results() == [{"call_1": "get_weather failed: CancelledError: "}]


async def test_a_coroutine_may_raise_what_is_no_failure_and_it_comes_alone() -> None:
    ended: list[str] = []

    async def fail() -> None:
        await anyio.lowlevel.checkpoint()
        raise FatalError("boom")

    async def wait() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append("wait")

    jobs = [Job(run=wait, is_async=True), Job(run=fail, is_async=True)]
    with anyio.fail_after(WAIT_S):
        with pytest.raises(FatalError, match="boom"):
            await run_all_async(jobs, max_parallel=2)
    assert ended == ["wait"]


async def test_an_exit_of_a_tool_is_a_failure_like_any_other() -> None:
    def leave() -> None:
        sys.exit(3)

    for outcomes in (
        run_all([Job(run=leave)], max_parallel=2),
        await run_all_async([Job(run=leave)], max_parallel=2),
    ):
        assert isinstance(outcomes[0], Raised)
        assert isinstance(outcomes[0].error, SystemExit)


async def test_an_error_that_has_no_text_is_told_by_its_name(kit: Kit) -> None:
    tasks = answered(CALL)
    await kit.run(tasks, tools=[raising(UnspeakableError())])
    told = tasks.results()[0]["call_1"]
    assert told == "get_weather failed: UnspeakableError: (no text: its __str__ fails)"


def test_a_failing_tool_prints_nothing_while_nobody_has_asked_for_a_log() -> None:
    code = """
from agentlin_client.testing import FakeServer, call
def fail() -> str:
    raise LookupError
server = FakeServer()
server.otherwise([call("fail", {})])
server.client().tasks.run(user_message_content="x", tools=[fail])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("", "")


# Lenient data: what a server may send that is not of the protocol.


async def test_events_without_number_and_task_id_are_followed_all_the_same(sdk: Sdk) -> None:
    first, *rest = wire.log("Hello.")
    bare = {name: first[name] for name in first if name not in {"sequence_number", "task_id"}}
    whole = wire.stream(rest)
    frame = b"event: task.created\ndata: %b\n\n" % wire.envelope(bare)
    sdk.server.script(dataclasses.replace(whole, chunks=(frame, *(whole.chunks or ()))))
    run = await sdk.done(sdk.client().tasks.run(user_message_content="x"))
    assert run.status == "completed"
    assert len(sdk.server.requests) == 1


@pytest.mark.parametrize("lacking", ["call_id", "name"])
async def test_a_call_that_nobody_can_answer_is_left_open(kit: Kit, lacking: str) -> None:
    log = TaskLog()
    log.begin()
    log.ask(CALL)
    task = log.task
    for call in (task.output[-1], task.input_required):
        vars(call).pop(lacking)
    run = await kit.run(FakeTasks(task), tools=[get_weather])
    assert run.status == "input-required"


@pytest.mark.parametrize(
    ("arguments", "result"),
    [({"city": "Rome"}, "18 degrees in Rome"), (None, "The call was not run")],
)
async def test_arguments_that_are_no_text_are_read_as_far_as_that_goes(
    kit: Kit, arguments: Any, result: str
) -> None:
    log = TaskLog()
    log.begin()
    log.ask(CALL)
    task = log.task
    for call in (task.output[-1], task.input_required):
        vars(call)["arguments"] = arguments
    tasks = FakeTasks(task, log.take("call_1") + log.end())
    await kit.run(tasks, tools=[get_weather])
    assert tasks.results()[0]["call_1"].startswith(result)


# What can be a tool or a hook.


def test_the_options_of_a_partial_count_and_win() -> None:
    @tool(name="inner", timeout=1.0)
    def power(base: int, exponent: int) -> int:
        return base**exponent

    square = tool(name="square")(functools.partial(power, exponent=2))
    made = FunctionTool.of(square)
    assert (made.name, made.timeout) == ("square", 1.0)
    assert made.invoke('{"base": 3}') == 9
    assert FunctionTool.of(functools.partial(power, exponent=2)).name == "inner"
    assert FunctionTool.of(power).name == "inner"


def test_a_bound_method_can_be_given_options() -> None:
    class Shop:
        def price(self, item: str) -> str:
            """Tell a price."""
            return f"{item}: 3"

    shop = Shop()
    made = FunctionTool.of(tool(name="ask_price")(shop.price))
    assert (made.name, made.description) == ("ask_price", "Tell a price.")
    assert made.invoke('{"item": "tea"}') == "tea: 3"
    assert FunctionTool.of(shop.price).name == "price"
    assert FunctionTool.of((shop.price, ToolOptions(name="other"))).name == "other"


def test_a_list_of_contexts_is_an_argument_and_a_context_or_none_is_not() -> None:
    def both(calls: list[ToolContext], context: ToolContext | None = None) -> str:
        return f"{len(calls)} {context and context.call_id}"

    made = FunctionTool.of(both)
    assert list(made.definition["function"]["parameters"]["properties"]) == ["calls"]
    assert made.invoke('{"calls": []}', ToolContext(task_id="t", call_id="c")) == "0 c"


async def _approve(_reason: str, _call: object) -> bool:
    return True


class _Listener:
    async def __call__(self, event: object) -> None:
        pass


@pytest.mark.parametrize(
    ("hook", "name"),
    [
        ({"on_tool_call": functools.partial(_approve, "x")}, "_approve"),
        ({"on_event": _Listener()}, "_Listener"),
    ],
)
async def test_an_async_hook_in_any_form_is_refused_by_the_blocking_client(
    hook: dict[str, Any], name: str
) -> None:
    with pytest.raises(TypeError, match=f"{name} is an async function: use AsyncClient"):
        await Kit("sync").run(answered(CALL), tools=[get_weather], **hook)
    assert (await Kit("async").run(answered(CALL), tools=[get_weather], **hook)).final_text


async def test_a_name_may_not_be_both_a_tool_and_a_client_tool(kit: Kit) -> None:
    other = {"type": "function", "function": {"name": "get_weather", "parameters": {}}}
    tasks = answered(CALL)
    with pytest.raises(ValueError, match="two tools are named 'get_weather'"):
        await kit.run(tasks, tools=[get_weather], client_tools=[other])
    assert tasks.asked == []


# The task's id is known before the server has told it.


@pytest.mark.parametrize(
    ("params", "task_id"),
    [
        ({}, None),
        ({"task_id": "mine"}, "mine"),
        ({"extra_body": {"task_id": "mine"}}, "mine"),
        ({"extra_headers": {"X-Task-ID": "mine"}}, "mine"),
        ({"extra_body": {"task_id": "mine"}, "task_id": "not this"}, "mine"),
    ],
)
@pytest.mark.parametrize("method", ["run", "stream"])
async def test_a_task_whose_creation_timed_out_is_canceled_by_its_id(
    sdk: Sdk, method: str, params: dict[str, Any], task_id: str | None
) -> None:
    sdk.server.script(SILENCE, wire.answer(wire.task("canceled")))
    client = sdk.client(timeout=0.2, max_retries=0)

    async def go() -> None:
        made = getattr(client.tasks, method)(
            user_message_content="x", cancel_on_close=True, **params
        )
        await sdk.done(made if method == "run" else made.until_done())

    with anyio.fail_after(WAIT_S), pytest.raises(APITimeoutError):
        await go()
    created, canceled = sdk.server.requests
    told = json.loads(created.body)["task_id"]
    assert told == (task_id or told)
    assert canceled.target == f"/v1/tasks/{told}/cancel"


async def test_the_id_of_a_client_header_is_the_one_that_is_used(sdk: Sdk) -> None:
    sdk.server.script(wire.stream(wire.log("a")))
    client = sdk.client(default_headers={"X-Task-ID": "mine"})
    await sdk.done(client.tasks.run(user_message_content="x"))
    assert json.loads(sdk.server.requests[0].body)["task_id"] == "mine"
