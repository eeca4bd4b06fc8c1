"""client.tasks.stream(cancel_on_close=True): a task that is left early does not go on."""

from typing import Any, ClassVar

import anyio
import httpx
import pytest

from agentlin_client import (
    APIConnectionError,
    APITimeoutError,
    ClientError,
    ConflictError,
    InternalServerError,
    NotFoundError,
)
from agentlin_client.lib import async_task_stream
from tests.sdk import wire
from tests.sdk.conftest import Sdk
from tests.sdk.task_streams import WAIT_S, Face, ended
from tests.types.streams import simple_stream

pytestmark = pytest.mark.anyio

LOG = simple_stream("Hel", "lo")
REQUEST = httpx.Request("POST", "http://127.0.0.1:9999/v1/tasks/t/cancel")


@pytest.fixture(params=["sync", "async"])
def face(request: pytest.FixtureRequest) -> Face:
    return Face(request.param)


def refusal(status: int) -> httpx.Response:
    return httpx.Response(status, request=REQUEST)


def unreachable() -> APIConnectionError:
    error = APIConnectionError(request=REQUEST)
    error.__cause__ = httpx.ConnectError("refused")
    return error


def refused() -> ConflictError:
    return ConflictError("the id is taken", response=refusal(409), body=None)


class Canceler:
    """Cancels tasks, or does not."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked: list[str] = []
        self._error = error

    def cancel(self, task_id: str) -> None:
        self.asked.append(task_id)
        if self._error is not None:
            raise self._error


@pytest.mark.parametrize("seen", [1, 6])
async def test_a_stream_that_is_left_early_cancels_its_task_if_it_should(
    face: Face, seen: int
) -> None:
    source, canceler = face.source(LOG), Canceler()
    stream = face.stream(source, cancel=face.call(canceler.cancel))
    await face.within(stream, lambda s: face.some(s.events, seen))
    assert canceler.asked == ["task_1"]
    assert source.times_closed == 1
    await face.done(stream.close())
    assert canceler.asked == ["task_1"]


async def test_a_task_whose_first_event_has_not_come_is_canceled_by_the_id_it_was_given(
    face: Face,
) -> None:
    canceler = Canceler()
    cancel = face.call(canceler.cancel)
    source = face.call(lambda: face.source(LOG))
    await face.within(face.stream(source, cancel=cancel, task_id="task_7"), lambda s: None)
    assert canceler.asked == ["task_7"]
    await face.within(face.stream(source, cancel=cancel), lambda s: None)
    assert canceler.asked == ["task_7"]


@pytest.mark.parametrize("last", ["completed", "paused"])
async def test_a_task_that_has_ended_or_rests_is_not_canceled(face: Face, last: str) -> None:
    canceler = Canceler()
    stream = face.stream(face.source(ended(last)), cancel=face.call(canceler.cancel))
    await face.within(stream, lambda s: s.until_done())
    assert canceler.asked == []


async def test_a_stream_that_was_never_sent_cancels_nothing(face: Face) -> None:
    canceler, opened = Canceler(), []
    stream = face.stream(
        face.call(lambda: opened.append(1)), cancel=face.call(canceler.cancel), task_id="task_7"
    )
    await face.done(stream.close())
    assert await face.all(stream.events) == []
    assert await face.within(stream, lambda s: face.all(s.events)) == []
    assert (canceler.asked, opened) == ([], [])


@pytest.mark.parametrize("error", [ConflictError, NotFoundError])
async def test_a_task_that_has_ended_meanwhile_or_is_gone_needs_no_cancelling(
    face: Face, error: type[ConflictError]
) -> None:
    response = refusal(409)
    canceler = Canceler(error("no", response=response, body=None))
    stream = face.stream(face.source(LOG), cancel=face.call(canceler.cancel))
    await face.within(stream, lambda s: face.some(s.events, 1))
    assert canceler.asked == ["task_1"]


async def test_a_task_that_could_not_be_canceled_is_an_error(face: Face) -> None:
    canceler = Canceler(InternalServerError("down", response=refusal(503), body=None))
    stream = face.stream(face.source(LOG), cancel=face.call(canceler.cancel))
    with pytest.raises(InternalServerError):
        await face.within(stream, lambda s: face.some(s.events, 1))


async def test_an_error_in_the_block_is_not_hidden_by_one_of_the_cancelling(face: Face) -> None:
    canceler = Canceler(InternalServerError("down", response=refusal(503), body=None))
    stream = face.stream(face.source(LOG), cancel=face.call(canceler.cancel), task_id="task_7")
    with pytest.raises(KeyError) as caught:
        await face.within(stream, lambda s: {}["nothing"])
    assert caught.value.__notes__ == ["The task task_7 may go on: down"]


async def test_a_request_that_was_refused_cancels_nothing_and_one_that_may_have_come_through_does(
    face: Face,
) -> None:
    def fail(error: BaseException) -> Any:
        raise error

    for error, asked in (
        (unreachable(), []),
        (refused(), []),
        (TypeError("no such parameter"), []),
        (APITimeoutError(REQUEST), ["task_7"]),
        (APIConnectionError(request=REQUEST), ["task_7"]),
        (InternalServerError("down", response=refusal(502), body=None), ["task_7"]),
        (KeyboardInterrupt(), ["task_7"]),
    ):
        canceler = Canceler()
        stream = face.stream(
            face.call(lambda error=error: fail(error)),
            cancel=face.call(canceler.cancel),
            task_id="task_7",
        )
        with pytest.raises(type(error)):
            await face.done(stream.until_done())
        assert canceler.asked == asked
        await face.done(stream.close())
        assert canceler.asked == asked


async def test_a_request_that_timed_out_stays_the_error_though_the_cancelling_fails(
    face: Face,
) -> None:
    def fail() -> Any:
        raise APITimeoutError(REQUEST)

    canceler = Canceler(InternalServerError("down", response=refusal(503), body=None))
    cancel = face.call(canceler.cancel)
    stream = face.stream(face.call(fail), cancel=cancel, task_id="task_7")
    with pytest.raises(APITimeoutError) as caught:
        await face.done(stream.until_done())
    assert caught.value.__notes__ == ["The task task_7 may go on: down"]


async def test_a_stream_that_is_closed_while_its_request_is_on_its_way_cancels_the_task(
    face: Face,
) -> None:
    class Server:
        has_task = False
        asked: ClassVar[list[bool]] = []

        def cancel(self, task_id: str) -> None:
            self.asked.append(self.has_task)
            if not self.has_task:
                raise NotFoundError("no such task", response=refusal(404), body=None)

    server = Server()
    server.asked.clear()
    source = face.source(LOG)

    def create() -> Any:  # for the blocking one as if another thread had closed it
        stream.close()
        server.has_task = True
        return source

    async def create_async() -> Any:
        await stream.close()
        server.has_task = True
        return source

    opener = create if face.is_sync else create_async
    stream = face.stream(opener, cancel=face.call(server.cancel), task_id="task_7")
    assert await face.within(stream, lambda s: face.all(s.events)) == []
    assert server.asked == [False, True]
    assert source.times_closed >= 1


async def test_a_cancelling_that_failed_is_tried_again_by_the_next_close(face: Face) -> None:
    canceler = Canceler(InternalServerError("down", response=refusal(503), body=None))
    stream = face.stream(face.source(LOG), cancel=face.call(canceler.cancel), task_id="task_7")
    for _ in range(2):
        with pytest.raises(InternalServerError):
            await face.done(stream.close())
    assert canceler.asked == ["task_7"] * 2


async def test_a_canceled_scope_still_cancels_the_task() -> None:
    face, canceler, waiting = Face("async"), Canceler(), anyio.Event()
    stream = face.stream(face.source(LOG), cancel=face.call(canceler.cancel))

    async def read() -> None:
        async with stream as entered:
            await anext(entered)
            waiting.set()
            await anyio.sleep_forever()

    with anyio.fail_after(WAIT_S):
        async with anyio.create_task_group() as group:
            group.start_soon(read)
            await waiting.wait()
            group.cancel_scope.cancel()
    assert canceler.asked == ["task_1"]


async def test_cancelling_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(async_task_stream, "_CANCEL_MAX_S", 0.01)
    face = Face("async")

    async def hang(task_id: str) -> None:
        await anyio.sleep_forever()

    stream = face.stream(face.source(LOG), cancel=hang)
    with pytest.raises(ClientError, match=r"was not canceled in 0\.01 s"):
        await face.within(stream, lambda s: face.some(s, 1))


async def test_a_real_stream_that_is_left_early_cancels_its_task_over_the_wire(sdk: Sdk) -> None:
    sdk.server.script(
        wire.stream(wire.log("a", "b")[:6], ending="hang"), wire.answer(wire.task("canceled"))
    )
    client, face = sdk.client(), Face(sdk.kind)
    stream = client.tasks.stream(user_message_content="Hello", cancel_on_close=True)
    assert await face.within(stream, lambda s: face.some(s.text_deltas, 1)) == ["a"]
    assert sdk.server.client_left.wait(WAIT_S)
    assert sdk.server.requests[1].target == f"/v1/tasks/{wire.TASK_ID}/cancel"
