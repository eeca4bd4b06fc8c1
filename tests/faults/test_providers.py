"""A provider that hangs, resets, sends garbage, too much, or without end: the server goes on."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.api.frames import CheckedStream
from tests.faults.world import World, living_world
from tests.models.mock_provider import (
    DONE,
    SSE_HEAD,
    Act,
    MockProvider,
    Step,
    delta,
    mock_provider,
)

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

HI = (SSE_HEAD, delta(content="Hi"), delta("stop"), DONE, Act.CLOSE)
MIB = 1024 * 1024


class Endless(tuple[Step, ...]):
    """An answer whose last step is repeated for ever."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Step]:
        yield from super().__iter__()
        while True:
            yield self[-1]


@asynccontextmanager
async def serving(folder: Path, provider: MockProvider) -> AsyncGenerator[World]:
    settings = {
        "model": "mock/m",
        "providers__mock__base_url": provider.base_url,
        "model_first_token_s": 0.3,
        "model_idle_s": 0.3,
    }
    with anyio.fail_after(60):
        async with living_world(folder, seed=1, settings=settings) as world:
            yield world


async def _run(world: World, task_id: str) -> CheckedStream:
    """Create a task; return its whole stream."""
    body = {"user_message_content": "Hi", "stream": True, "task_id": task_id}
    stream = CheckedStream()
    async with world.api.stream("POST", "", body) as answer:
        stream.feed(await answer.aread())
    stream.close()
    return stream


async def _is_well(world: World, provider: MockProvider) -> None:
    """The same process still serves, and another task does well."""
    provider.will_answer(*HI)
    stream = await _run(world, "another")
    assert (stream.text, stream.frames[-1].type) == ("Hi", "task.completed")
    assert (world.epoch, "Traceback" in world.server.said()) == (1, False)


@pytest.mark.parametrize(
    ("steps", "times", "code", "said"),
    [
        pytest.param((Act.HOLD,), 1, -32006, "", id="hangs before it answers"),
        pytest.param((SSE_HEAD, Act.HOLD), 1, -32006, "", id="hangs before its first token"),
        pytest.param(
            (SSE_HEAD, delta(content="So"), Act.HOLD), 1, -32006, "So", id="hangs in the middle"
        ),
        pytest.param(
            (SSE_HEAD, delta(content="So"), Act.RESET), 3, -32000, "So", id="resets the connection"
        ),
        pytest.param(
            (SSE_HEAD, delta(content="So"), b"data: {no json\n\n", Act.CLOSE),
            3,
            -32000,
            "So",
            id="sends garbage",
        ),
        pytest.param(
            (SSE_HEAD, delta(content="x" * 10 * MIB), Act.CLOSE), 3, -32000, "", id="10 MiB at once"
        ),
        pytest.param((b"\x00\xff" * 5000, Act.CLOSE), 3, -32000, "", id="speaks no HTTP"),
        pytest.param((b"HTTP/1.1 200 OK\r\n\r\n", Act.CLOSE), 3, -32000, "", id="says nothing"),
    ],
)
async def test_a_bad_provider_fails_its_task_with_a_clear_error(
    tmp_path: Path, steps: tuple[Step, ...], times: int, code: int, said: str
) -> None:
    async with mock_provider() as provider, serving(tmp_path, provider) as world:
        for _ in range(times):
            provider.will_answer(*steps)
        stream = await _run(world, "bad")
        assert stream.frames[-1].type == "task.failed"
        error: Any = stream.events[-1]["error"]
        assert (error["code"], error["data"]["provider"]) == (code, "mock")
        assert error["message"]
        assert stream.text == said * (times if said else 1)
        await _is_well(world, provider)
        task = await world.insist("GET", "/bad")
        assert task.task["error"] == error


async def test_a_chunk_of_7_mib_arrives_whole(tmp_path: Path) -> None:
    async with mock_provider() as provider, serving(tmp_path, provider) as world:
        text = "x" * 7 * MIB
        provider.will_answer(SSE_HEAD, delta(content=text), delta("stop"), DONE, Act.CLOSE)
        stream = await _run(world, "large")
        assert stream.frames[-1].type == "task.completed"
        assert stream.text == text
        await _is_well(world, provider)


async def test_a_stream_without_end_is_ended_by_a_cancel(tmp_path: Path) -> None:
    async with mock_provider() as provider, serving(tmp_path, provider) as world:
        provider.answers.append(Endless((SSE_HEAD, delta(content="on and on "))))
        stream = CheckedStream()
        body = {"user_message_content": "Hi", "stream": True, "task_id": "endless"}
        async with world.api.stream("POST", "", body) as answer:
            async for data in answer.aiter_raw():
                stream.feed(data)
                if stream.text and not provider.hung_up.is_set():
                    with anyio.fail_after(5):
                        reply = await world.insist("POST", "/endless/cancel")
                        assert reply.task["status"] == "canceled"
                        await provider.hung_up.wait()
        assert stream.close()[-1].type == "task.canceled"
        await _is_well(world, provider)
