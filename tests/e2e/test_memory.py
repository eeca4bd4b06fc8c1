"""What finished tasks leave in the server's memory: nothing.

By default 3,000 tasks are compared with 1,000, which shows a leak of 800 bytes per task. With
`TEST_LONG=1` in the environment it is the figure that was promised: 10,000 with 1,000.
"""

import os
from collections.abc import Iterator
from typing import Final

import anyio
import httpx
import pytest

from tests.e2e.conftest import Serve
from tests.requirements import requirement

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

FEW: Final = 1_000
MANY: Final = 10_000 if os.environ.get("TEST_LONG") else 3_000
MIB: Final = 1024 * 1024
GROWTH_MAX: Final = 1.5 * MIB
"""Measured: 0.3 MiB from 1,000 to 10,000. Where Python's arenas, of up to 1 MiB, end is chance."""
AT_ONCE: Final = 16
SCRIPT: Final = """
- {match: "^hang", repeat: true, steps: [{text: "So "}, {delay_s: 3600}]}
- {match: "^fail", repeat: true, steps: [{text: "So "}, {error: request}]}
- {repeat: true, text: "One two three four five.", chunks: words}
"""


async def answered(client: httpx.AsyncClient, name: str) -> None:
    """Wait for the answer."""
    body = {"user_message_content": "say", "stream": False, "task_id": name}
    task = (await client.post("/tasks", json=body)).json()["result"]
    assert task["status"] == "completed"


async def streamed(client: httpx.AsyncClient, name: str) -> None:
    """Read the whole stream, also of a task that fails."""
    body = {"user_message_content": "fail", "stream": True, "task_id": name}
    assert "event: task.failed" in (await client.post("/tasks", json=body)).text


async def left(client: httpx.AsyncClient, name: str) -> None:
    """Leave the stream after its first bytes, come back for the rest, look at the task."""
    body = {"user_message_content": "say", "stream": True, "task_id": name}
    async with client.stream("POST", "/tasks", json=body) as answer:
        async for _ in answer.aiter_raw():
            break
    events = await client.get(f"/tasks/{name}/events")
    assert "event: task.completed" in events.text
    assert (await client.get(f"/tasks/{name}")).json()["result"]["status"] == "completed"


async def canceled(client: httpx.AsyncClient, name: str) -> None:
    """Cancel the task in the middle of its answer."""
    body = {"user_message_content": "hang", "background": True, "task_id": name}
    assert (await client.post("/tasks", json=body)).status_code == 200
    task = (await client.post(f"/tasks/{name}/cancel")).json()["result"]
    assert task["status"] == "canceled"


KINDS: Final = (answered, streamed, left, canceled)


async def run_tasks(client: httpx.AsyncClient, numbers: Iterator[int]) -> None:
    """Create tasks of all kinds, some at a time, and see each of them to its end."""

    async def work() -> None:
        for number in numbers:  # shared: each takes the next
            await KINDS[number % len(KINDS)](client, f"task_{number}")

    async with anyio.create_task_group() as group:
        for _ in range(AT_ONCE):
            group.start_soon(work)


@requirement("server.leaves-nothing")
async def test_the_memory_after_many_tasks_is_what_it_was_after_few(serve: Serve) -> None:
    with anyio.fail_after(300), serve(SCRIPT) as server:
        async with httpx.AsyncClient(base_url=f"{server.address}/v1", timeout=60) as client:
            await run_tasks(client, iter(range(FEW)))
            before = server.rss_bytes
            await run_tasks(client, iter(range(FEW, MANY)))
            grown = server.rss_bytes - before
            assert grown < GROWTH_MAX, f"{MANY - FEW} tasks left {grown / MIB:.1f} MiB"
