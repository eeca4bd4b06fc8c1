"""Many calls at once: bounded, each with its time-out, never waited for in vain; both forms."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from math import inf

import anyio
import anyio.lowlevel
import pytest

from agentlin_client.lib.concurrency import (
    Job,
    Outcome,
    Raised,
    Returned,
    TimedOut,
    last_word,
    last_word_async,
    run_all,
    run_all_async,
)

pytestmark = pytest.mark.anyio
WAIT_S = 5.0
Run = Callable[..., Awaitable[list[Outcome]]]


@pytest.fixture(params=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Run:
    async def either(*jobs: Job, max_parallel: int = 8) -> list[Outcome]:
        with anyio.fail_after(WAIT_S):
            if request.param == "sync":
                return run_all(jobs, max_parallel=max_parallel)
            return await run_all_async(jobs, max_parallel=max_parallel)

    return either


async def test_outcomes_come_in_the_order_of_the_jobs(run: Run) -> None:
    second_is_done = threading.Event()
    error = LookupError()

    def first() -> int:
        assert second_is_done.wait(WAIT_S)
        return 1

    def fail() -> None:
        raise error

    jobs = [Job(run=first), Job(run=second_is_done.set), Job(run=fail)]
    assert await run(*jobs) == [Returned(1), Returned(None), Raised(error)]
    assert await run() == []


async def test_as_many_jobs_as_allowed_run_at_once_and_no_more(run: Run) -> None:
    pair = threading.Barrier(2)
    lock = threading.Lock()
    running = peak = 0

    def job() -> None:
        nonlocal running, peak
        with lock:
            running += 1
            peak = max(peak, running)
        pair.wait(WAIT_S)  # two must be here at once
        with lock:
            running -= 1
        pair.wait(WAIT_S)

    outcomes = await run(*[Job(run=job)] * 6, max_parallel=2)
    assert outcomes == [Returned(None)] * 6
    assert peak == 2


async def test_a_job_that_runs_late_gives_its_place_to_the_next(run: Run) -> None:
    gate = threading.Event()
    jobs = [Job(run=lambda: gate.wait(WAIT_S), timeout_s=0.01), Job(run=lambda: 2)]
    assert await run(*jobs, max_parallel=1) == [TimedOut(0.01), Returned(2)]
    gate.set()


async def test_what_a_late_job_returns_is_dropped(run: Run) -> None:
    gate = threading.Event()
    threads: list[threading.Thread] = []

    def late() -> None:
        threads.append(threading.current_thread())
        gate.wait(WAIT_S)

    def end_it() -> bool:  # runs after the other has run out of time, since one runs at a time
        gate.set()
        threads[0].join(WAIT_S)
        return threads[0].is_alive()

    jobs = [Job(run=late, timeout_s=0.01), Job(run=end_it, timeout_s=WAIT_S)]
    assert await run(*jobs, max_parallel=1) == [TimedOut(0.01), Returned(False)]  # noqa: FBT003


async def test_an_infinite_time_out_is_none(run: Run) -> None:
    jobs = [Job(run=lambda: 1, timeout_s=inf), Job(run=lambda: 2)]
    assert await run(*jobs) == [Returned(1), Returned(2)]


async def test_jobs_see_the_context_of_their_caller(run: Run) -> None:
    user: ContextVar[str] = ContextVar("user")
    user.set("u1")
    assert await run(Job(run=user.get), Job(run=user.get)) == [Returned("u1")] * 2


async def test_threads_do_not_keep_the_process_alive(run: Run) -> None:
    jobs = [Job(run=lambda: threading.current_thread().daemon)] * 2
    assert await run(*jobs) == [Returned(True)] * 2  # noqa: FBT003


def test_one_at_a_time_without_time_outs_runs_in_the_calling_thread() -> None:
    jobs = [Job(run=threading.current_thread, timeout_s=inf)]
    assert run_all(jobs, max_parallel=1) == [Returned(threading.current_thread())]


async def test_an_awaitable_of_a_blocking_function_is_awaited() -> None:
    async def later() -> int:
        return 3

    with anyio.fail_after(WAIT_S):
        assert await run_all_async([Job(run=later)], max_parallel=1) == [Returned(3)]


async def test_a_job_whose_own_inner_task_was_canceled_is_no_canceled_run(run: Run) -> None:
    def job() -> None:
        raise asyncio.CancelledError("of a loop of its own")

    first, second = await run(Job(run=job), Job(run=lambda: 2))
    assert isinstance(first, Raised)
    assert isinstance(first.error, asyncio.CancelledError)
    assert second == Returned(2)
    alone = await run(Job(run=job), max_parallel=1)
    assert isinstance(alone[0], Raised)


async def test_an_inner_task_of_a_coroutine_that_is_canceled_is_that_jobs_failure_alone() -> None:
    is_over = anyio.Event()

    async def job() -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.cancel()
        try:
            await future
        finally:
            is_over.set()

    async def other() -> int:
        await is_over.wait()
        await anyio.lowlevel.checkpoint()
        return 2

    jobs = [Job(run=job, is_async=True), Job(run=other, is_async=True)]
    with anyio.fail_after(WAIT_S):
        first, second = await run_all_async(jobs, max_parallel=2)
    assert isinstance(first, Raised)
    assert isinstance(first.error, asyncio.CancelledError)
    assert second == Returned(2)


async def test_a_job_that_somebody_stops_from_outside_has_an_outcome_too() -> None:
    async def job() -> None:
        current = asyncio.current_task()
        assert current is not None
        current.cancel()
        await anyio.sleep_forever()

    with anyio.fail_after(WAIT_S):
        (outcome,) = await run_all_async([Job(run=job, is_async=True)], max_parallel=1)
    assert isinstance(outcome, Raised)


async def test_a_canceled_run_does_not_wait_for_its_threads() -> None:
    gate = threading.Event()
    with anyio.fail_after(WAIT_S):
        async with anyio.create_task_group() as group:
            jobs = [Job(run=lambda: gate.wait(WAIT_S))]
            group.start_soon(lambda: run_all_async(jobs, max_parallel=1))
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
    assert not gate.is_set()
    gate.set()


def test_a_thread_that_ends_after_its_event_loop_says_nothing() -> None:
    gate = threading.Event()
    threads: list[threading.Thread] = []

    def job() -> None:
        threads.append(threading.current_thread())
        gate.wait(WAIT_S)

    async def main() -> None:
        await run_all_async([Job(run=job, timeout_s=0.01)], max_parallel=1)

    anyio.run(main)
    gate.set()
    threads[0].join(WAIT_S)
    assert not threads[0].is_alive()


async def test_a_last_word_may_fail(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise LookupError

    async def fail_async() -> None:
        raise LookupError

    last_word(fail)
    await last_word_async(fail_async)
    assert caplog.text.count("the last call of a run failed") == 2


async def test_a_last_word_is_said_though_the_speaker_is_canceled() -> None:
    said: list[int] = []

    async def say() -> None:
        await anyio.lowlevel.checkpoint()
        said.append(1)

    with anyio.CancelScope() as scope:
        scope.cancel()
        await last_word_async(say)
    assert said == [1]
