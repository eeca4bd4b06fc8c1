"""The server does what it is asked, and its answer is lost: it is asked again, and did it once."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import pytest

from agentlin_client import Client, NotFoundError
from tests.e2e.processes import ServerProcess
from tests.e2e.proxy import ChaosProxy, Fault
from tests.e2e.sdk_clients import KINDS, Face, scripted_server
from tests.sdk.conftest import KEY

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SCRIPT = """
- {match: quick, repeat: true, text: "Said at once."}
- {match: slow, repeat: true, steps: [{text: so far}, {delay_s: 3600}]}
- {match: ask, results: 0, repeat: true, steps: [{tool_call: {name: age, call_id: call_a}}]}
- {match: ask, results: 1, repeat: true, text: "Thank you."}
"""
ASK: dict[str, Any] = {
    "stream": False,
    "user_message_content": "ask",
    "client_tools": [
        {
            "type": "function",
            "function": {"name": "age", "parameters": {"type": "object", "properties": {}}},
        }
    ],
}
ANSWER: dict[str, Any] = {
    "type": "tool_result",
    "call_id": "call_a",
    "message_content": "42",
    "block_list": [],
}
TIME_S = 30.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with scripted_server(tmp_path_factory.mktemp("lost"), SCRIPT) as server:
        yield server


@pytest.fixture(scope="module")
def direct(server: ServerProcess) -> Iterator[Client]:
    with Client(api_key=KEY, base_url=f"{server.address}/v1") as client:
        yield client


@pytest.fixture
def proxy(server: ServerProcess) -> Iterator[ChaosProxy]:
    with ChaosProxy(server.address) as proxy:
        # Every other connection, beginning with the first, carries a request and no answer.
        proxy.fault_of = lambda number: Fault(cut_after=0) if number % 2 == 0 else Fault()
        yield proxy


@pytest.fixture(params=KINDS)
async def face(request: pytest.FixtureRequest, proxy: ChaosProxy) -> AsyncIterator[Face]:
    face = Face(request.param, proxy.base_url)
    with anyio.fail_after(TIME_S):
        yield face
        await face.close()


async def test_a_task_is_created_once(face: Face, proxy: ChaosProxy, direct: Client) -> None:
    session = f"sess_{face.kind}"
    for stream in (False, True):
        created = face.client().tasks.create(
            stream=stream, user_message_content="quick", session_id=session
        )
        if stream:
            assert (await face.events(created))[0].sequence_number == 0
        else:
            assert (await face.done(created)).unwrap().status == "completed"
    assert len(list(direct.tasks.list(session_id=session))) == 2
    assert proxy.connections == 4


async def test_a_task_is_paused_resumed_and_canceled_once(face: Face, direct: Client) -> None:
    task = direct.tasks.create(stream=False, user_message_content="slow", background=True).unwrap()
    for name, status in (("pause", "working"), ("resume", "working"), ("cancel", "canceled")):
        method = getattr(face.client().tasks, name)  # a client, and so a connection, for each
        assert (await face.done(method(task.id))).unwrap().status == status
    types = [event.type for event in direct.tasks.events(task.id)]
    assert types.count("task.canceled") == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_is_given_once_and_no_event_after_it_is_missing(
    face: Face, direct: Client, *, stream: bool
) -> None:
    task = direct.tasks.create(**ASK).unwrap()
    assert task.sequence_number is not None
    answered = face.client().tasks.submit_tool_results(
        task.id, tool_results=[ANSWER], stream=stream
    )
    if stream:
        events = await face.events(answered)
        assert events == list(direct.tasks.events(task.id, starting_after=task.sequence_number))
    else:
        assert (await face.done(answered)).unwrap().status == "completed"
    types = [item.type for item in direct.tasks.retrieve(task.id).unwrap().output]
    assert types.count("tool_result") == 1


async def test_a_task_whose_deletion_was_not_answered_is_not_found(
    face: Face, direct: Client
) -> None:
    """A gap: what became of the task is right, but the snapshot of it is lost."""
    task = direct.tasks.create(stream=False, user_message_content="quick").unwrap()
    with pytest.raises(NotFoundError):
        await face.done(face.client().tasks.delete(task.id))
