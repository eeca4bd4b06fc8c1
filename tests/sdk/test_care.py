"""What nobody asks for and everybody notices: pickles, garbage, threads, words."""

import contextlib
import copy
import gc
import pickle
import threading
import weakref
from collections.abc import AsyncIterable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import FrameType, GeneratorType, TracebackType
from typing import Any, Self

import httpx
import pytest

import agentlin_client as sdk_
from agentlin_client import _errors, _http
from agentlin_client._errors import status_error_class
from agentlin_client.types import TaskObject
from tests.sdk import wire
from tests.sdk.conftest import KEY, Sdk
from tests.sdk.server import DROP, SILENCE

REQUEST = httpx.Request("POST", "http://127.0.0.1:1/v1/tasks", json={"a": 1})
TASK = TaskObject.model_validate(
    wire.task(status="failed", error={"code": -32000, "message": "Model failed"})
)
HELLO: dict[str, Any] = {"stream": False, "user_message_content": "Hello"}
BASE_URL = "http://agents.example/v1"


def answer(status: int = 200, text: str = "{}") -> httpx.Response:
    return httpx.Response(status, text=text, request=REQUEST, headers={"X-Request-ID": "req_1"})


def unread_answer() -> httpx.Response:
    """Return an answer as a client has it while it streams: with connections behind it."""
    body = iter([b"data: 1\n\n"])
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=body))
    with httpx.Client(transport=transport) as client:
        return client.send(client.build_request("GET", BASE_URL), stream=True)


def every_error() -> list[sdk_.ClientError]:
    statuses = [
        status_error_class(code)("No", response=answer(code), body={"a": [1]})
        for code in (302, 400, 401, 403, 404, 409, 422, 429, 500)
    ]
    reported = {"error": {"code": -32000, "message": "m", "data": {"b": 2}}}
    errors = [
        sdk_.ClientError("no key"),
        sdk_.TaskResponseError("no task", error=TASK.error, task=TASK),
        sdk_.TaskFailedError(TASK),
        _errors.TaskWaitTimeoutError(TASK, timeout_s=2.5),
        _errors.OutputValidationError("no JSON", text="Hm", errors=[{"loc": ["a"], "msg": "m"}]),
        _errors.ToolArgumentsError("no such city"),
        sdk_.APIError("The stream failed", REQUEST, body=reported, response=unread_answer()),
        sdk_.APIConnectionError(request=REQUEST, response=unread_answer()),
        sdk_.APITimeoutError(REQUEST),
        sdk_.APIResponseValidationError(answer(text="?"), "?"),
        *statuses,
    ]
    errors[0].add_note("while testing")
    return errors


def subclasses(cls: type[Any]) -> Iterator[type[Any]]:
    yield cls
    for sub in cls.__subclasses__():
        yield from subclasses(sub)


def test_the_list_of_errors_below_has_every_public_class() -> None:
    public = {
        cls
        for cls in subclasses(sdk_.ClientError)
        if cls.__module__ == _errors.__name__ and not cls.__name__.startswith("_")
    }
    assert {type(error) for error in every_error()} == public


def shape(value: object) -> object:
    """Return what of an attribute can be compared: requests and answers by what they say."""
    match value:
        case httpx.Request():
            return value.method, str(value.url), value.headers.raw, value.content
        case httpx.Response():
            text = value.text if hasattr(value, "_content") else None
            return value.status_code, value.headers.raw, text, str(value.request.url)
        case _:
            return value


@pytest.mark.parametrize(
    "through",
    [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy],
    ids=["pickle", "copy", "deepcopy"],
)
@pytest.mark.parametrize("error", every_error(), ids=lambda error: type(error).__name__)
def test_an_error_survives_with_all_that_it_says(
    error: sdk_.ClientError, through: Callable[[Any], Any]
) -> None:
    twin = through(error)
    assert type(twin) is type(error)
    assert (str(twin), twin.args) == (str(error), error.args)
    assert {k: shape(v) for k, v in vars(twin).items()} == {
        k: shape(v) for k, v in vars(error).items()
    }
    if isinstance(error, sdk_.APIError) and isinstance(twin, sdk_.APIError):
        assert (twin.code, twin.status_code) == (error.code, error.status_code)
        assert (twin.request_id, twin.data) == (error.request_id, error.data)


# ----------------------------------------------------------------------------- clients that travel


@pytest.mark.parametrize("cls", [sdk_.Client, sdk_.AsyncClient])
def test_a_client_is_pickled_as_its_options_and_makes_its_own_connections(cls: Any) -> None:
    client = cls(
        api_key=KEY,
        client_id="team",
        base_url=BASE_URL,
        timeout=httpx.Timeout(7, connect=1),
        max_retries=5,
        default_headers={"X-A": "1", "User-Agent": sdk_.omit},
        default_query={"q": "1"},
        stream_idle_timeout=9,
        _strict_response_validation=True,
    )
    twin = pickle.loads(pickle.dumps(client))
    assert type(twin) is cls
    assert twin.api_key == KEY
    assert twin.timeout == httpx.Timeout(7, connect=1)
    assert twin.default_headers == client.default_headers
    assert twin.max_retries == 5
    assert twin._transport is not client._transport
    assert twin._transport.pool is not client._transport.pool
    assert not twin.is_closed


