"""client.tasks.wait: follows a task to its end or to rest; no polling, and no longer than asked."""

import pickle
import threading
from time import monotonic
from typing import Any

import anyio
import pytest

from agentlin_client import NotFoundError, TaskResponseError, TaskWaitTimeoutError
from agentlin_client._sentinels import omit
from agentlin_client.lib import async_wait
from agentlin_client.lib import wait as sync_wait
from agentlin_client.types import TaskRetrieveResponse
from tests.sdk import wire
from tests.sdk.conftest import Sdk
from tests.sdk.server import Answer
from tests.sdk.task_streams import WAIT_S, AsyncFakeStream, Face, ended
from tests.types.streams import simple_stream

pytestmark = pytest.mark.anyio

LOG = simple_stream("Hello")


@pytest.fixture(params=["sync", "async"])
def face(request: pytest.FixtureRequest) -> Face:
    return Face(request.param)


class FakeTasks:
    """Answers `retrieve` and `events` from lists, in order, and remembers how it was asked."""

    def __init__(self, face: Face, tasks: list[dict[str, Any]], streams: list[Any]) -> None:
        self.asked: list[Any] = []
        self.retrieve = face.call(self._retrieve)
        self.events = face.call(self._events)
        self._tasks = tasks[::-1]
        self._streams = streams[::-1]

    def _retrieve(self, task_id: str, **options: Any) -> TaskRetrieveResponse:
        self.asked.append(("retrieve", task_id, options))
        body = {"jsonrpc": "2.0", "id": "r", "result": self._tasks.pop()}
        return TaskRetrieveResponse.model_validate(body)

    def _events(self, task_id: str, **options: Any) -> Any:
        self.asked.append(("events", task_id, options))
        return self._streams.pop()


class Silence:
    """A stream that says nothing until it is closed, as a blocking one does."""

    last_event_id = None

    def __init__(self, error: Exception | None = None) -> None:
        self.closed = threading.Event()
        self._error = error

    def __iter__(self) -> "Silence":
        return self

    def __next__(self) -> Any:
        assert self.closed.wait(WAIT_S)
        raise self._error or StopIteration

    def close(self) -> None:
        self.closed.set()


class AsyncSilence(AsyncFakeStream):
    """Its async twin."""

    def __init__(self) -> None:
        super().__init__([])

    async def __anext__(self) -> Any:
        await anyio.sleep_forever()


async def waited(face: Face, tasks: FakeTasks, **options: Any) -> Any:
    wait = sync_wait.wait if face.is_sync else async_wait.wait
    with anyio.fail_after(WAIT_S):
        return await face.done(wait(tasks, "task_1", **options))


def going(status: str = "working", number: int | None = 2, **fields: Any) -> dict[str, Any]:
    return wire.task(status, sequence_number=number, **fields)


async def test_a_task_that_has_ended_costs_one_request(face: Face) -> None:
    tasks = FakeTasks(face, [going("failed")], [])
    assert (await waited(face, tasks)).status == "failed"
    assert [call[0] for call in tasks.asked] == ["retrieve"]


async def test_a_task_is_followed_to_its_end_and_fetched_once_more(face: Face) -> None:
    source = face.source(LOG[3:])
    tasks = FakeTasks(face, [going(), going("completed", 9, metadata={"x": 1})], [source])
    task = await waited(face, tasks, extra_headers={"x-a": "b"}, extra_query={"q": 1})
    assert (task.status, task.metadata) == ("completed", {"x": 1})
    extras = {"extra_headers": {"x-a": "b"}, "extra_query": {"q": 1}}
    assert tasks.asked == [
        ("retrieve", "task_1", extras),
        ("events", "task_1", {"starting_after": 2, "until": omit} | extras),
        ("retrieve", "task_1", extras),
    ]
    assert source.times_closed == 1


