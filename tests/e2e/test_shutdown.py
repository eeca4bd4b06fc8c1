"""A server that is told to stop, and servers that share a database."""

import json
import sqlite3
from pathlib import Path

import anyio
import httpx
import pytest

from tests.api.frames import CheckedStream, read_frames
from tests.e2e.conftest import Serve
from tests.e2e.processes import refused

BODY = {"user_message_content": "Hi", "stream": True, "task_id": "t"}


@pytest.mark.anyio
async def test_sigterm_lets_running_tasks_and_their_streams_end(serve: Serve) -> None:
    script = "- steps: [{text: 'a b c d e f g h i j', chunks: words, delay_s: 0.05}]"
    with anyio.fail_after(60), serve(script) as server:
        stream = CheckedStream()
        async with (
            httpx.AsyncClient(base_url=server.address) as client,
            client.stream("POST", "/v1/tasks", json=BODY) as answer,
        ):
            asked = False
            async for data in answer.aiter_raw():
                stream.feed(data)
                if stream.text and not asked:
                    server.ask_to_stop()
                    asked = True
        assert stream.close()[-1].type == "task.completed"
        assert stream.text == "a b c d e f g h i j"
        status, said = server.wait_stopped()
        assert status == 0
        assert "Traceback" not in said


@pytest.mark.anyio
async def test_what_outlasts_the_grace_goes_on_at_the_next_start(serve: Serve) -> None:
    script = "- steps: [{text: so far}, {delay_s: 3600}]"
    with anyio.fail_after(60):
        stream = CheckedStream()
        with serve(script, stop_grace_s=0) as server:
            async with (
                httpx.AsyncClient(base_url=server.address) as client,
                client.stream("POST", "/v1/tasks", json=BODY) as answer,
            ):
                async for data in answer.aiter_raw():
                    stream.feed(data)
                    if stream.text:
                        server.ask_to_stop()
            assert stream.frames[-1].type == "task.queued", "the stream ended in good order"
            status, said = server.wait_stopped()
            assert status == 0
            assert "Traceback" not in said
        assert stream.text == "so far"
        with serve("- text: whole") as server:
            async with httpx.AsyncClient(base_url=server.address) as client:
                frames = read_frames((await client.get("/v1/tasks/t/events")).content)
            assert [f.event for f in frames[: len(stream.frames)]] == stream.events
            assert frames[-1].type == "task.completed"
            assert [item["status"] for item in frames[-1].event["task"]["output"]] == [
                "incomplete",
                "completed",
            ]


@pytest.mark.anyio
async def test_a_stopping_server_still_answers_and_takes_no_task(serve: Serve) -> None:
    script = "- steps: [{text: so far}, {delay_s: 3600}]"
    with anyio.fail_after(60), serve(script, stop_grace_s=30) as server:
        async with (
            httpx.AsyncClient(base_url=server.address) as client,
            client.stream("POST", "/v1/tasks", json=BODY) as answer,
        ):
            async for _ in answer.aiter_raw():
                break
            server.ask_to_stop()
            async with httpx.AsyncClient(base_url=server.address) as other:  # a new connection
                while (await other.get("/readyz")).status_code == 200:
                    pass
                refused = await other.post("/v1/tasks", json={"user_message_content": "Hi"})
                assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
                assert (await other.get("/v1/tasks/t")).json()["result"]["status"] == "working"
                canceled = await other.post("/v1/tasks/t/cancel")
                assert canceled.json()["result"]["status"] == "canceled"
        status, said = server.wait_stopped()
        assert (status, "Traceback" in said) == (0, False)


def test_an_idle_server_stops_at_once(serve: Serve) -> None:
    with serve() as server, httpx.Client(base_url=server.address) as client:
        assert client.get("/readyz").status_code == 200
        server.ask_to_stop()
        status, said = server.wait_stopped()
        assert (status, "Traceback" in said) == (0, False)


def test_a_second_server_on_a_database_says_where_the_first_one_is(serve: Serve) -> None:
    with serve() as server:
        said = refused(server.db, model="scripted/echo")
        assert server.address in said
        assert "Traceback" not in said
        assert "--db" in said
        with httpx.Client(base_url=server.address) as client:
            assert client.get("/readyz").status_code == 200


def test_a_killed_servers_database_is_free(serve: Serve) -> None:
    with serve() as server:
        server.kill()
    assert Path(f"{server.db}.server").exists()
    with serve() as server, httpx.Client(base_url=server.address) as client:
        assert client.get("/readyz").status_code == 200
        named = json.loads(Path(f"{server.db}.server").read_text())
        assert named["address"] == server.address
        server.ask_to_stop()
        server.wait_stopped()
    assert not Path(f"{server.db}.server").exists()


def test_a_port_that_is_taken_is_named(serve: Serve, tmp_path: Path) -> None:
    with serve() as server:
        port = server.address.rpartition(":")[2]
        said = refused(str(tmp_path / "other.db"), port=port, model="scripted/echo")
        assert port in said
        assert "Traceback" not in said


def test_a_database_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"this is no database, but a letter to a friend" * 100)
    said = refused(str(path), model="scripted/echo")
    assert "Traceback" not in said
    assert path.read_bytes().startswith(b"this is no database")


def test_only_the_owner_reads_the_database_and_the_key_beside_it(serve: Serve) -> None:
    with serve() as server:
        with httpx.Client(base_url=server.address) as client:
            client.post("/tasks", json={"user_message_content": "Hi"})
        for suffix in ("", "-wal", "-shm", ".key"):
            assert Path(f"{server.db}{suffix}").stat().st_mode & 0o077 == 0, suffix
        server.ask_to_stop()
        server.wait_stopped()
    db = sqlite3.connect(server.db)
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
