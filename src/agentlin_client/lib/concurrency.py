"""Many calls at once, each with its time-out: as tasks of an event loop, and as threads.

The two forms differ in nature, so both stand here; what uses them is written once. Nothing waits
for a call that has run out of time. A coroutine is canceled; a thread can't be stopped, so it runs
on, as a daemon: what it returns is dropped, and it does not keep the process alive.
"""

from __future__ import annotations

import inspect
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from agentlin_client._log import logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

_LAST_WORD_S: Final = 5.0
"""How long `last_word` may take."""


@dataclass(frozen=True, slots=True)
class Returned:
    """A job that returned a value."""

    value: object


@dataclass(frozen=True, slots=True)
class Raised:
    """A job that raised an error."""

    error: BaseException


@dataclass(frozen=True, slots=True)
class TimedOut:
    """A job that took longer than it may, in seconds."""

    timeout_s: float


Outcome: TypeAlias = Returned | Raised | TimedOut
"""How a job came out."""

_Told: TypeAlias = tuple[int, Outcome]
"""Which job, and how it came out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A call to make.

    Attributes:
        run: The call.
        is_async: Whether it returns at once, with something to await.
        timeout_s: How long it may take, in seconds, from its own start; None or infinite for ever.
    """

    run: Callable[[], Any]
    is_async: bool = False
    timeout_s: float | None = None


async def run_all_async(jobs: Sequence[Job], *, max_parallel: int) -> list[Outcome]:
    """Run the jobs, at most `max_parallel` at a time; return how each came out, in their order.

    Blocking jobs get a thread each, so that the event loop stays free.
    """
    import asyncio

    import anyio

    free = anyio.CapacityLimiter(max_parallel)
    # What is left of a job whose own task somebody has canceled.
    outcomes: list[Outcome] = [
        Raised(asyncio.CancelledError("the call was canceled")) for _ in jobs
    ]

    async def run(index: int, job: Job) -> None:
        async with free:
            outcomes[index] = await _outcome_async(job)
        if _is_fatal(outcomes[index]):
            group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        for index, job in enumerate(jobs):
            group.start_soon(run, index, job)
    # Raised here, not in a task of the group: so it comes alone, and where it can be caught.
    return [_checked(outcome) for outcome in outcomes]


async def _outcome_async(job: Job) -> Outcome:
    import anyio

    with anyio.move_on_after(job.timeout_s) as scope:
        try:
            outcome = Returned(job.run()) if job.is_async else await _in_thread(job.run)
            if isinstance(outcome, Returned) and inspect.isawaitable(outcome.value):
                outcome = Returned(await outcome.value)
        except GeneratorExit:
            raise
        except anyio.get_cancelled_exc_class() as error:
            if _is_canceled():
                raise
            return Raised(error)  # something that the tool awaited was canceled, not the tool
        except BaseException as error:  # noqa: BLE001 - a tool may raise whatever it likes
            return Raised(error)
        return outcome
    assert job.timeout_s is not None
    assert scope.cancelled_caught
    return TimedOut(job.timeout_s)


def _is_canceled() -> bool:
    """Return whether this very task is to stop: it, or a scope that it is in, was canceled."""
    import asyncio

    import anyio

    if anyio.get_cancelled_exc_class() is not asyncio.CancelledError:
        return True  # trio, whose tools can't make such an error themselves
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


async def _in_thread(run: Callable[[], Any]) -> Outcome:
    """Run a blocking call; when canceled, leave its thread behind."""
    # Not `anyio.to_thread`: the interpreter waits at its end for a thread of that kind.
    import anyio.from_thread
    import anyio.lowlevel

    outcomes: SimpleQueue[Outcome] = SimpleQueue()
    is_done = anyio.Event()
    token = anyio.lowlevel.current_token()

    def tell(outcome: Outcome) -> None:
        outcomes.put(outcome)
        with suppress(RuntimeError):  # the event loop has ended: nobody waits any more
            anyio.from_thread.run_sync(is_done.set, token=token)

    start_thread(run, tell)
    await is_done.wait()
    return outcomes.get_nowait()


