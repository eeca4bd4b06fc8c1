"""Server-sent events: their bytes, their beginning, their end, and how a stream is resumed."""

import json
from pathlib import Path

import anyio
import pytest

from agentlin_server.models.script import Answer, Fail, Gate, Reasoning, Text, ToolCall
from tests.api.asgi import Exchange
from tests.api.frames import CheckedStream, read_frames
from tests.api.serving import Api, Scripted, serving
from tests.api.test_envelope import BODY, checked

pytestmark = pytest.mark.anyio


async def read_until(stream: Exchange, checked_stream: CheckedStream, event_type: str) -> None:
    while not any(f.type == event_type for f in checked_stream.feed(await stream.chunk())):
        pass


async def test_a_stream_is_lines_of_id_event_and_data(api: Api) -> None:
    body = BODY | {"stream": True, "request_id": "r-1", "task_id": "t"}
    answer = await api.post(body)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache, no-transform"
    assert answer.headers["x-request-id"] == "r-1"
    assert b"\r" not in answer.content
    assert answer.content.startswith(
        b'id: 0-1\nevent: task.created\ndata: {"jsonrpc":"2.0","id":"r-1","result":'
        b'{"type":"task.created","task_id":"t","sequence_number":0,"timestamp":"'
    )
    frames = read_frames(answer.content)
    assert [frame.envelope["id"] for frame in frames] == ["r-1"] * len(frames)
    assert answer.content == b"".join(frame.raw for frame in frames)
    assert [f.type for f in frames[:3]] == ["task.created", "task.working", "task.tools_updated"]
    assert frames[-1].type == "task.completed"


@pytest.mark.parametrize(
    "text",
    ["line\nbreaks\r\nand\rmore", "nul \x00 and \u2028 \u2029 \x85", "data: x\n\nid: 7", "😀"],
)
async def test_any_text_stays_on_one_line(api: Api, text: str) -> None:
    body = {"user_message_content": text, "stream": True, "request_id": text}
    stream = CheckedStream()
    stream.feed((await api.post(body)).content)
    assert stream.close()[0].envelope["id"] == text
    assert stream.text == text


async def test_every_kind_of_answer_keeps_the_order(scripted: Scripted) -> None:
    answers = [
        Answer((Reasoning("Let me see", "words"), ToolCall("f", '{"a":1}'), ToolCall("g"))),
        Answer((Text("one "), Fail("stream"))),
        Answer((Reasoning("Hm"), Text("two three", "words"))),
    ]
    async with scripted(answers) as api, api.streaming(task_id="t") as stream:
        await stream.begun()
        frames = read_frames(await stream.rest())
        assert frames[-1].type == "task.completed"
        task = await api.task("t")
        assert frames[-1].event["task"] == task
        assert [item["type"] for item in task["output"]] == [
            "reasoning", "tool_call", "tool_call", "tool_result", "tool_result",
            "message", "reasoning", "message",
        ]  # fmt: skip
        assert b"".join(f.raw for f in await api.events("t")).count(b"event: ") == len(frames)


async def test_a_quiet_stream_gets_lone_comment_lines(scripted: Scripted) -> None:
    gate = anyio.Event()
    async with (
        scripted([Answer((Text("a"), Gate(gate), Text("b")))], heartbeat_s=0.02) as api,
        api.streaming() as stream,
    ):
        seen = CheckedStream()
        await stream.begun()
        await read_until(stream, seen, "task.text.delta")
        assert [await stream.chunk() for _ in range(3)] == [b": ping\n"] * 3
        gate.set()
        seen.feed(b": ping\n" * 3 + await stream.rest())
        assert seen.close()[-1].type == "task.completed"
        assert seen.pings >= 3


async def test_a_resumed_stream_has_exactly_the_events_after_a_number(api: Api) -> None:
    task = await api.create("some words to stream")
    whole = await api.events(task["id"])
    for n in range(len(whole) - 1):
        rest = await api.events(task["id"], f"?starting_after={n}")
        assert [f.event for f in rest] == [f.event for f in whole[n + 1 :]]
        assert [f.id for f in rest] == [f.id for f in whole[n + 1 :]]
        for last_id in (f"{n}", whole[n].id):
            answer = await api.get(f"/tasks/{task['id']}/events", Last_Event_ID=last_id)
            assert [f.id for f in read_frames(answer.content, resumed_after=n)] == [
                f.id for f in rest
            ]


async def test_starting_after_wins_over_last_event_id(api: Api) -> None:
    task = await api.create()
    frames = await api.events(task["id"], "?starting_after=3", Last_Event_ID="1-9")
    assert frames[0].seq == 4


async def test_a_live_task_is_followed_from_the_log_into_the_present(scripted: Scripted) -> None:
    gate = anyio.Event()
    script = [Answer((Text("abc", 1), Gate(gate), Text("def", 1)))]
    async with scripted(script) as api, api.streaming(task_id="t") as first:
        whole = CheckedStream()
        await first.begun()
        while not whole.text.endswith("c"):
            whole.feed(await first.chunk())
        last = whole.frames[-1]
        early = last.seq - 2
        async with (
            api.following(f"/v1/tasks/t/events?starting_after={early}") as behind,
            api.following("/v1/tasks/t/events", Last_Event_ID=last.id) as upright,
        ):
            await behind.begun()
            await upright.begun()
            await anyio.wait_all_tasks_blocked()
            gate.set()
            whole.feed(await first.rest())
            everything = [f.event for f in whole.close()]
            rest = read_frames(await behind.rest(), resumed_after=early)
            assert [f.event for f in rest] == everything[early + 1 :]
            rest = read_frames(await upright.rest(), resumed_after=last.seq)
            assert [f.event for f in rest] == everything[last.seq + 1 :]


