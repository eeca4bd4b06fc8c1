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
    """Return a short log of a task that rests on its way: it waits for an answer, and gets it."""
    log = TaskLog()
    events = log.begin() + log.ask(SUM) + log.take("call_2") + log.say("3.") + log.end()
    left_out = {"task.output_item.added", "task.output_item.done", "task.content_part.done"}
    kept = [event for event in events if event["type"] not in left_out]
    # Without the snapshots of the task, which events may have: there are fewer bytes to cut at.
    return [
        {name: value for name, value in event.items() if name != "task"}
        | {"sequence_number": number}
        for number, event in enumerate(kept)
    ]


LOG = recorded()
FRAMES = [wire.frame(event) for event in LOG]
WHOLE = b"".join(FRAMES)
ENDS: list[int] = list(accumulate(map(len, FRAMES)))
"""Where each frame ends."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


def offsets(kind: str) -> list[int]:
    """Return where to cut: at every byte, or, where that takes long, near the ends of frames."""
    if kind == "sync":
        return list(range(len(WHOLE)))
    near = {end + shift for end in ENDS for shift in (-2, -1, 0, 1)}
    return sorted(near & set(range(len(WHOLE))) | set(range(0, len(WHOLE), 7)))


@pytest.mark.parametrize("kind", KINDS)
async def test_a_stream_that_is_cut_at_any_byte_gives_the_same_events(
    kind: str, server: Server
) -> None:
    face = Face(kind, server.base_url)
    client = face.client(max_retries=1)
    with anyio.fail_after(TIME_S):
        for offset in offsets(kind):
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
