"""What a create does to a session that has an unfinished task, and how long a task may take."""

import anyio
import pytest

from agentlin_server.models.script import Answer, Gate, Text
from tests.api.serving import Scripted
from tests.api.test_answering import ONE, TOOLS
from tests.api.test_envelope import checked
from tests.requirements import requirement

pytestmark = pytest.mark.anyio

HANGING = Answer((Text("so far"), Gate(anyio.sleep_forever)), match="first")
QUICK = Answer((Text("quick"),), match="second", repeat=True)
SECOND = {"user_message_content": "second", "session_id": "s"}


@requirement("session.on-busy")
@pytest.mark.parametrize("on_busy", [None, "", "enqueue"])
async def test_by_default_a_task_waits_for_the_one_before_it(
    scripted: Scripted, on_busy: str | None
) -> None:
    async with scripted([HANGING, QUICK]) as api:
        await api.create("first", task_id="one", session_id="s", background=True)
        two = await api.create("second", session_id="s", on_busy=on_busy, background=True)
        assert two["status"] == "queued"
        assert (await api.task("one"))["status"] == "working"
        checked(await api.post({}, path="/tasks/one/cancel"), 200)
        assert (await api.events(two["id"]))[-1].type == "task.completed"


@requirement("session.on-busy")
async def test_it_may_be_refused_instead(scripted: Scripted) -> None:
    async with scripted([HANGING, QUICK]) as api:
        await api.create("first", task_id="one", session_id="s", background=True)
        refused = await api.post(SECOND | {"on_busy": "reject"})
        assert checked(refused, 409)["error"]["code"] == -32009
        assert len(checked(await api.get("/tasks"), 200)["result"]) == 1
        checked(await api.post({}, path="/tasks/one/cancel"), 200)
        assert checked(await api.post(SECOND | {"on_busy": "reject"}), 200)["result"]["output"]


@requirement("session.on-busy")
async def test_a_retry_of_a_create_is_not_refused_by_its_own_task(scripted: Scripted) -> None:
    async with scripted([Answer((Gate(anyio.sleep_forever),), match="second")]) as api:
        body = SECOND | {"on_busy": "reject", "background": True}
        first = checked(await api.post(body, Idempotency_Key="k"), 200)["result"]
        again = checked(await api.post(body, Idempotency_Key="k"), 200)["result"]
        assert first["id"] == again["id"]


@requirement("session.on-busy")
async def test_it_may_interrupt_instead(scripted: Scripted) -> None:
    async with scripted([HANGING, QUICK]) as api:
        await api.create("first", task_id="one", session_id="s", background=True)
        await api.create("first", task_id="two", session_id="s", background=True)
        task = checked(await api.post(SECOND | {"on_busy": "interrupt"}), 200)["result"]
        assert task["status"] == "completed"
        for task_id in ("one", "two"):
            assert (await api.task(task_id))["status"] == "canceled"


@requirement("session.on-busy")
@pytest.mark.parametrize(
    ("on_busy", "of_first", "of_second"),
    [
        (None, "canceled", "completed"),
        ("interrupt", "canceled", "completed"),
        ("enqueue", "input-required", "queued"),
    ],
)
async def test_a_question_that_nobody_answered_is_canceled_by_a_new_message(
    scripted: Scripted, on_busy: str | None, of_first: str, of_second: str
) -> None:
    async with scripted([QUICK, ONE]) as api:
        asking = await api.create("first", task_id="one", session_id="s", client_tools=TOOLS)
        assert asking["status"] == "input-required"
        second = await api.create(
            "second", task_id="two", session_id="s", on_busy=on_busy, background=True
        )
        assert second["status"] in {"queued", "working", "completed"}
        if of_second == "completed":
            assert (await api.events("two"))[-1].type == "task.completed"
        assert (await api.task("one"))["status"] == of_first
        assert (await api.task("two"))["status"] == of_second


async def test_a_task_expires_after_its_time(scripted: Scripted) -> None:
    async with scripted([HANGING]) as api:
        task = await api.create("first", timeout_s=0.2)
        assert task["status"] == "expired"
        assert task["error"]["code"] == -32006
        assert (await api.events(task["id"]))[-1].event["error"] == task["error"]
