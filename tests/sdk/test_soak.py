"""Ten thousand streams, read to the end, left early, or cut and resumed: nothing of them is left.

The garbage collector is off while they run: what they leave behind in cycles would be seen.
"""

import asyncio
import gc
import re
import socket
import sys
import threading
import tracemalloc
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any, Final

import anyio
import psutil
import pytest

from agentlin_client import AsyncClient, Client, DefaultAioHttpClient
from tests.sdk import wire

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

LOG: Final = wire.log("Hel", "lo")
FRAMES: Final = [wire.frame(event) for event in LOG]
HALF: Final = len(LOG) // 2
HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)
CREATE: Final[dict[str, Any]] = {"stream": True, "user_message_content": "Hello"}
CUT: Final = "X-Cut"

WARM_UP: Final = 2_000
STREAMS: Final = 10_000
WAIT_S: Final = 10.0


class StreamServer:
    """Serves the log, from where it is asked for; half of it, if the request says so."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.open = 0

    @property
    def base_url(self) -> str:
        host, port = self._listener.getsockname()
        return f"http://{host}:{port}/v1"
