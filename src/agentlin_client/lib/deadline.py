"""A whole piece of work within a time: by a cancel scope, or by a thread that is left behind."""

from __future__ import annotations

from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, TypeVar

from .concurrency import Outcome, Raised, Returned, start_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

_JOIN_S: Final = 1.0
"""How long a thread that has told its outcome may take to end."""


async def within_async(
    call: Callable[[], Awaitable[T]],
    *,
    timeout_s: float | None,
    stop: Callable[[], Awaitable[object]],
) -> T:
    """Return what a call returns, if it does so in time.

    Args:
        call: The call.
        timeout_s: How long it may take, in seconds; None for as long as it takes.
        stop: Closes what the call may have left open, once its time is up.

    Raises:
        TimeoutError: The time is up.
    """
    if timeout_s is None:
        return await call()
    from anyio import fail_after

    try:
        with fail_after(timeout_s):
            return await call()
    except TimeoutError:
        await stop()
        raise


def within(call: Callable[[], T], *, timeout_s: float | None, stop: Callable[[], object]) -> T:
    """Return what a call returns, if it does so in time; the blocking form of `within_async`.

    A thread can wait for what nothing ends (a server's `Retry-After`, a name to be looked up),
    so a call with a time-out gets one of its own, a daemon. Where its time is up, or the caller
    is interrupted, it is stopped and not waited for.
    """
    if timeout_s is None:
        return call()
    told: SimpleQueue[Outcome] = SimpleQueue()
    thread = start_thread(call, told.put)
    try:
        outcome = told.get(timeout=None if timeout_s == float("inf") else max(0.0, timeout_s))
    except Empty:
        stop()
        raise TimeoutError from None
    except BaseException:  # Ctrl-C
        stop()
        raise
    thread.join(_JOIN_S)
    if isinstance(outcome, Raised):
        try:
            raise outcome.error
        finally:
            del outcome  # else the error's traceback leads back to the error
    assert isinstance(outcome, Returned)
    value: Any = outcome.value
    return value