async def test_nothing_after_the_last_event_at_rest_is_204(api: Api) -> None:
    task = await api.create()
    last = task["sequence_number"]
    path = f"/v1/tasks/{task['id']}/events"
    for answer in (
        await api.get(f"{path}?starting_after={last}", X_Request_ID="r"),
        await api.get(f"{path}?starting_after={last + 1000}", X_Request_ID="r"),
        await api.get(path, Last_Event_ID=f"{last}-1", X_Request_ID="r"),
        await api.get(path, Last_Event_ID=f"{last}", X_Request_ID="r"),
        await api.get(f"{path}?starting_after={last}&until=final", X_Request_ID="r"),
    ):
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["x-request-id"] == "r"
    async with api.following(f"{path}?starting_after={last}", X_Request_ID="größer") as strange:
        await strange.begun()
        assert strange.status == 204


async def test_until_final_streams_a_final_task_to_its_end(api: Api) -> None:
    task = await api.create()
    frames = await api.events(task["id"], "?until=final")
    assert frames[-1].type == "task.completed"


async def test_head_does_not_wait_for_the_events_of_a_live_task(scripted: Scripted) -> None:
    gate = anyio.Event()
    async with scripted([Answer((Gate(gate), Text("a")))]) as api:
        await api.create(task_id="t", background=True)
        with anyio.fail_after(5):
            answer = await api.client.head("/v1/tasks/t/events")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        gate.set()


async def test_a_number_that_lies_ahead_ends_with_the_task(scripted: Scripted) -> None:
    gate = anyio.Event()
    async with scripted([Answer((Gate(gate), Text("a")))]) as api:
        await api.create(task_id="t", background=True)
        async with api.following("/v1/tasks/t/events?starting_after=1000") as ahead:
            await ahead.begun()
            await anyio.wait_all_tasks_blocked()
            gate.set()
            assert await ahead.rest() == b""


@pytest.mark.parametrize("last_id", ["3-7", "3-0", "1000-1"])
async def test_an_id_of_another_generation_gets_a_snapshot_first(api: Api, last_id: str) -> None:
    task = await api.create("Hi", metadata={"a": 1})
    answer = await api.get(f"/v1/tasks/{task['id']}/events", Last_Event_ID=last_id)
    stream = CheckedStream(resumed_after=3)
    (frame,) = stream.feed(answer.content)
    assert frame.type == "task.snapshot"
    assert frame.event["task"] == task
    assert frame.event["reason"]
    assert frame.seq == task["sequence_number"]
    # The id of the snapshot is one that can be resumed from.
    again = await api.get(f"/v1/tasks/{task['id']}/events", Last_Event_ID=frame.id)
    assert again.status_code == 204


async def test_a_snapshot_of_a_live_task_is_followed_by_what_comes(scripted: Scripted) -> None:
    gate = anyio.Event()
    script = [Answer((Text("abc", 1), Gate(gate), Text("def", 1)))]
    async with scripted(script) as api, api.streaming(task_id="t") as first:
        seen = CheckedStream()
        await first.begun()
        while not seen.text.endswith("c"):
            seen.feed(await first.chunk())
        async with api.following("/tasks/t/events", Last_Event_ID="2-5") as resumed:
            await resumed.begun()
            stream = CheckedStream(resumed_after=2)
            (snapshot,) = stream.feed(await resumed.chunk())
            assert snapshot.type == "task.snapshot"
            assert snapshot.seq == seen.frames[-1].seq
            (item,) = snapshot.event["task"]["output"]
            assert item["message_content"][0]["text"] == "abc"
            gate.set()
            stream.feed(await resumed.rest())
            assert stream.close()[1].seq == snapshot.seq + 1
            assert stream.text == "def"


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("?starting_after=x", {}),
        ("?starting_after=-1", {}),
        ("?starting_after=", {}),
        ("?starting_after=1-1", {}),
        (f"?starting_after={'9' * 99}", {}),
        ("?until=tomorrow", {}),
        ("", {"Last_Event_ID": "x"}),
        ("", {"Last_Event_ID": "1-"}),
        ("", {"Last_Event_ID": "-1"}),
        ("", {"Last_Event_ID": "1-1-1"}),
        ("", {"Last_Event_ID": "9" * 99}),
    ],
    ids=str,
)
async def test_a_bad_position_is_422(api: Api, query: str, headers: dict[str, str]) -> None:
    task = await api.create()
    answer = await api.get(f"/v1/tasks/{task['id']}/events{query}", **headers)
    assert checked(answer, 422)["error"]["code"] == -32602


async def test_two_readers_get_the_same_events_each_in_its_own_envelope(api: Api) -> None:
    task = await api.create()
    path = f"/v1/tasks/{task['id']}/events"
    one, two = [await api.get(path, X_Request_ID=name) for name in ("one", "two")]
    assert one.content.replace(b'"id":"one"', b'"id":"two"') == two.content


async def test_events_replayed_from_the_database_are_those_sent_live(tmp_path: Path) -> None:
    path = str(tmp_path / "a.db")
    async with serving(db=path) as api:
        body = {"user_message_content": "a b c", "stream": True, "request_id": "r", "task_id": "t"}
        live = (await api.post(body)).content
        read_frames(live)
    async with serving(db=path) as api:
        answer = await api.get("/v1/tasks/t/events", X_Request_ID="r")
        assert answer.content == live
        assert json.dumps(await api.task("t")) == json.dumps(read_frames(live)[-1].event["task"])
