"""A thousand streams at once over one client."""

from typing import Any

import anyio
import pytest

from tests.e2e.conftest import Serve
from tests.e2e.sdk_clients import KINDS, Face, connections_in_use

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

STREAMS = 1_000
TIME_S = 90.0
WORDS = " ".join(f"word{n}" for n in range(8))
SCRIPT = f"""
- {{match: blocks, delay_s: 3600}}
- {{repeat: true, text: '{WORDS}', chunks: words}}
"""


@pytest.mark.parametrize("kind", KINDS[1:])
async def test_a_thousand_streams_at_once_end_well(serve: Serve, kind: str) -> None:
    ended: list[tuple[str, str]] = []
    open_now = 0
    all_open = anyio.Event()

    async def follow(client: Any) -> None:
        nonlocal open_now
        async with client.tasks.stream(user_message_content="Hi") as stream:
            open_now += 1
            if open_now == STREAMS:
                all_open.set()
            ended.append((await stream.final_text, stream.task_id))

    # One task runs at a time, and the first one until all streams are open.
    with anyio.fail_after(TIME_S), serve(SCRIPT, running_max=1) as server:
        face = Face(kind, f"{server.address}/v1")
        # On a busy machine it takes a while to open so many connections.
        client, other = face.client(waits=True, timeout=TIME_S), face.client()
        await other.tasks.create(
            stream=False, user_message_content="This blocks.", task_id="first", background=True
        )
        async with anyio.create_task_group() as group:
            for _ in range(STREAMS):
                group.start_soon(follow, client)
            await all_open.wait()
            assert ended == []
            assert connections_in_use(client) == STREAMS
            await other.tasks.cancel("first")
        assert connections_in_use(client) == 0
        await face.close()
    assert {text for text, _ in ended} == {WORDS}
    assert len({task_id for _, task_id in ended}) == STREAMS
