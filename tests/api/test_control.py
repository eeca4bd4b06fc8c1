"""Cancel and delete."""

import sqlite3
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from agentlin_client.types.fold import TaskFold
from agentlin_server.domain.records import TaskRow
from agentlin_server.engine.reader import TaskReader
from agentlin_server.models.script import Answer, Fail, Gate, Text
from tests.api.frames import read_frames
from tests.api.serving import Api, Scripted, serving
from tests.api.test_envelope import checked

pytestmark = pytest.mark.anyio

HANGING = Answer((Text("so far"), Gate(anyio.sleep_forever)), repeat=True)


async def cancel(api: Api, task_id: str, **headers: str) -> httpx.Response:
    return await api.post({}, path=f"/v1/tasks/{task_id}/cancel", **headers)


async def test_a_cancel_answers_once_the_task_is_canceled(scripted: Scripted) -> None:
    async with scripted([HANGING]) as api, api.streaming(task_id="t") as stream:
        await stream.begun()
        first = await stream.chunk()
        while b'"so far"' not in first:
            first += await stream.chunk()
        task = checked(await cancel(api, "t"), 200)["result"]
        assert task["status"] == "canceled"
        (item,) = task["output"]
        assert item["status"] == "incomplete"
        assert item["message_content"][0]["text"] == "so far"
        frames = read_frames(first + await stream.rest())
        assert frames[-1].type == "task.canceled"
        assert frames[-1].event["task"] == task == await api.task("t")


async def test_a_cancel_needs_no_body_and_may_be_repeated(scripted: Scripted) -> None:
    async with scripted([HANGING]) as api:
        await api.create(task_id="t", background=True)
        first = await api.client.post("/v1/tasks/t/cancel")
        second = await api.client.post("/tasks/t/cancel/")
        assert checked(first, 200)["result"] == checked(second, 200)["result"]


async def test_a_task_that_has_ended_otherwise_cannot_be_canceled(scripted: Scripted) -> None:
    async with scripted([Answer((Text("a"),)), Answer((Fail("request"),))]) as api:
        for status in ("completed", "failed"):
            task = await api.create()
            assert task["status"] == status
            assert checked(await cancel(api, task["id"]), 409)["error"]["code"] == -32002
            assert (await api.task(task["id"])) == task


async def test_a_queued_task_is_canceled_without_having_run(scripted: Scripted) -> None:
    async with scripted([HANGING]) as api:
        await api.create(task_id="one", session_id="s", background=True)
        await api.create(task_id="two", session_id="s", background=True)
        task = checked(await cancel(api, "two"), 200)["result"]
        assert (task["status"], task["output"]) == ("canceled", [])
        assert [f.type for f in await api.events("two")] == [
            "task.created",
            "task.queued",
            "task.canceled",
        ]


async def test_when_a_task_ends_the_next_of_its_session_runs(scripted: Scripted) -> None:
    async with scripted([HANGING, Answer((Text("next"),), match="second")][::-1]) as api:
        await api.create("first", task_id="one", session_id="s", background=True)
        await api.create("second", task_id="two", session_id="s", background=True)
        async with api.following("/v1/tasks/two/events") as stream:
            await stream.begun()
            checked(await cancel(api, "one"), 200)
            assert read_frames(await stream.rest())[-1].type == "task.completed"


@pytest.mark.parametrize(
    ("version", "is_bare"),
    [
        ("1.14.0", True),
        ("1.11.0", True),
        ("1.11", True),
        ("2.0.0", True),
        ("1.10.9", False),
        ("1.5.0", False),
        ("0.99", False),
        ("1", False),
        ("x.y.z", False),
        ("", False),
    ],
)
async def test_the_clients_that_parse_a_bare_task_get_it_from_cancel_only(
    scripted: Scripted, version: str, *, is_bare: bool
) -> None:
    async with scripted([HANGING]) as api:
        header = {"X_Stainless_Package_Version": version}
        created = await api.post(
            {"user_message_content": "Hi", "background": True, "task_id": "t"}, **header
        )
        checked(created, 200)
        answer = await cancel(api, "t", **header)
        if is_bare:
            assert answer.json() == await api.task("t")
            assert answer.headers["x-request-id"]
        else:
            checked(answer, 200)
        checked(await api.get("/v1/tasks/t", **header), 200)
        checked(await api.get("/v1/tasks", **header), 200)
        # Its errors it reads from the status; they are enveloped like all others.
        checked(await cancel(api, "none", **header), 404)
        deleted = await api.client.delete(
            "/v1/tasks/t", headers={"X-Stainless-Package-Version": version}
        )
        checked(deleted, 200)


