"""Between our clients and a real server stands a proxy that spoils the connections.

Whatever it does, a stream gives the same events: those that the log has.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import pytest

from agentlin_client import Client
from agentlin_client._retry import Retry
from agentlin_client.types import ToolResultItem
from tests.e2e.processes import ServerProcess
from tests.e2e.proxy import ChaosProxy
from tests.e2e.sdk_clients import KINDS, Face, scripted_server
from tests.sdk.conftest import KEY

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

WORDS = " ".join(f"wörd{n}" for n in range(180))
SCRIPT = f"""
- match: long
  repeat: true
  steps:
    - {{reasoning: "Let me see what there is to say.", chunks: words}}
    - {{text: "{WORDS}", chunks: words}}
- match: tools
  results: 0
  repeat: true
  steps:
    - {{text: "I ask both.", chunks: words}}
    - {{tool_call: {{name: weather, arguments: {{city: Rome}}}}}}
    - {{tool_call: {{name: weather, arguments: {{city: Oslo}}}}}}
- match: tools
  results: 2
  repeat: true
  steps: [{{tool_call: {{name: weather, arguments: {{city: Bonn}}}}}}]
- match: tools
  results: 3
  repeat: true
  steps: [{{text: "Rome is warmest.", chunks: words}}]
"""
LOG_BYTES = 60_000
"""Somewhat more than a stream has on the wire."""
LIVE_SEEDS = 8
REPLAY_SEEDS = 40
TIME_S = 60.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with scripted_server(tmp_path_factory.mktemp("chaos"), SCRIPT) as server:
        yield server


@pytest.fixture(scope="module")
def proxy(server: ServerProcess) -> Iterator[ChaosProxy]:
    with ChaosProxy(server.address) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def direct(server: ServerProcess) -> Iterator[Client]:
    with Client(api_key=KEY, base_url=f"{server.address}/v1") as client:
        yield client


@pytest.fixture(params=KINDS)
async def face(request: pytest.FixtureRequest, proxy: ChaosProxy) -> AsyncIterator[Face]:
    face = Face(request.param, proxy.base_url)
    with anyio.fail_after(TIME_S):
        yield face
        await face.close()


def plain(events: list[Any]) -> list[dict[str, Any]]:
    return [event.to_dict() for event in events]


@pytest.fixture(scope="module")
def log(direct: Client) -> list[dict[str, Any]]:
    """The events of one long task, as the server has them."""
    task = direct.tasks.create(stream=False, user_message_content="long", task_id="logged").unwrap()
    return plain(list(direct.tasks.events(task.id)))


async def test_a_task_that_works_gives_the_events_of_its_log_whatever_happens(
    face: Face, proxy: ChaosProxy, direct: Client
) -> None:
    retries: list[Retry] = []
    for seed in range(LIVE_SEEDS):
        client = face.client(max_retries=30, on_retry=retries.append)
        proxy.play(seed, bytes_max=LOG_BYTES)
        events = await face.events(client.tasks.create(stream=True, user_message_content="long"))
        logged = list(direct.tasks.events(events[0].task_id))
        assert plain(events) == plain(logged), f"seed {seed}"
        assert len(events) > 190
    assert len(retries) > LIVE_SEEDS


async def test_a_task_that_has_ended_gives_the_events_of_its_log_whatever_happens(
    face: Face, proxy: ChaosProxy, log: list[dict[str, Any]]
) -> None:
    retries: list[Retry] = []
    for seed in range(REPLAY_SEEDS):
        client = face.client(max_retries=30, on_retry=retries.append)
        proxy.play(1_000 + seed, bytes_max=LOG_BYTES)
        assert plain(await face.events(client.tasks.events("logged"))) == log, f"seed {seed}"
    assert len(retries) > REPLAY_SEEDS


async def test_the_text_of_a_task_is_told_once_whatever_happens(
    face: Face, proxy: ChaosProxy, direct: Client
) -> None:
    for seed in range(LIVE_SEEDS):
        client = face.client(max_retries=30)
        proxy.play(2_000 + seed, bytes_max=LOG_BYTES)
        stream = client.tasks.stream(user_message_content="long")
        assert "".join(await face.all(stream.text_deltas)) == WORDS, f"seed {seed}"
        task = await face.done(stream.final_task())
        assert task == direct.tasks.retrieve(task.id).unwrap()
        assert await face.done(stream.final_text) == WORDS


async def test_the_calls_of_a_run_are_made_and_answered_once_whatever_happens(
    face: Face, proxy: ChaosProxy, direct: Client
) -> None:
    made: list[str] = []

    def weather(city: str) -> str:
        made.append(city)
        return f"warm in {city}"

    for seed in range(LIVE_SEEDS):
        client = face.client(max_retries=30)
        proxy.play(3_000 + seed, bytes_max=8_000)
        seen: list[Any] = []
        run = await face.done(
            client.tasks.run(user_message_content="tools", tools=[weather], on_event=seen.append)
        )
        assert run.final_text == "Rome is warmest.", f"seed {seed}"
        assert sorted(made) == ["Bonn", "Oslo", "Rome"], f"seed {seed}"
        made.clear()
        logged = list(direct.tasks.events(run.task.id))
        assert plain(seen) == plain(logged), f"seed {seed}"
        assert run.task == direct.tasks.retrieve(run.task.id).unwrap()
        results = [item for item in run.task.output if isinstance(item, ToolResultItem)]
        assert len({result.call_id for result in results}) == len(results) == 3