@pytest.mark.parametrize("status", ["paused", "input-required"])
async def test_a_rest_is_an_end_unless_the_end_alone_is_asked_for(face: Face, status: str) -> None:
    tasks = FakeTasks(face, [going(status)], [])
    assert (await waited(face, tasks)).status == status
    tasks = FakeTasks(face, [going(status), going("completed")], [face.source(LOG[3:])])
    assert (await waited(face, tasks, until="final")).status == "completed"
    assert tasks.asked[1][2]["until"] == "final"


async def test_a_task_that_was_answered_before_it_was_seen_at_rest_is_waited_for_again(
    face: Face,
) -> None:
    tasks = FakeTasks(
        face,
        [going(), going("working", 7), going("completed", 9)],
        [face.source(LOG[3:7]), face.source(LOG[7:])],
    )
    assert (await waited(face, tasks)).status == "completed"
    assert tasks.asked[3][2]["starting_after"] == 7


async def test_a_server_that_tells_no_number_is_asked_for_all_events(face: Face) -> None:
    tasks = FakeTasks(face, [going(number=None), going("completed")], [face.source(LOG)])
    await waited(face, tasks)
    assert tasks.asked[1][2]["starting_after"] is omit


async def test_a_server_that_has_no_more_events_of_a_working_task_is_not_asked_for_ever(
    face: Face,
) -> None:
    tasks = FakeTasks(face, [going(), going()], [face.source([])])
    with pytest.raises(TaskResponseError, match="though it is working") as caught:
        await waited(face, tasks)
    assert caught.value.task is not None


async def test_the_waiting_ends_in_time_and_the_task_goes_on(face: Face) -> None:
    timeout = 0.2
    source = Silence() if face.is_sync else AsyncSilence()
    tasks = FakeTasks(face, [going()], [source])
    with pytest.raises(TaskWaitTimeoutError, match=f"in {timeout} s") as caught:
        await waited(face, tasks, timeout=timeout)
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.task is not None
    assert caught.value.task.status == "working"
    assert caught.value.timeout_s == timeout
    assert source.closed.is_set() if isinstance(source, Silence) else source.times_closed == 1


@pytest.mark.parametrize("timeout", [0, -1.0])
async def test_without_any_time_it_is_looked_once(face: Face, timeout: float) -> None:
    tasks = FakeTasks(face, [going(), going("completed")], [])
    with pytest.raises(TaskWaitTimeoutError) as caught:
        await waited(face, tasks, timeout=timeout)
    assert caught.value.task is not None
    assert caught.value.task.status == "working"
    assert (await waited(face, tasks, timeout=timeout)).status == "completed"
    assert [call[0] for call in tasks.asked] == ["retrieve"] * 2


async def test_a_task_that_is_fetched_as_it_was_before_its_last_event_is_what_that_event_shows(
    face: Face,
) -> None:
    old = going("working", 2)
    tasks = FakeTasks(face, [old, old], [face.source(ended("paused")[3:])])
    assert (await waited(face, tasks)).status == "paused"


async def test_a_server_without_numbers_is_not_asked_for_ever(face: Face) -> None:
    old, events = going("working", None), face.source(LOG[3:5])
    tasks = FakeTasks(face, [old] * 3, [events, face.source(LOG[3:5])])
    with pytest.raises(TaskResponseError, match="though it is working"):
        await waited(face, tasks)
    assert [call[2].get("starting_after") for call in tasks.asked[1::2]] == [omit, 4]


async def test_rests_that_come_and_go_while_they_are_looked_at_are_waited_out(face: Face) -> None:
    tasks = FakeTasks(
        face,
        [going("working", 5), going("working", 7), going("completed", 9)],
        [face.source([]), face.source(LOG[7:])],  # it was at rest at 5, and went on
    )
    assert (await waited(face, tasks)).status == "completed"


def test_the_time_out_can_be_pickled() -> None:
    task = TaskRetrieveResponse.model_validate(
        {"jsonrpc": "2.0", "id": "r", "result": going()}
    ).unwrap()
    error = TaskWaitTimeoutError(task, timeout_s=2.5)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is TaskWaitTimeoutError
    assert str(copy) == str(error) == "task task_1 did not come to its end or to rest in 2.5 s"
    assert (copy.task, copy.timeout_s) == (task, 2.5)


