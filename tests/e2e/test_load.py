"""Many streams at once, readers that stop reading, readers that go."""

from contextlib import ExitStack
from http.client import HTTPConnection

import anyio
import anyio.to_thread
import httpx
import psutil
import pytest

from tests.api.frames import CheckedStream, read_frames
from tests.e2e.conftest import Serve

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

STREAMS = 200
READERS = 50
MIB = 1024 * 1024
TEXT = " ".join(f"word{n}" for n in range(60))


async def test_two_hundred_concurrent_streams_are_complete_and_in_order(serve: Serve) -> None:
    steps = f"[{{delay_s: 1}}, {{text: '{TEXT}', chunks: words, delay_s: 0.01}}]"
    script = f"- {{repeat: true, steps: {steps}}}"
    streams = [CheckedStream() for _ in range(STREAMS)]
    open_at_once, peak = 0, 0

    async def read(client: httpx.AsyncClient, stream: CheckedStream) -> None:
        nonlocal open_at_once, peak
        body = {"user_message_content": "Hi", "stream": True}
        async with client.stream("POST", "/v1/tasks", json=body) as answer:
            assert answer.status_code == 200
            open_at_once += 1
            peak = max(peak, open_at_once)
            async for data in answer.aiter_raw():
                stream.feed(data)
            open_at_once -= 1

    limits = httpx.Limits(max_connections=None)
    with anyio.fail_after(90), serve(script) as server:
        async with (
            httpx.AsyncClient(base_url=server.address, limits=limits, timeout=60) as client,
            anyio.create_task_group() as group,
        ):
            for stream in streams:
                group.start_soon(read, client, stream)
    assert peak == STREAMS
    for stream in streams:
        assert stream.close()[-1].type == "task.completed"
        assert stream.text == TEXT
    assert len({stream.frames[0].event["task_id"] for stream in streams}) == STREAMS


def _stalled_reader(address: str, path: str) -> HTTPConnection:
    """Ask for a stream, and do not read it."""
    reader = HTTPConnection(address.removeprefix("http://"), timeout=30)
    reader.request("GET", path)
    return reader


async def test_readers_that_stop_reading_cost_little_and_stop_nobody(serve: Serve) -> None:
    # Some 9 MB on the wire: 450 MB if the server kept them for each reader.
    words = "x" * 1_500_000
    script = f"- steps: [{{delay_s: 1}}, {{text: {words}, chunks: 250}}]"
    with anyio.fail_after(120), serve(script) as server, ExitStack() as stack:
        async with httpx.AsyncClient(base_url=server.address, timeout=60) as client:
            body = {"user_message_content": "Hi", "task_id": "t", "background": True}
            assert (await client.post("/v1/tasks", json=body)).status_code == 200
            before = server.rss_bytes
            readers = [_stalled_reader(server.address, "/tasks/t/events") for _ in range(READERS)]
            for reader in readers:
                stack.callback(reader.close)
            stream = CheckedStream()
            async with client.stream("GET", "/v1/tasks/t/events") as answer:
                async for data in answer.aiter_raw():
                    stream.feed(data)
            assert stream.close()[-1].type == "task.completed"
            assert stream.text == words
            grown = server.rss_bytes - before
            assert grown < READERS * 2 * MIB, f"grew by {grown / MIB:.0f} MiB"
            # Who reads on after all has missed nothing: the rest comes from the database.
            late = await anyio.to_thread.run_sync(lambda: readers[0].getresponse().read())
            assert [f.event for f in read_frames(late)] == stream.events


async def test_a_dropped_client_does_not_stop_its_task(serve: Serve) -> None:
    script = f"- {{text: '{TEXT}', chunks: words, delay_s: 0.01}}"
    with anyio.fail_after(30), serve(script) as server:
        async with httpx.AsyncClient(base_url=server.address) as client:
            body = {"user_message_content": "Hi", "stream": True, "task_id": "t"}
            stream = CheckedStream()
            async with client.stream("POST", "/v1/tasks", json=body) as answer:
                async for data in answer.aiter_raw():
                    stream.feed(data)
                    if stream.text:
                        break
            last = stream.frames[-1]
            rest = await client.get("/v1/tasks/t/events", headers={"Last-Event-ID": last.id})
            read_frames(rest.content, resumed_after=last.seq)
            whole = CheckedStream()
            whole.feed((await client.get("/v1/tasks/t/events")).content)
            assert whole.close()[-1].type == "task.completed"
            assert whole.text == TEXT


async def test_a_dropped_client_leaves_nothing_behind(serve: Serve) -> None:
    with anyio.fail_after(30), serve("- {repeat: true, delay_s: 3600}") as server:
        process = psutil.Process(server.pid)
        body = {"user_message_content": "Hi", "task_id": "t", "background": True}
        async with httpx.AsyncClient(base_url=server.address) as client:
            await client.post("/tasks", json=body)
            idle = len(process.net_connections("tcp"))
            readers = [_stalled_reader(server.address, "/tasks/t/events") for _ in range(20)]
            for reader in readers:
                await anyio.to_thread.run_sync(reader.getresponse)  # it is being served
                reader.close()
            while len(process.net_connections("tcp")) > idle:  # noqa: ASYNC110 - another process
                await anyio.sleep(0.01)
            task = (await client.get("/tasks/t")).json()["result"]
            assert task["status"] == "working"
