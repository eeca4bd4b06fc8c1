"""Canceled at any await, closed from any thread at any moment: nothing is left open."""

import asyncio
import random
import threading
from collections.abc import Callable, Coroutine, Generator, Iterator
from itertools import count
from typing import Any

import anyio
import anyio.to_thread
import pytest

from agentlin_client import AsyncClient, Client
from tests.e2e.processes import ServerProcess
from tests.e2e.proxy import ChaosProxy, Fault
from tests.e2e.sdk_clients import KINDS, Face, connections_in_use, scripted_server
from tests.sdk.conftest import KEY

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

WORDS = " ".join(f"word{n}" for n in range(120))
CUT_AFTER = 9_000
"""Bytes after which every connection is cut: a stream takes four of them."""
TIME_S = 60.0


async def canceled_at(nth: int, how: str, coroutine: Coroutine[Any, Any, Any]) -> bool:
    """Await a coroutine, and cancel it when it waits for the nth time; return whether it was.

    Args:
        nth: From 1.
        how: `scope`, as anyio cancels; or `task`, as asyncio does.
        coroutine: What to await.
    """
    task = asyncio.current_task()
    assert task is not None
    with anyio.CancelScope() as scope:
        cancel = scope.cancel if how == "scope" else task.cancel
        try:
            await _Canceling(cancel, nth, coroutine)
        except asyncio.CancelledError:
            if how == "scope":
                raise
            task.uncancel()
            return True
    return scope.cancelled_caught


class _Canceling:
    def __init__(
        self, cancel: Callable[[], object], nth: int, coroutine: Coroutine[Any, Any, Any]
    ) -> None:
        self._cancel = cancel
        self._nth = nth
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, None, None]:
        step: Any = self._coroutine.send
        value: Any = None
        for wait in count(1):
            try:
                waited = step(value)
            except StopIteration:
                return
            if wait == self._nth:
                self._cancel()  # takes effect with the wait that begins here
            try:
                yield waited
                step, value = self._coroutine.send, None
            except BaseException as error:  # noqa: BLE001 - it is passed on
                step, value = self._coroutine.throw, error


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    script = f"""
- {{match: slow, repeat: true, steps: [{{text: so far}}, {{delay_s: 3600}}]}}
- {{repeat: true, text: '{WORDS}', chunks: words}}
"""
    with scripted_server(tmp_path_factory.mktemp("interrupted"), script) as server:
        yield server


@pytest.fixture(scope="module")
def log(server: ServerProcess) -> list[dict[str, Any]]:
    with Client(api_key=KEY, base_url=f"{server.address}/v1") as client:
        client.tasks.create(stream=False, user_message_content="Hi", task_id="t")
        return [event.to_dict() for event in client.tasks.events("t")]


@pytest.fixture
def proxy(server: ServerProcess, log: list[dict[str, Any]]) -> Iterator[ChaosProxy]:
    with ChaosProxy(server.address) as proxy:
        proxy.fault_of = lambda number: Fault(cut_after=CUT_AFTER)
        yield proxy


async def read(client: AsyncClient, into: list[Any]) -> None:
    stream = await client.tasks.events("t")
    async for event in stream:
        into.append(event.to_dict())  # noqa: PERF401 - what came before the end counts


# What a native cancellation leaves of the pool of httpx is httpcore's: its clean-up is shielded
# from scopes only.
@pytest.mark.parametrize(("kind", "how"), [("async", "scope"), ("aiohttp", "task")])
async def test_a_stream_that_is_canceled_at_any_await_leaves_no_connection(
    kind: str, how: str, proxy: ChaosProxy, log: list[dict[str, Any]]
) -> None:
    face = Face(kind, proxy.base_url)
    nth, is_canceled, events = 0, True, list[Any]()
    with anyio.fail_after(TIME_S):
        while is_canceled:
            nth += 1
            client, events = face.client(), list[Any]()
            is_canceled = await canceled_at(nth, how, read(client, events))
            assert events == log[: len(events)], f"canceled at wait {nth}"
            assert connections_in_use(client) == 0, f"canceled at wait {nth}"
            await client.close()
    assert events == log
    assert nth > 20


@pytest.mark.parametrize("how", ["scope", "task"])
@pytest.mark.parametrize("kind", KINDS[1:])
async def test_a_stream_whose_waits_are_canceled_again_and_again_gives_every_event(
    kind: str, how: str, proxy: ChaosProxy, log: list[dict[str, Any]]
) -> None:
    face = Face(kind, proxy.base_url)
    events = list[Any]()
    with anyio.fail_after(TIME_S):
        stream = await face.client().tasks.events("t")
        rng, times = random.Random(7), 0
        while len(events) < len(log):
            times += await canceled_at(rng.randrange(2, 12), how, drain(stream, events))
        await face.close()
    assert events == log
    assert times > 3


async def drain(stream: Any, into: list[Any]) -> None:
    async for event in stream:
        into.append(event.to_dict())  # noqa: PERF401 - what came before the end counts


@pytest.mark.parametrize("seed", range(40))
def test_a_stream_that_is_closed_by_another_thread_ends_there(
    seed: int, proxy: ChaosProxy, log: list[dict[str, Any]]
) -> None:
    rng = random.Random(seed)
    wanted = rng.randrange(len(log))
    face = Face("sync", proxy.base_url)
    client = face.client()
    stream = client.tasks.events("t")
    events, errors, is_far = list[Any](), list[BaseException](), threading.Event()

    def read() -> None:
        try:
            for event in stream:
                events.append(event.to_dict())
                if len(events) > wanted:
                    is_far.set()
        except BaseException as error:  # noqa: BLE001 - whatever it is, there must be none
            errors.append(error)
        finally:
            is_far.set()

    thread = threading.Thread(target=read)
    thread.start()
    assert is_far.wait(TIME_S)
    stream.close()
    thread.join(TIME_S)
    assert not thread.is_alive()
    assert errors == []
    assert events == log[: len(events)]
    assert connections_in_use(client) == 0
    client.close()


def test_a_thread_that_waits_for_an_event_is_woken_when_its_stream_is_closed(
    server: ServerProcess,
) -> None:
    face = Face("sync", f"{server.address}/v1")
    client = face.client()
    with client.tasks.stream(user_message_content="slow", cancel_on_close=True) as stream:
        assert next(stream.text_deltas) == "so far"
        is_reading = threading.Event()

        def read_on() -> None:
            is_reading.set()
            stream.until_done()

        thread = threading.Thread(target=read_on)
        thread.start()
        assert is_reading.wait(TIME_S)
        stream.close()
        thread.join(TIME_S)
        assert not thread.is_alive()
    assert connections_in_use(client) == 0
    assert stream.task_id is not None
    assert client.tasks.retrieve(stream.task_id).unwrap().status == "canceled"
    client.close()
