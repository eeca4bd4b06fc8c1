"""Pause and resume."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx
import pytest

from agentlin_server.models.script import Answer, Fail, Gate, Text, ToolCall
from tests.api.frames import read_frames
from tests.api.serving import Api, Scripted, serving
from tests.api.test_envelope import checked
from tests.requirements import requirement

pytestmark = pytest.mark.anyio


async def ordered(api: Api, operation: str, task_id: str = "t", **headers: str) -> httpx.Response:
    return await api.post({}, path=f"/v1/tasks/{task_id}/{operation}", **headers)


@asynccontextmanager
async def working(scripted: Scripted) -> AsyncIterator[tuple[Api, anyio.Event]]:
    """A service whose task "t" is in the first of two model calls, until the event is set."""
    gate, begun = anyio.Event(), anyio.Event()

    async def wait() -> None:
        begun.set()
        await gate.wait()

    answers = [
        Answer((Text("one"), Gate(wait), ToolCall("f")), results=0),
        Answer((Text("two"),), results=1),
    ]
    async with scripted(answers) as api:
        await api.create(task_id="t", background=True)
        with anyio.fail_after(10):
            await begun.wait()
        yield api, gate
        gate.set()


@requirement("task.pause.intent", "task.pause.between-steps")
async def test_a_pause_is_answered_at_once_and_takes_effect_after_the_step(
    scripted: Scripted,
) -> None:
    async with working(scripted) as (api, gate):
        paused = checked(await ordered(api, "pause"), 200)["result"]
        assert (paused["status"], paused["pause_requested"]) == ("working", True)
        assert paused == await api.task("t")
        listed = checked(await api.get("/v1/tasks"), 200)["result"]
        assert [task["pause_requested"] for task in listed] == [True]

        async with api.following("/v1/tasks/t/events") as stream:
            await stream.begun()
            gate.set()
            frames = read_frames(await stream.rest())
        assert frames[-1].type == "task.paused"
        task = await api.task("t")
        assert (task["status"], task["pause_requested"]) == ("paused", False)
        assert frames[-1].event["task"] == task
        assert [item["type"] for item in task["output"]] == ["message", "tool_call", "tool_result"]

        resumed = checked(await ordered(api, "resume"), 200)["result"]
        assert resumed["status"] in {"queued", "working", "completed"}
        frames = await api.events("t", f"?starting_after={frames[-1].seq}")
        assert [f.type for f in frames[:2]] == ["task.queued", "task.working"]
        assert frames[-1].type == "task.completed"


@requirement("task.pause.intent", "events.same-bytes")
async def test_what_is_asked_for_is_in_no_event(scripted: Scripted) -> None:
    async with working(scripted) as (api, gate):
        checked(await ordered(api, "pause"), 200)
        gate.set()
        for frame in await api.events("t"):
            assert not frame.event.get("task", {}).get("pause_requested")


@requirement("task.pause.intent")
async def test_a_pause_and_a_resume_may_be_repeated(scripted: Scripted) -> None:
    async with working(scripted) as (api, gate):
        for _ in range(2):
            assert checked(await ordered(api, "pause"), 200)["result"]["pause_requested"]
        gate.set()
        assert (await api.events("t"))[-1].type == "task.paused"
        assert checked(await ordered(api, "pause"), 200)["result"]["status"] == "paused"
        assert (await api.task("t"))["pause_requested"] is False
        for _ in range(2):
            answer = await ordered(api, "resume")
            assert answer.status_code == 200 or (await api.task("t"))["status"] == "completed"
        assert (await api.events("t"))[-1].type == "task.completed"


async def test_many_resumes_at_once_let_the_task_go_on_once(scripted: Scripted) -> None:
    async with working(scripted) as (api, gate):
        checked(await ordered(api, "pause"), 200)
        gate.set()
        paused = (await api.events("t"))[-1]
        statuses: set[int] = set()

        async def resume() -> None:
            statuses.add((await ordered(api, "resume")).status_code)

        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(resume)
        assert statuses <= {200, 409}  # 409 once it has ended
        frames = await api.events("t", f"?starting_after={paused.seq}&until=final")
        types = [frame.type for frame in frames]
        assert types[:2] == ["task.queued", "task.working"]
        assert types[-1] == "task.completed"
        assert types.count("task.queued") == 1


@requirement("task.pause.withdrawn")
async def test_a_resume_withdraws_a_pause_that_has_not_taken_effect(scripted: Scripted) -> None:
    async with working(scripted) as (api, gate):
        checked(await ordered(api, "pause"), 200)
        resumed = checked(await ordered(api, "resume"), 200)["result"]
        assert (resumed["status"], resumed["pause_requested"]) == ("working", False)
        gate.set()
        types = [frame.type for frame in await api.events("t")]
        assert types[-1] == "task.completed"
        assert "task.paused" not in types


async def test_an_end_that_is_reached_first_wins(scripted: Scripted) -> None:
    gate = anyio.Event()
    async with scripted([Answer((Text("a"), Gate(gate)))]) as api:
        async with api.streaming(task_id="t") as stream:
            await stream.begun()
            first = await stream.chunk()
            checked(await ordered(api, "pause"), 200)
            gate.set()
            assert read_frames(first + await stream.rest())[-1].type == "task.completed"
        assert (await api.task("t"))["pause_requested"] is False


async def test_a_queued_task_is_paused_once_it_runs(scripted: Scripted) -> None:
    gate = anyio.Event()
    answers = [Answer((Gate(gate),), match="first"), Answer((Text("b"),), match="second")]
    async with scripted(answers) as api:
        await api.create("first", session_id="s", background=True)
        await api.create("second", task_id="t", session_id="s", background=True)
        task = checked(await ordered(api, "pause"), 200)["result"]
        assert (task["status"], task["pause_requested"]) == ("queued", True)
        gate.set()
        frames = await api.events("t")
        assert frames[-1].type == "task.paused"
        assert frames[-1].event["task"]["output"] == []
        checked(await ordered(api, "resume"), 200)
        frames = await api.events("t", f"?starting_after={frames[-1].seq}")
        assert frames[-1].type == "task.completed"


@requirement("task.pause.refused")
async def test_a_task_that_has_ended_can_be_neither_paused_nor_resumed(scripted: Scripted) -> None:
    async with scripted([Answer((Text("a"),)), Answer((Fail("request"),))]) as api:
        for task_id in ("completed", "failed"):
            task = await api.create(task_id=task_id)
            for operation in ("pause", "resume"):
                answer = await ordered(api, operation, task_id)
                assert checked(answer, 409)["error"]["code"] == -32009
            assert await api.task(task_id) == task


@requirement("task.pause.refused")
async def test_a_task_that_nobody_paused_cannot_be_resumed(scripted: Scripted) -> None:
    async with working(scripted) as (api, _):
        assert checked(await ordered(api, "resume"), 409)["error"]["code"] == -32009


async def test_neither_needs_a_body(scripted: Scripted) -> None:
    async with working(scripted) as (api, _):
        first = await api.client.post("/v1/tasks/t/pause")
        second = await api.client.post("/tasks/t/resume/")
        assert checked(first, 200)["result"]["pause_requested"] is True
        assert checked(second, 200)["result"]["pause_requested"] is False


async def test_a_create_that_waits_is_answered_when_the_task_is_paused(scripted: Scripted) -> None:
    async with working(scripted) as (api, gate):
        checked(await ordered(api, "pause"), 200)
        body = {"user_message_content": "Hi", "task_id": "t"}
        async with api.watching(body) as waiting:
            gate.set()
            await waiting.begun()
            assert b'"status":"paused"' in await waiting.rest()


@pytest.mark.parametrize(("version", "is_bare"), [("1.14.0", True), ("1.5.0", False)])
async def test_the_clients_that_parse_a_bare_task_get_it_from_both(
    scripted: Scripted, version: str, *, is_bare: bool
) -> None:
    header = {"X_Stainless_Package_Version": version}
    async with working(scripted) as (api, _):
        for operation, wanted in (("pause", True), ("resume", False)):
            answer = await ordered(api, operation, **header)
            task = answer.json() if is_bare else checked(answer, 200)["result"]
            assert (task["id"], task["pause_requested"]) == ("t", wanted)
            assert answer.headers["x-request-id"]
        # Errors are enveloped like all others.
        assert checked(await ordered(api, "resume", "none", **header), 404)["error"]


@requirement("task.pause.intent")
async def test_a_paused_task_stays_paused_across_a_restart(tmp_path: Path) -> None:
    script = tmp_path / "script.yaml"
    script.write_text(
        "- {results: 0, steps: [{text: one}, {delay_s: 0.2}, {tool_call: {name: f}}]}\n"
        "- {results: 1, text: two}\n"
    )
    settings = {"db": str(tmp_path / "a.db"), "script": script, "model": "scripted/m"}
    async with serving(**settings) as api:
        await api.create(task_id="t", background=True)
        checked(await ordered(api, "pause"), 200)
        assert (await api.events("t"))[-1].type == "task.paused"
    async with serving(**settings) as api:
        assert (await api.task("t"))["status"] == "paused"
        checked(await ordered(api, "resume"), 200)
        assert (await api.events("t", "?until=final"))[-1].type == "task.completed"