def run_all(jobs: Sequence[Job], *, max_parallel: int) -> list[Outcome]:
    """Run the jobs in threads; the blocking form of `run_all_async`.

    One at a time and without time-outs they are run by the calling thread itself.
    """
    if max_parallel == 1 and all(_limit_s(job) is None for job in jobs):
        return [_checked(_outcome(job.run)) for job in jobs]
    told: SimpleQueue[_Told] = SimpleQueue()
    outcomes: dict[int, Outcome] = {}
    deadlines: dict[int, float | None] = {}  # of those that run
    waiting = list(enumerate(jobs))[::-1]
    while len(outcomes) < len(jobs):
        while waiting and len(deadlines) < max_parallel:
            index, job = waiting.pop()
            limit_s = _limit_s(job)
            deadlines[index] = None if limit_s is None else monotonic() + limit_s
            start_thread(job.run, lambda outcome, index=index: told.put((index, outcome)))
        for index, outcome in _take(told, timeout_s=_wait_s(deadlines)):
            if index in deadlines:  # else it has run out of time before
                outcomes[index] = _checked(outcome)
                del deadlines[index]
        for index in _late(deadlines):
            outcomes[index] = TimedOut(jobs[index].timeout_s or 0.0)
            del deadlines[index]
    return [outcomes[index] for index in range(len(jobs))]


def _take(told: SimpleQueue[_Told], *, timeout_s: float | None) -> list[_Told]:
    """Return all that is in the queue, waiting for the first."""
    taken: list[_Told] = []
    with suppress(Empty):
        taken.append(told.get(timeout=timeout_s))
        while True:
            taken.append(told.get_nowait())
    return taken


def _limit_s(job: Job) -> float | None:
    return None if job.timeout_s == float("inf") else job.timeout_s


def _wait_s(deadlines: dict[int, float | None]) -> float | None:
    nearest = min(
        (deadline for deadline in deadlines.values() if deadline is not None), default=None
    )
    return None if nearest is None else max(0.0, nearest - monotonic())


def _late(deadlines: dict[int, float | None]) -> list[int]:
    now = monotonic()
    return [i for i, deadline in deadlines.items() if deadline is not None and deadline <= now]


def _outcome(run: Callable[[], Any]) -> Outcome:
    try:
        return Returned(run())
    except BaseException as error:  # noqa: BLE001 - a thread must tell of its end, however it came
        return Raised(error)


def _is_fatal(outcome: Outcome) -> bool:
    """Return whether it is no mere failure of a tool: Ctrl-C, `pytest.fail`, ..."""
    if not isinstance(outcome, Raised) or isinstance(outcome.error, (Exception, SystemExit)):
        return False
    from asyncio import CancelledError

    # That of a loop of the tool's own, or of what it waited for; not of who waits for the tool.
    return not isinstance(outcome.error, CancelledError)


def _checked(outcome: Outcome) -> Outcome:
    """Return the outcome, but raise what is fatal."""
    if isinstance(outcome, Raised) and _is_fatal(outcome):
        raise outcome.error
    return outcome


def start_thread(run: Callable[[], Any], tell: Callable[[Outcome], object]) -> Thread:
    """Run a call in a daemon thread of its own, which tells how it came out."""
    context = copy_context()
    thread = Thread(target=lambda: tell(context.run(_outcome, run)), daemon=True)
    thread.start()
    return thread


async def last_word_async(call: Callable[[], Awaitable[object]]) -> None:
    """Make one more call on the way out, whatever happens around it; a failure is only logged."""
    import anyio

    with anyio.move_on_after(_LAST_WORD_S, shield=True):
        try:
            await call()
        except Exception:  # noqa: BLE001 - the error on whose way out we are counts
            logger.warning("the last call of a run failed", exc_info=True)


def last_word(call: Callable[[], object]) -> None:
    """Make one more call on the way out; the blocking form of `last_word_async`."""
    try:
        call()
    except Exception:  # noqa: BLE001 - the error on whose way out we are counts
        logger.warning("the last call of a run failed", exc_info=True)
