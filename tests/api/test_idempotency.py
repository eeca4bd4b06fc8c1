"""The same request again is the same task; nothing is started twice."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest

from agentlin_server.models.script import Answer, Gate, Text
from tests.api.frames import CheckedStream, read_frames
from tests.api.serving import Api, Scripted, serving
from tests.api.test_envelope import checked
from tests.requirements import requirement

pytestmark = pytest.mark.anyio

BODY: dict[str, Any] = {"user_message_content": "Hi", "metadata": {"a": 1, "b": [1, 2]}}


async def created(api: Api, body: Mapping[str, Any] = BODY, **headers: str) -> str:
    return checked(await api.post(body, **headers), 200)["result"]["id"]


async def refused(api: Api, body: dict[str, Any], **headers: str) -> None:
    assert checked(await api.post(body, **headers), 409)["error"]["code"] == -32012


async def test_the_same_key_is_the_same_task(api: Api) -> None:
    first = await created(api, Idempotency_Key="k")
    assert await created(api, Idempotency_Key="k") == first
    assert await created(api, Idempotency_Key="other") != first
    assert await created(api) != first
    assert len(checked(await api.get("/tasks"), 200)["result"]) == 3


async def test_the_same_task_id_is_the_same_task(api: Api) -> None:
    body = BODY | {"task_id": "t"}
    assert await created(api, body) == await created(api, body) == "t"
    assert await created(api, BODY, X_Task_ID="t") == "t"
    assert len(checked(await api.get("/tasks"), 200)["result"]) == 1


@pytest.mark.parametrize(
    "same",
    [
        {"request_id": "another"},
        {"background": True},
        {"metadata": {"b": [1, 2], "a": 1}},
    ],
    ids=str,
)
async def test_some_differences_do_not_count(api: Api, same: dict[str, Any]) -> None:
    first = await created(api, Idempotency_Key="k")
    assert await created(api, BODY | same, Idempotency_Key="k") == first


@pytest.mark.parametrize(
    "other",
    [
        {"user_message_content": "Ho"},
        {"metadata": {"a": 1, "b": [2, 1]}},
        {"session_id": "s"},
        {"inference_args": {"temperature": 0}},
    ],
    ids=str,
)
async def test_another_body_is_409(api: Api, other: dict[str, Any]) -> None:
    await created(api, BODY | {"task_id": "t"}, Idempotency_Key="k")
    await refused(api, BODY | {"task_id": "t"} | other)
    await refused(api, BODY | other, Idempotency_Key="k")


async def test_a_stream_of_the_same_request_is_the_task_from_its_beginning(api: Api) -> None:
    first = await created(api, Idempotency_Key="k")
    answer = await api.post(BODY | {"stream": True}, Idempotency_Key="k")
    frames = read_frames(answer.content)
    assert frames[0].seq == 0
    assert {frame.event["task_id"] for frame in frames} == {first}


async def test_a_repeat_attaches_to_the_running_task(scripted: Scripted) -> None:
    gate = anyio.Event()
    async with scripted([Answer((Text("a"), Gate(gate), Text("b")))]) as api:
        key = {"idempotency-key": "k"}
        async with (
            api.watching(BODY | {"stream": True}, **key) as first,
            api.watching(BODY | {"stream": True}, **key) as second,
            api.watching(BODY, **key) as third,
        ):
            await anyio.wait_all_tasks_blocked()
            gate.set()
            await first.begun()
            await second.begun()
            await third.begun()
            events = [f.event for f in read_frames(await first.rest())]
            assert [f.event for f in read_frames(await second.rest())] == events
            assert b'"status":"completed"' in await third.rest()
        assert len(checked(await api.get("/tasks"), 200)["result"]) == 1


async def test_a_counted_retry_attaches_to_the_latest_equal_create(api: Api) -> None:
    await created(api)
    latest = await created(api, X_Stainless_Retry_Count="0")
    assert await created(api, X_Stainless_Retry_Count="1") == latest
    assert await created(api, X_Stainless_Retry_Count="2") == latest
    other = BODY | {"user_message_content": "Ho"}
    assert await created(api, other, X_Stainless_Retry_Count="1") != latest


async def test_a_retry_by_another_caller_is_a_new_task(api: Api) -> None:
    mine = await created(api, Authorization="Bearer one")
    again = await created(api, Authorization="Bearer two", X_Stainless_Retry_Count="1")
    assert again != mine
    again = await created(api, Authorization="Bearer one", X_Stainless_Retry_Count="1")
    assert again == mine


async def test_a_retry_in_another_session_is_a_new_task(api: Api) -> None:
    here = await created(api, X_Session_ID="here")
    there = await created(api, X_Session_ID="there")
    assert await created(api, X_Session_ID="here", X_Stainless_Retry_Count="1") == here
    assert await created(api, X_Session_ID="there", X_Stainless_Retry_Count="1") == there


@pytest.mark.parametrize("count", ["", "x", "-1", "1.5", "9" * 50])
async def test_a_strange_retry_count_counts_as_none(api: Api, count: str) -> None:
    first = await created(api)
    assert await created(api, X_Stainless_Retry_Count=count) != first


async def test_a_key_may_not_be_endless(api: Api) -> None:
    await created(api, Idempotency_Key="k" * 256)
    checked(await api.post(BODY, Idempotency_Key="k" * 257), 422)


@requirement("create.idempotent", "create.counted-retry")
@pytest.mark.parametrize(
    ("params", "header"),
    [
        ({}, {"Idempotency_Key": "k"}),
        ({"task_id": "t"}, {}),
        ({}, {"X_Stainless_Retry_Count": "1"}),
        ({"stream": True}, {"Idempotency_Key": "k"}),
        ({"session_id": "s"}, {"Idempotency_Key": "k"}),
    ],
    ids=str,
)
async def test_many_equal_creates_at_once_start_one_task(
    scripted: Scripted, params: dict[str, Any], header: dict[str, str]
) -> None:
    async with scripted([Answer((Text("a"),))]) as api:
        found: list[str] = []

        async def create() -> None:
            answer = await api.post(BODY | params, **header)
            if params.get("stream"):
                found.append(read_frames(answer.content)[0].event["task_id"])
            else:
                found.append(checked(answer, 200)["result"]["id"])

        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(create)
        assert len(found) == 20
        assert len(set(found)) == 1
        (task,) = checked(await api.get("/tasks"), 200)["result"]
        assert task["usage"]["model_calls"] == 1


SAME = [
    ({}, {"Idempotency_Key": "k"}),
    ({"task_id": "t"}, {}),
    ({}, {"X_Stainless_Retry_Count": "1"}),
]


@requirement("create.idempotent", "create.counted-retry")
@pytest.mark.parametrize(("params", "header"), SAME, ids=str)
async def test_a_restart_forgets_no_request(
    tmp_path: Path, params: dict[str, Any], header: dict[str, str]
) -> None:
    settings = {"db": str(tmp_path / "a.db")}
    async with serving(**settings) as api:
        first = await created(api, BODY | params, **header)
    async with serving(**settings) as api:
        assert await created(api, BODY | params, **header) == first
        assert len(checked(await api.get("/tasks"), 200)["result"]) == 1
        if "X_Stainless_Retry_Count" not in header:
            await refused(api, BODY | params | {"user_message_content": "Ho"}, **header)


@requirement("create.attach")
@pytest.mark.parametrize(("params", "header"), SAME, ids=str)
async def test_a_retried_stream_replays_the_running_task_across_a_restart(
    tmp_path: Path, params: dict[str, Any], header: dict[str, str]
) -> None:
    script = tmp_path / "script.yaml"
    script.write_text("- {repeat: true, steps: [{text: a}, {delay_s: 600}]}\n")
    settings = {"db": str(tmp_path / "a.db"), "model": "scripted/m", "script": script}
    settings["stop_grace_s"] = 0.1
    body = BODY | params | {"stream": True}
    raw = {name.replace("_", "-"): value for name, value in header.items()}

    async with serving(**settings) as api, api.watching(body, **raw) as stream:
        seen = CheckedStream()
        await stream.begun()
        while seen.text != "a":
            seen.feed(await stream.chunk())
        task_id = seen.events[0]["task_id"]
        # The client has lost this connection; its retry comes while the server stops.
        stream.hang_up()
        await api.service.engine.drain()
        answer = await api.post(body, **header)
        assert checked(answer, 503)["error"]["code"] == -32603
        assert int(answer.headers["retry-after"]) > 0

    script.write_text("- {text: again}\n")
    async with serving(**settings) as api:
        frames = read_frames((await api.post(body, **header)).content)
        assert {frame.event["task_id"] for frame in frames} == {task_id}
        assert [f.event for f in frames[: len(seen.frames)]] == seen.events
        types = [frame.type for frame in frames]
        assert types.count("task.queued") == 1
        assert types[-1] == "task.completed"
        assert len(checked(await api.get("/tasks"), 200)["result"]) == 1
