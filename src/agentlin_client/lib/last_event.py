"""Reading a stream to its end, within a time: by a cancel scope, or by a timer that closes it."""

from __future__ import annotations

from threading import Event, Timer
from typing import TYPE_CHECKING

from agentlin_client._errors import ClientError

if TYPE_CHECKING:
    from agentlin_client.types import AgentTaskEvent

    from .async_sources import AsyncEventStream
    from .sources import EventStream

_JOIN_S = 1.0


async def last_event_async(
    stream: AsyncEventStream, *, timeout_s: float | None
) -> AgentTaskEvent | None:
    """Read a stream to its end and close it; return its last event, None if there was none.

    Args:
        stream: The stream, none of whose events is wanted but the last.
        timeout_s: How long to read, in seconds; None reads on.

    Raises:
        TimeoutError: The time is up; the stream is closed.
    """
    from anyio import fail_after

    last: AgentTaskEvent | None = None
    try:
        with fail_after(timeout_s):
            async for event in stream:
                last = event
    finally:
        await stream.close()
    return last


def last_event(stream: EventStream, *, timeout_s: float | None) -> AgentTaskEvent | None:
    """Read a stream to its end and close it; the blocking form of `last_event_async`."""
    is_time_up = Event()

    def stop() -> None:
        is_time_up.set()
        stream.close()

    # Servers' pings keep a blocking read from ever timing out, so another thread must end it.
    timer = None if timeout_s is None else Timer(max(0.0, timeout_s), stop)
    last: AgentTaskEvent | None = None
    try:
        if timer is not None:
            timer.daemon = True
            timer.start()
        for event in stream:
            last = event
    except ClientError:
        if not is_time_up.is_set():  # else it is how the closing shows
            raise
    finally:
        if timer is not None:
            timer.cancel()
            timer.join(_JOIN_S)
        stream.close()
    if is_time_up.is_set():
        raise TimeoutError
    return last
