"""The server is killed and started again; our client's streams go on by themselves."""

import threading
from collections import defaultdict
from contextlib import ExitStack
from typing import Any

import anyio
import anyio.to_thread
import pytest

from agentlin_client import APIConnectionError, AsyncClient, Client
from agentlin_client._retry import Retry
from agentlin_client.lib import final_text
from agentlin_client.types.order import OrderValidator
from tests.e2e.conftest import Serve
from tests.e2e.sdk_clients import KINDS, Face
from tests.sdk.conftest import KEY

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

WORDS = " ".join(f"word{n}" for n in range(2_000))
SLOW = f"""
- repeat: true
  steps:
    - {{reasoning: "Let me think about this first.", chunks: words}}
    - {{text: "{WORDS}", chunks: words, delay_s: 0.003}}
"""
QUICK = "- {repeat: true, text: 'Said at last.', chunks: words}"
FAR = 100
WAIT_S = 30.0


class Reader:
    """Follows a task with a client of one kind, and says when it is in full flow."""

    def __init__(self, kind: str, base_url: str) -> None:
        self.face = Face(kind, base_url)
        self.task_id = f"t_{kind}"
        self.events: list[Any] = []
        self.retries: list[Retry] = []
        self.is_far = threading.Event()

    async def read(self) -> None:
        if self.face.kind == "sync":  # which would block the others
            await anyio.to_thread.run_sync(anyio.run, self._read)
        else:
            await self._read()

    async def _read(self) -> None:
        client = self.face.client(waits=True, max_retries=8, on_retry=self.retries.append)
        stream = client.tasks.create(stream=True, user_message_content="Hi", task_id=self.task_id)
        await self.face.drain(await self.face.done(stream), self)  # type: ignore[arg-type]
        await self.face.close()

    def append(self, event: Any) -> None:
        self.events.append(event)
        if len(self.events) > FAR:
            self.is_far.set()


def check_deltas(events: list[dict[str, Any]]) -> None:
    """Check that the deltas of each part add up to the text that is said to be done."""
    grown = defaultdict[Any, str](str)
    for event in events:
        kind, _, what = event["type"].rpartition(".")
        if kind in {"task.text", "task.reasoning_text"}:
            part = event["item_id"], event["content_index"]
            if what == "delta":
                grown[part] += event["delta"]
            else:
                assert grown[part] == event["text"]


async def test_streams_go_on_by_themselves_when_the_server_is_killed_and_comes_back(
    serve: Serve,
) -> None:
    base_url, readers = "", list[Reader]()
    with anyio.fail_after(2 * WAIT_S), ExitStack() as stack:
        async with anyio.create_task_group() as group:
            with serve(SLOW) as server:
                base_url = f"{server.address}/v1"
                readers = [Reader(kind, base_url) for kind in KINDS]
                for reader in readers:
                    group.start_soon(reader.read)
                for reader in readers:
                    assert await anyio.to_thread.run_sync(reader.is_far.wait, WAIT_S)
                server.kill()
            again = serve(QUICK, port=base_url.rpartition(":")[2].removesuffix("/v1"))
            stack.push(again.__exit__)
            await anyio.to_thread.run_sync(again.__enter__)  # meanwhile they try to connect
        with Client(api_key=KEY, base_url=base_url) as direct:
            for reader in readers:
                check(reader, direct)


def check(reader: Reader, direct: Client) -> None:
    """Check that a reader has seen the log, each event once, and how."""
    events = [event.to_dict() for event in reader.events]
    assert events == [event.to_dict() for event in direct.tasks.events(reader.task_id)]
    order = OrderValidator()
    for event in events:
        order.check(event)
    assert events[-1]["type"] == "task.completed"
    check_deltas(events)
    assert final_text(direct.tasks.retrieve(reader.task_id).unwrap()) == "Said at last."
    assert isinstance(reader.retries[0].error, APIConnectionError)
    assert "after event" in str(reader.retries[0].error)
    assert (reader.retries[0].number, reader.retries[0].delay_s) == (1, 0.0)
    assert len(reader.retries) > 1, "there was no server for a while"


async def test_waiting_for_a_task_and_following_its_text_outlast_a_restart(serve: Serve) -> None:
    finals: list[str] = []

    async def wait(base_url: str) -> None:
        async with AsyncClient(api_key=KEY, base_url=base_url, max_retries=8) as client:
            task = await client.tasks.wait("t", timeout=WAIT_S)
            finals.append(final_text(task))

    async def follow(base_url: str, is_far: anyio.Event) -> None:
        client = AsyncClient(api_key=KEY, base_url=base_url, max_retries=8)
        async with (
            client,
            client.tasks.stream(user_message_content="Hi", task_id="t") as stream,
        ):
            async for _ in stream.text_deltas:
                is_far.set()
            finals.append(await stream.final_text)

    with anyio.fail_after(2 * WAIT_S), ExitStack() as stack:
        async with anyio.create_task_group() as group:
            with serve(SLOW) as server:
                base_url, is_far = f"{server.address}/v1", anyio.Event()
                group.start_soon(follow, base_url, is_far)
                await is_far.wait()
                group.start_soon(wait, base_url)
                await anyio.wait_all_tasks_blocked()
                server.kill()
            again = serve(QUICK, port=base_url.rpartition(":")[2].removesuffix("/v1"))
            stack.push(again.__exit__)
            await anyio.to_thread.run_sync(again.__enter__)
    assert finals == ["Said at last."] * 2