@pytest.mark.anyio
async def test_a_pickled_client_works(sdk: Sdk) -> None:
    client = sdk.client()
    sdk.server.script(wire.answer(wire.task()), wire.answer(wire.task()))
    await sdk.done(client.tasks.create(**HELLO))
    twin = pickle.loads(pickle.dumps(client))
    assert (await sdk.done(twin.tasks.create(**HELLO))).unwrap().id == wire.TASK_ID
    await sdk.done(twin.close())
    assert not client.is_closed
    assert sdk.server.requests[1].headers["authorization"] == f"Bearer {KEY}"


def test_a_client_with_an_http_client_of_the_user_says_why_it_stays() -> None:
    with httpx.Client() as http, pytest.raises(TypeError, match="leave out http_client"):
        pickle.dumps(sdk_.Client(http_client=http))


# ----------------------------------------------------------------------------- nothing left behind


class Garbage:
    """What only the garbage collector can free: reference cycles."""

    def __enter__(self) -> Self:
        gc.collect()
        gc.disable()
        return self

    def __exit__(self, *exc: object) -> None:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()

    def of_ours(self) -> list[object]:
        """Return our objects, and our frames and generators, that are tied in a cycle now."""
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        return [thing for thing in gc.garbage if _is_ours(thing)]


def _is_ours(thing: object) -> bool:
    if isinstance(thing, FrameType | TracebackType):
        frame = thing.tb_frame if isinstance(thing, TracebackType) else thing
        return "agentlin_client" in frame.f_code.co_filename
    if isinstance(thing, GeneratorType):
        return "agentlin_client" in thing.gi_code.co_filename
    return type(thing).__module__.startswith("agentlin_client")


FAILURES: dict[str, tuple[Any, ...]] = {
    "refused": (wire.refusal(404, -32001),),
    "refused after a retry": (wire.refusal(503), wire.refusal(503)),
    "no connection": (DROP, DROP),
    "no answer in time": (SILENCE, SILENCE),
    "no json": (wire.answer(status=200),),
}


@pytest.mark.anyio
@pytest.mark.parametrize("answers", FAILURES.values(), ids=FAILURES)
async def test_a_failed_call_leaves_no_cycle(sdk: Sdk, answers: tuple[Any, ...]) -> None:
    seen: list[weakref.ref[Exception]] = []
    client = sdk.client(
        max_retries=1,
        timeout=httpx.Timeout(5, read=0.2),
        on_retry=lambda retry: seen.append(weakref.ref(retry.error)),
        _strict_response_validation=True,
    )
    sdk.server.script(*answers)
    with Garbage() as garbage:
        try:
            (await sdk.done(client.tasks.create(**HELLO))).unwrap()
        except sdk_.ClientError as error:
            seen.append(weakref.ref(error))
        assert seen
        assert [ref() for ref in seen] == [None] * len(seen)
        assert garbage.of_ours() == []


@pytest.mark.anyio
@pytest.mark.parametrize("ending", ["left early", "whole", "cut for good", "malformed"])
async def test_a_stream_leaves_no_cycle_however_it_ends(sdk: Sdk, ending: str) -> None:
    events = wire.log("Hello", " you")
    good = wire.stream(events)
    answers = {
        "cut for good": [wire.stream(events[:4], ending="cut"), wire.refusal(404, -32001)],
        "malformed": [wire.Answer(headers=wire.SSE, chunks=(b"data: {]\n\n",))],
    }
    client = sdk.client()
    sdk.server.script(*answers.get(ending, [good]))
    with Garbage() as garbage:
        stream = await sdk.done(client.tasks.create(stream=True, user_message_content="Hello"))
        refs: list[weakref.ref[Any]] = [weakref.ref(stream)]
        try:
            if ending == "left early":
                await sdk.next(stream)
            else:
                await sdk.drain(stream, [])
        except sdk_.APIError as error:
            refs.append(weakref.ref(error))
        await sdk.done(stream.close())
        del stream
        assert [ref() for ref in refs] == [None] * len(refs)
        assert garbage.of_ours() == []


# ----------------------------------------------------------------------------- threads


