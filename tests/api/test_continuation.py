"""Input-required: a create without a message answers the calls of its session's task."""

from typing import Any

import anyio
import httpx
import pytest

from agentlin_server.models.script import Answer, Gate, Text, ToolCall
from tests.api.serving import Api, Scripted
from tests.api.test_answering import ONE, TOOLS, TWO, after, asked, result, resumed
from tests.api.test_envelope import checked
from tests.requirements import requirement

pytestmark = pytest.mark.anyio


async def told(api: Api, *thoughts: Any, **params: Any) -> httpx.Response:
    """Send a create that answers; underscores in header names stand for hyphens."""
    headers = {name: params.pop(name) for name in list(params) if name[0].isupper()}
    body = {"user_message_content": "", "session_id": "s", "thought_messages": list(thoughts)}
    return await api.post(body | params, **headers)


async def ids(api: Api) -> list[str]:
    return [task["id"] for task in checked(await api.get("/v1/tasks"), 200)["result"]]


@requirement("input.by-create")
@pytest.mark.parametrize("content", ["", []])
async def test_a_create_continues_the_task_that_waits(scripted: Scripted, content: Any) -> None:
    async with scripted([ONE, after(1)]) as api:
        await asked(api)
        answered = await told(api, result(), task_id="other", user_message_content=content)
        task = checked(answered, 200)["result"]
        assert (task["id"], task["status"]) == ("t", "completed")
        assert await ids(api) == ["t"]


@requirement("input.by-create")
async def test_its_stream_begins_at_the_first_new_event(scripted: Scripted) -> None:
    async with scripted([ONE, after(1)]) as api:
        task = await asked(api)
        frames = resumed(await told(api, result(), stream=True))
        assert frames[0].seq == task["sequence_number"] + 1
        assert frames[-1].type == "task.completed"
        assert frames[-1].event["task"]["id"] == "t"


async def test_the_session_may_come_in_a_header_and_the_result_as_a_chat_message(
    scripted: Scripted,
) -> None:
    chat = {"role": "tool", "tool_call_id": "c1", "content": "yes"}
    async with scripted([ONE, after(1)]) as api:
        await asked(api)
        task = checked(await told(api, chat, session_id=None, X_Session_ID="s"), 200)["result"]
        assert (task["id"], task["status"]) == ("t", "completed")
        given = task["output"][2]
        assert given["message_content"] == given["block_list"] == [{"type": "text", "text": "yes"}]


async def test_thoughts_may_tell_more_than_the_answers(scripted: Scripted) -> None:
    call = {"type": "tool_call", "call_id": "c1", "name": "ask", "arguments": "{}"}
    elsewhere = result("unknown")
    async with scripted([TWO, after(2)]) as api:
        await asked(api)
        task = checked(await told(api, call, result("c1"), elsewhere), 200)["result"]
        assert (task["id"], task["input_required_call_ids"]) == ("t", ["c2"])
        # The whole of the past again, with what is new.
        task = checked(await told(api, call, result("c1"), result("c2")), 200)["result"]
        assert (task["id"], task["status"]) == ("t", "completed")


@requirement("input.conflict")
async def test_another_answer_than_before_is_409(scripted: Scripted) -> None:
    async with scripted([TWO, after(2)]) as api:
        await asked(api)
        checked(await told(api, result("c1")), 200)
        mixed = await told(api, result("c1", "no"), result("c2"))
        assert checked(mixed, 409)["error"]["code"] == -32012
        checked(await told(api, result("c2")), 200)
        late = await told(api, result("c1", "no"))
        assert checked(late, 409)["error"]["code"] == -32012
        assert await ids(api) == ["t"]


