"""Waiting, in both halves of the SDK."""

import time


def sleep(seconds: float) -> None:
    """Block the thread."""
    time.sleep(seconds)


async def sleep_async(seconds: float) -> None:
    """Suspend the task."""
    # httpx brings anyio along for its async half; it serves asyncio and trio alike.
    import anyio

    await anyio.sleep(seconds)