async def test_a_task_that_ends_in_time_is_returned_and_no_thread_is_left(face: Face) -> None:
    threads = threading.active_count()
    tasks = FakeTasks(face, [going(), going("completed")], [face.source(LOG[3:])])
    assert (await waited(face, tasks, timeout=60)).status == "completed"
    assert threading.active_count() == threads


@pytest.mark.parametrize("timeout", [None, 60])
async def test_an_error_of_the_stream_is_passed_on(face: Face, timeout: float | None) -> None:
    broken = TaskResponseError("cut", error=None)
    source = face.source(LOG[3:5], error=broken)
    tasks = FakeTasks(face, [going()], [source])
    with pytest.raises(TaskResponseError, match="cut"):
        await waited(face, tasks, timeout=timeout)
    assert source.times_closed == 1


async def test_an_error_that_the_closing_makes_is_a_time_out_too() -> None:
    tasks = FakeTasks(Face("sync"), [going()], [Silence(TaskResponseError("cut", error=None))])
    with pytest.raises(TaskWaitTimeoutError):
        await waited(Face("sync"), tasks, timeout=0.01)


# Over a real client and a real connection.


async def waited_over(sdk: Sdk, client: Any, **options: Any) -> Any:
    with anyio.fail_after(WAIT_S):
        return await sdk.done(client.tasks.wait(wire.TASK_ID, **options))


async def test_a_task_of_a_server_is_waited_for(sdk: Sdk) -> None:
    sdk.server.script(
        wire.answer(going("working", 2)),
        wire.stream(wire.log("a")[3:]),
        wire.answer(going("completed", 9)),
    )
    task = await waited_over(sdk, sdk.client(), timeout=60, until="final")
    assert task.status == "completed"
    path = f"/v1/tasks/{wire.TASK_ID}"
    targets = [request.target for request in sdk.server.requests]
    assert [targets[0], targets[2]] == [path, path]
    assert sorted(targets[1].partition("?")[2].split("&")) == ["starting_after=2", "until=final"]


async def test_a_silent_server_is_waited_for_no_longer_than_asked(sdk: Sdk) -> None:
    sdk.server.script(
        wire.answer(going("working", 2)),
        Answer(headers=wire.SSE, chunks=(b": ping\n",), ending="hang"),
    )
    with pytest.raises(TaskWaitTimeoutError):
        await waited_over(sdk, sdk.client(), timeout=0.5)
    assert sdk.server.client_left.wait(WAIT_S)


async def test_a_server_that_asks_for_patience_gets_no_more_than_the_waiting_has(sdk: Sdk) -> None:
    later = wire.refusal(503, -32000, "later", retry_after="30")
    sdk.server.script(later, later)
    begun = monotonic()
    with pytest.raises(TaskWaitTimeoutError, match=f"task {wire.TASK_ID} did not") as caught:
        await waited_over(sdk, sdk.client(waits=True), timeout=0.2)
    assert caught.value.task is None
    assert monotonic() - begun < WAIT_S


async def test_a_broken_stream_is_made_anew_no_longer_than_the_waiting_has(sdk: Sdk) -> None:
    later = wire.refusal(503, -32000, "later", retry_after="30")
    sdk.server.script(
        wire.answer(going("working", 2)), wire.stream(wire.log("a")[3:4]), later, later
    )
    begun = monotonic()
    with pytest.raises(TaskWaitTimeoutError) as caught:
        await waited_over(sdk, sdk.client(waits=True), timeout=0.5)
    assert caught.value.task is not None
    assert caught.value.task.status == "working"
    assert monotonic() - begun < WAIT_S


async def test_an_empty_id_is_refused_and_an_unknown_one_is_not_found(sdk: Sdk) -> None:
    sdk.server.script(wire.refusal(404, -32001, "Task not found", x_should_retry="false"))
    client = sdk.client()
    with pytest.raises(NotFoundError):
        await waited_over(sdk, client)
    with pytest.raises(ValueError, match="task_id"):
        await sdk.done(client.tasks.wait(""))
