"""A stream that is cut after any of its bytes, on a real connection, gives the same events."""

from collections.abc import Iterator
from itertools import accumulate
from typing import Any

import anyio
import pytest

from tests.e2e.sdk_clients import KINDS, Face
from tests.sdk import wire
from tests.sdk.server import Answer, Server
from tests.sdk.tool_tasks import SUM, TaskLog

pytestmark = pytest.mark.anyio

TIME_S = 60.0


def recorded() -> list[dict[str, Any]]:
    """Return the log of a task that rests on its way: it waits for an answer, and gets it."""
    log = TaskLog()
    return log.begin() + log.ask(SUM) + log.take("call_2") + log.say("3.") + log.end()


LOG = recorded()
FRAMES = [wire.frame(event) for event in LOG]
WHOLE = b"".join(FRAMES)
ENDS = list(accumulate(map(len, FRAMES)))
"""Where each frame ends."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.mark.parametrize("kind", KINDS)
async def test_a_stream_that_is_cut_at_any_byte_gives_the_same_events(
    kind: str, server: Server
) -> None:
    face = Face(kind, server.base_url)
    client = face.client(max_retries=1)
    with anyio.fail_after(TIME_S):
        for offset in range(len(WHOLE)):
            whole_frames = sum(end <= offset for end in ENDS)
            server.script(
                Answer(headers=wire.SSE, body=WHOLE[:offset], ending="cut"),
                wire.stream(LOG[whole_frames:]),
            )
            events = await face.events(client.tasks.events(wire.TASK_ID))
            assert [event.to_dict() for event in events] == LOG, f"cut after {offset} bytes"
            assert len(server.requests) == 2
            if whole_frames:
                last_id = server.requests[1].headers["last-event-id"]
                assert last_id == f"{whole_frames - 1}-1"
            server.requests.clear()
        await face.close()
