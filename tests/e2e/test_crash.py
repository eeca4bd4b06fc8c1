"""The server is killed while tasks stream: what anyone was sent is there after the restart."""

import anyio
import httpx
import pytest

from tests.api.frames import CheckedStream, Frame, read_frames
from tests.e2e.conftest import Serve
from tests.e2e.processes import ServerProcess

pytestmark = pytest.mark.anyio

WORDS = " ".join(f"word{n}" for n in range(2_000))
SLOW = f"""
- repeat: true
  steps:
    - {{reasoning: "Let me think about this first.", chunks: words}}
    - {{text: "{WORDS}", chunks: words, delay_s: 0.003}}
"""
QUICK = "- {repeat: true, text: 'Said at last.', chunks: words}"
STREAMS = 5
FAR = 100


async def _watch(
    client: httpx.AsyncClient, task_id: str, seen: CheckedStream, is_far: anyio.Event
) -> None:
    """Read until the connection breaks; say so when the stream is in full flow."""
    body = {"user_message_content": "Hi", "stream": True, "task_id": task_id, "request_id": "r"}
    try:
        async with client.stream("POST", "/v1/tasks", json=body) as answer:
            async for data in answer.aiter_raw():
                seen.feed(data)
                if len(seen.frames) > FAR:
                    is_far.set()
    except httpx.RemoteProtocolError:
        pass


async def _kill_in_full_flow(server: ServerProcess, seen: list[CheckedStream]) -> None:
    async with (
        httpx.AsyncClient(base_url=server.address) as client,
        anyio.create_task_group() as group,
    ):
        far = [anyio.Event() for _ in seen]
        for n, stream in enumerate(seen):
            group.start_soon(_watch, client, f"t{n}", stream, far[n])
        for event in far:
            await event.wait()
        server.kill()


async def test_a_killed_server_has_lost_nothing_that_it_sent(serve: Serve) -> None:
    seen = [CheckedStream() for _ in range(STREAMS)]
    with anyio.fail_after(60):
        with serve(SLOW) as server:
            await _kill_in_full_flow(server, seen)
        assert not any(stream.frames[-1].type == "task.completed" for stream in seen)
        with serve(QUICK) as server:
            async with httpx.AsyncClient(base_url=server.address) as client:
                for n, stream in enumerate(seen):
                    await _check_recovered(client, f"t{n}", stream.frames)


async def _check_recovered(client: httpx.AsyncClient, task_id: str, sent: list[Frame]) -> None:
    path = f"/v1/tasks/{task_id}"
    answer = await client.get(f"{path}/events", headers={"X-Request-ID": "r"})
    frames = read_frames(answer.content)
    # Byte for byte what was sent, then the rest.
    assert answer.content.startswith(b"".join(frame.raw for frame in sent))
    assert frames[-1].type == "task.completed"
    task = (await client.get(path)).json()["result"]
    assert task == frames[-1].event["task"]
    reasoning, message, again = task["output"]
    assert (message["status"], again["status"]) == ("incomplete", "completed")
    assert (again["attempt"], again["supersedes"]) == (2, reasoning["id"])
    assert again["message_content"][0]["text"] == "Said at last."
    said = "".join(f.event["delta"] for f in sent if f.type == "task.text.delta")
    assert message["message_content"][0]["text"].startswith(said)
    assert said
    assert reasoning["content"][0]["text"] == "Let me think about this first."

    # A reader goes on exactly where it was, by number as by id.
    last = sent[-1]
    for headers, query in (({"Last-Event-ID": last.id}, ""), ({}, f"?starting_after={last.seq}")):
        rest = await client.get(f"{path}/events{query}", headers=headers)
        resumed = read_frames(rest.content, resumed_after=last.seq)
        assert [f.event for f in resumed] == [f.event for f in frames[last.seq + 1 :]]


async def test_tasks_that_waited_run_after_the_restart(serve: Serve) -> None:
    with anyio.fail_after(60):
        with serve("- {delay_s: 3600}") as server:
            async with httpx.AsyncClient(base_url=server.address) as client:
                for n in range(2):
                    body = {
                        "user_message_content": f"Hi {n}",
                        "session_id": "s",
                        "task_id": f"t{n}",
                        "background": True,
                    }
                    assert (await client.post("/tasks", json=body)).status_code == 200
                server.kill()
        with serve("- {repeat: true, text: done}") as server:
            async with httpx.AsyncClient(base_url=server.address) as client:
                ends = [
                    read_frames((await client.get(f"/tasks/t{n}/events")).content)[-1].type
                    for n in range(2)
                ]
                assert ends == ["task.completed", "task.completed"]


async def test_a_finished_task_and_its_key_outlive_the_server(serve: Serve) -> None:
    body = {"user_message_content": "Hi there"}
    with anyio.fail_after(60):
        tasks: list[object] = []
        for _ in range(2):
            with serve() as server:
                async with httpx.AsyncClient(base_url=server.address) as client:
                    answer = await client.post(
                        "/tasks", json=body, headers={"Idempotency-Key": "k"}
                    )
                    tasks.append(answer.json()["result"])
                server.kill()
        assert tasks[0] == tasks[1]