def test_sixteen_threads_share_a_client() -> None:
    together = threading.Barrier(16, timeout=5)

    def handle(request: httpx.Request) -> httpx.Response:
        name = request.url.path.rsplit("/", 1)[1]
        return httpx.Response(200, content=wire.envelope(wire.task(session_id=name)))

    transport = httpx.MockTransport(handle)

    def work(number: int) -> set[str]:
        together.wait()
        return {client.tasks.retrieve(f"t{number}").unwrap().session_id for _ in range(20)}

    with (
        sdk_.Client(http_client=httpx.Client(transport=transport)) as client,
        ThreadPoolExecutor(16) as threads,
    ):
        results = list(threads.map(work, range(16)))
    assert results == [{f"t{number}"} for number in range(16)]


def test_threads_whose_first_requests_meet_share_one_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(16, timeout=5)
    made: list[httpx.Client] = []
    one_more = threading.Event()

    def default_client(config: Any) -> httpx.Client:
        if made:
            one_more.set()
        made.append(
            httpx.Client(
                transport=httpx.MockTransport(
                    lambda _: httpx.Response(200, content=wire.envelope(wire.task()))
                )
            )
        )
        one_more.wait(0.1)  # time for a second thread to come here, if it can
        return made[-1]

    monkeypatch.setattr(_http, "default_client", default_client)
    with sdk_.Client() as client, ThreadPoolExecutor(16) as threads:

        def work(_: int) -> str:
            together.wait()
            return client.tasks.retrieve("t").unwrap().id

        assert list(threads.map(work, range(16))) == [wire.TASK_ID] * 16
    assert len(made) == 1
    assert made[0].is_closed


# ----------------------------------------------------------------------------- the wrong kind


@pytest.mark.anyio
async def test_a_client_and_its_stream_say_what_to_write_in_the_other_kind_of_code(
    sdk: Sdk,
) -> None:
    sdk.server.script(wire.stream(wire.log("Hi")))
    client = sdk.client()
    stream = await sdk.done(client.tasks.create(stream=True, user_message_content="Hi"))
    for thing in (client, stream):
        name = type(thing).__name__
        if sdk.kind == "async":
            words = f"{name} is for async code: write `async with`, not `with`, or use Client"
            with pytest.raises(TypeError, match=words), thing:
                pass
        else:
            words = f"{name} is for blocking code: write `with`, not `async with`, or use AsyncC"
            with pytest.raises(TypeError, match=words):
                async with thing:
                    pass
    await sdk.done(stream.close())


@pytest.mark.anyio
async def test_each_kind_is_a_context_manager_of_its_own_kind_only(sdk: Sdk) -> None:
    sdk.server.script(wire.stream(wire.log("Hi")))
    client = sdk.client()
    stream = await sdk.done(client.tasks.create(stream=True, user_message_content="Hi"))
    other = "__aenter__" if sdk.kind == "sync" else "__enter__"
    for thing in (client, stream):
        is_sync = isinstance(thing, contextlib.AbstractContextManager)
        is_async = isinstance(thing, contextlib.AbstractAsyncContextManager)
        assert (is_sync, is_async) == (sdk.kind == "sync", sdk.kind == "async")
        assert not hasattr(thing, other)
    await sdk.done(stream.close())


@pytest.mark.anyio
async def test_each_kind_of_stream_is_iterable_in_its_own_way_only(sdk: Sdk) -> None:
    sdk.server.script(wire.stream(wire.log("Hi")))
    stream = await sdk.done(sdk.client().tasks.create(stream=True, user_message_content="Hi"))
    assert isinstance(stream, Iterable) == (sdk.kind == "sync")
    assert isinstance(stream, AsyncIterable) == (sdk.kind == "async")
    await sdk.done(stream.close())


@pytest.mark.parametrize(
    ("make", "given", "words"),
    [
        (sdk_.Client, httpx.AsyncClient(), "give it to AsyncClient, or make an httpx.Client"),
        (sdk_.AsyncClient, httpx.Client(), "give it to Client, or make an httpx.AsyncClient"),
        (sdk_.Client, httpx.Client, "httpx.Client, not Client: pass an instance"),
        (sdk_.Client, "proxy", "must be an httpx.Client, not str"),
    ],
    ids=["async for blocking", "blocking for async", "a class", "no client"],
)
def test_an_http_client_of_the_wrong_kind_is_refused(make: Any, given: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        make(http_client=given)
    with contextlib.suppress(AttributeError, TypeError):
        given.close()


# ----------------------------------------------------------------------------- what is shown


@pytest.mark.parametrize("cls", [sdk_.Client, sdk_.AsyncClient])
def test_no_repr_shows_a_secret(cls: Any) -> None:
    client = cls(
        api_key=KEY,
        base_url="https://me:hunter2@agents.example/v1",
        default_headers={"X-Token": "hunter2"},
        default_query={"key": "hunter2"},
    )
    shown = f"{client!r} {client} {client._config!r} {client._transport!r} {client.tasks!r}"
    assert KEY not in shown
    assert "hunter2" not in shown
    assert "agents.example" in shown