@requirement("input.repeat", "input.by-create")
@pytest.mark.parametrize(
    "header", [{"Idempotency_Key": "k"}, {"X_Stainless_Retry_Count": "1"}, {}], ids=str
)
async def test_the_same_create_again_is_the_same_answer(
    scripted: Scripted, header: dict[str, str]
) -> None:
    gate = anyio.Event()
    async with scripted([ONE, after(1, Gate(gate), Text("Good."))]) as api:
        await asked(api)
        first = checked(await told(api, result(), background=True, **header), 200)["result"]
        assert (first["id"], first["status"]) != ("t", "input-required")
        again = checked(await told(api, result(), background=True, **header), 200)["result"]
        assert again["id"] == "t"
        gate.set()
        done = checked(await told(api, result(), **header), 200)["result"]
        assert (done["id"], done["status"]) == ("t", "completed")
        one = resumed(await told(api, result(), stream=True, **header))
        two = resumed(await told(api, result(), stream=True, **header))
        assert [f.event for f in one] == [f.event for f in two]
        assert one[0].event["item"]["answered_by"]
        assert await ids(api) == ["t"]


@requirement("input.repeat")
async def test_many_at_once_are_one_answer(scripted: Scripted) -> None:
    async with scripted([ONE, after(1)]) as api:
        await asked(api)
        answered: list[dict[str, Any]] = []

        async def send() -> None:
            response = await told(api, result(), Idempotency_Key="k")
            answered.append(checked(response, 200)["result"])

        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(send)
        assert [(task["id"], task["status"]) for task in answered] == [("t", "completed")] * 20
        assert await ids(api) == ["t"]


@requirement("input.repeat")
async def test_it_is_found_though_the_session_went_on(scripted: Scripted) -> None:
    script = [ONE, after(1), Answer((Text("More."),), match="more", repeat=True)]
    async with scripted(script[::-1]) as api:
        await asked(api)
        done = checked(await told(api, result()), 200)["result"]
        await api.create("more", session_id="s")
        await api.create("more", session_id="s")
        assert checked(await told(api, result()), 200)["result"] == done
        assert len(await ids(api)) == 3


async def test_the_same_call_id_in_a_later_task_is_that_tasks(scripted: Scripted) -> None:
    script = [
        Answer((ToolCall("ask", call_id="c1"),), results=0, repeat=True),
        Answer((Text("Good."),), results=1, repeat=True),
    ]
    async with scripted(script) as api:
        for task_id in ("one", "two"):
            task = await api.create(task_id=task_id, session_id="s", client_tools=TOOLS)
            assert task["status"] == "input-required"
            assert checked(await told(api, result()), 200)["result"]["id"] == task_id
        assert checked(await told(api, result()), 200)["result"]["id"] == "two"


@pytest.mark.parametrize(
    "other",
    [
        {"user_message_content": "Hi"},
        {"session_id": "elsewhere"},
        {"session_id": None},
    ],
    ids=lambda other: str(other)[:40],
)
async def test_any_other_create_makes_a_task(scripted: Scripted, other: dict[str, Any]) -> None:
    async with scripted([ONE, Answer((Text("New."),), repeat=True)]) as api:
        await asked(api)
        made = checked(await told(api, result(), task_id="new", **other), 200)["result"]
        assert made["id"] == "new"


async def test_a_create_after_the_task_was_canceled_makes_a_task(scripted: Scripted) -> None:
    async with scripted([ONE, Answer((Text("New."),))]) as api:
        await asked(api)
        checked(await api.post({}, path="/v1/tasks/t/cancel"), 200)
        made = checked(await told(api, result(), task_id="new"), 200)["result"]
        assert (made["id"], made["status"]) == ("new", "completed")


async def test_an_invalid_create_is_refused_though_it_would_continue(scripted: Scripted) -> None:
    async with scripted([ONE]) as api:
        await asked(api)
        checked(await told(api, result(), stream="yes"), 422)
        assert (await api.task("t"))["status"] == "input-required"


@requirement("input.by-create")
async def test_a_mistyped_call_id_leaves_the_question_standing(scripted: Scripted) -> None:
    async with scripted([ONE, after(1)]) as api:
        await asked(api)
        refused = checked(await told(api, result("nope")), 422)
        assert refused["error"]["data"][0]["loc"] == ["thought_messages"]
        assert (await api.task("t"))["status"] == "input-required"
        assert checked(await told(api, result()), 200)["result"]["status"] == "completed"