async def test_a_delete_answers_the_last_snapshot_then_all_is_404(api: Api) -> None:
    task = await api.create(task_id="t")
    assert checked(await api.client.delete("/v1/tasks/t"), 200)["result"] == task
    for answer in (
        await api.get("/v1/tasks/t"),
        await api.get("/v1/tasks/t/events"),
        await cancel(api, "t"),
        await api.client.delete("/v1/tasks/t"),
    ):
        assert checked(answer, 404)["error"]["code"] == -32001
    assert checked(await api.get("/v1/tasks"), 200)["result"] == []


async def test_the_id_and_key_of_a_deleted_task_stay_taken(api: Api) -> None:
    body = {"user_message_content": "Hi", "task_id": "t"}
    checked(await api.post(body, Idempotency_Key="k"), 200)
    checked(await api.client.delete("/v1/tasks/t"), 200)
    assert checked(await api.post(body), 409)["error"]["code"] == -32012
    again = await api.post({"user_message_content": "Hi"}, Idempotency_Key="k")
    assert checked(again, 409)["error"]["code"] == -32012


async def test_a_delete_cancels_first_and_ends_the_readers(scripted: Scripted) -> None:
    async with scripted([HANGING]) as api, api.streaming(task_id="t") as stream:
        await stream.begun()
        early = await stream.chunk()
        task = checked(await api.client.delete("/v1/tasks/t"), 200)["result"]
        assert task["status"] == "canceled"
        frames = read_frames(early + await stream.rest())
        assert frames[-1].type == "task.canceled"
        checked(await api.get("/v1/tasks/t"), 404)


async def test_a_delete_ends_a_create_that_waits(scripted: Scripted) -> None:
    async with (
        scripted([HANGING]) as api,
        api.watching({"user_message_content": "Hi", "task_id": "t"}) as waiting,
    ):
        await anyio.wait_all_tasks_blocked()
        checked(await api.client.delete("/v1/tasks/t"), 200)
        await waiting.begun()
        assert b'"status":"canceled"' in await waiting.rest()


async def test_the_turns_of_a_deleted_task_leave_its_session(scripted: Scripted) -> None:
    answers = [Answer((Text("one"),)), Answer((Text("two"),)), Answer((Text("three"),))]
    async with scripted(answers) as api:
        first = await api.create(session_id="s")
        second = await api.create(session_id="s")
        assert second["previous_task_id"] == first["id"]
        await api.client.delete(f"/v1/tasks/{second['id']}")
        assert (await api.create(session_id="s"))["previous_task_id"] == first["id"]


async def test_a_task_deleted_while_a_list_is_made_is_left_out(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await api.create(task_id="t")
    await api.create(task_id="other")
    fold, store = TaskReader.fold, api.service.engine._store

    async def late(self: TaskReader, task: TaskRow, **place: Any) -> TaskFold:
        if task.id == "t":
            await store.delete(task.pk, reserved_until=0.0)
        return await fold(self, task, **place)

    monkeypatch.setattr(TaskReader, "fold", late)
    listed = checked(await api.get("/v1/tasks"), 200)["result"]
    assert [task["id"] for task in listed] == ["other"]


async def test_a_task_deleted_while_it_is_read_is_404(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await api.create(task_id="t")
    fold, store = TaskReader.fold, api.service.engine._store

    async def late(self: TaskReader, task: TaskRow, **place: Any) -> TaskFold:
        await store.delete(task.pk, reserved_until=0.0)
        return await fold(self, task, **place)

    monkeypatch.setattr(TaskReader, "fold", late)
    assert checked(await api.get("/v1/tasks/t"), 404)["error"]["code"] == -32001


async def test_no_key_is_kept_in_the_clear(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    secrets = {"Authorization": "Bearer sk-very-secret", "Idempotency_Key": "idem-very-secret"}
    async with serving(db=str(path)) as api:
        body = {"user_message_content": "Hi", "task_id": "t", "background": True}
        checked(await api.post(body, **secrets), 200)
        await cancel(api, "t", **secrets)
        await api.create(task_id="u", background=True)
        checked(await api.client.delete("/tasks/u", headers={"authorization": "very-secret"}), 200)
    db = sqlite3.connect(path)
    try:
        assert not [line for line in db.iterdump() if "very-secret" in line]
    finally:
        db.close()
