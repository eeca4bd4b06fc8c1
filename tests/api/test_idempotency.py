"""The same request again is the same task; nothing is started twice."""

from collections.abc import Mapping
from typing import Any

import anyio
import pytest

from agentlin_server.models.script import Answer, Gate, Text
from tests.api.frames import read_frames
from tests.api.serving import Api, Scripted
from tests.api.test_envelope import checked

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


async def test_many_equal_creates_at_once_start_one_task(scripted: Scripted) -> None:
    async with scripted([Answer((Text("a"),))]) as api:
        found: list[str] = []

        async def create() -> None:
            found.append(await created(api, Idempotency_Key="k"))

        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(create)
        assert len(found) == 20
        assert len(set(found)) == 1
