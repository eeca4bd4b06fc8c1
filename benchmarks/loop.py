"""The event loop of the benchmark's own processes: uvloop where there is one."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


def runner() -> Callable[[Coroutine[Any, Any, None]], None]:
    """Return the function that runs a coroutine to its end, on the fastest loop here."""
    try:
        import uvloop
    except ImportError:  # Windows has none
        return asyncio.run
    return uvloop.run
