"""What clients are told when the server stops before their task has ended."""

import json
from collections.abc import AsyncGenerator, Sequence

import anyio
import pytest

from agentlin_server.api.settled import SettledTask
from agentlin_server.engine.hub import Published
from agentlin_server.models.script import Answer, Gate, Text
from tests.api.asgi import exchange
from tests.api.frames import CheckedStream
from tests.api.serving import Scripted
from tests.api.test_envelope import BODY
from tests.requirements import requirement

pytestmark = pytest.mark.anyio


def _waiting() -> Answer:
    return Answer((Text("so far"), Gate(anyio.Event())), repeat=True)


@requirement("server.drain")
async def test_a_create_that_waits_is_answered_503_and_may_be_tried_again(
    scripted: Scripted,
) -> None:
    async with (
        scripted([_waiting()], stop_grace_s=0) as api,
        api.watching(BODY | {"task_id": "t", "request_id": "r"}) as create,
    ):
        await anyio.wait_all_tasks_blocked()
        await api.service.engine.drain()
        await create.begun()
        envelope = json.loads(await create.rest())
        assert create.status == 503
        assert int(create.headers["retry-after"]) > 0
        assert "x-should-retry" not in create.headers
        assert (envelope["id"], envelope["error"]["code"]) == ("r", -32603)
        assert (await api.task("t"))["status"] == "queued", "the task is not lost"


@requirement("server.drain")
async def test_a_create_whose_answer_has_begun_ends_as_an_envelope_with_the_error(
    scripted: Scripted,
) -> None:
    async with (
        scripted([_waiting()], stop_grace_s=0, keep_alive_s=0.01) as api,
        api.watching(BODY) as create,
    ):
        await create.begun()
        assert await create.chunk() == b" "
        await api.service.engine.drain()
        envelope = json.loads(await create.rest())
        assert create.status == 200
        assert envelope["error"]["code"] == -32603
        assert "result" not in envelope


@requirement("server.drain", "events.resume")
async def test_a_stream_ends_after_what_is_stored_without_a_final_event(
    scripted: Scripted,
) -> None:
    async with scripted([_waiting()], stop_grace_s=0) as api:
        async with api.streaming(task_id="t") as stream:
            await stream.begun()
            body = await stream.chunk()
            await api.service.engine.drain()
            body += await stream.rest()
        live = CheckedStream()
        assert live.feed(body)[-1].type == "task.queued"
        late = CheckedStream()
        late.feed((await api.get("/v1/tasks/t/events")).content)
        assert late.events == live.events


@pytest.mark.parametrize(
    ("is_stopping", "status", "code", "may_retry"),
    [(True, 503, -32603, None), (False, 404, -32001, "false")],
)
async def test_only_a_task_that_is_gone_is_404(
    *, is_stopping: bool, status: int, code: int, may_retry: str | None
) -> None:
    async def nothing_more() -> AsyncGenerator[Sequence[Published]]:
        yield ()

    app = SettledTask(nothing_more(), request_id="r", is_stopping=lambda: is_stopping)
    async with exchange(app, "POST", "/v1/tasks") as create:
        await create.begun()
        envelope = json.loads(await create.rest())
    assert (create.status, envelope["error"]["code"]) == (status, code)
    assert create.headers.get("x-should-retry") == may_retry
    assert ("retry-after" in create.headers) is is_stopping
