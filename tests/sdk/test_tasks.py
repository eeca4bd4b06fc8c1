"""The methods of `client.tasks`: what goes out, what comes back."""

import inspect
import json
import re
import typing
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from agentlin_client import (
    APIResponseValidationError,
    AsyncStream,
    ClientError,
    ConflictError,
    NotFoundError,
    Stream,
    TaskResponseError,
    UnprocessableEntityError,
    omit,
)
from agentlin_client.resources._calls import CallOptions, CreateOptions
from agentlin_client.resources.async_tasks import AsyncTasks
from agentlin_client.resources.tasks import Tasks
from agentlin_client.types import TaskCreateParams, TaskCreateResponse, ToolCallItem
from tests.sdk import wire
from tests.sdk.conftest import KEY, Sdk
from tests.sdk.server import Answer

pytestmark = pytest.mark.anyio

HELLO: dict[str, Any] = {"stream": False, "user_message_content": "Hello"}


async def test_create_posts_the_params_as_json_and_returns_the_envelope(sdk: Sdk) -> None:
    sdk.server.script(wire.answer(wire.task(surprise={"a": None})))
    created = await sdk.done(
        sdk.client(client_id="AIME").tasks.create(
            **HELLO, session_id="sess_1", metadata={"lang": "中文", "none": None}, user_id=omit
        )
    )
    (request,) = sdk.server.requests
    assert (request.method, request.target) == ("POST", "/v1/tasks")
    body = json.loads(request.body)
    assert re.fullmatch(r"task_[0-9a-f]{32}", body.pop("task_id"))
    assert body == HELLO | {
        "session_id": "sess_1",
        "metadata": {"lang": "中文", "none": None},
    }
    assert request.headers["content-type"] == "application/json"
    assert request.headers["accept"] == "application/json"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["x-client-id"] == "AIME"
    assert request.headers["user-agent"].startswith("agentlin-client/")
    assert request.headers["x-stainless-retry-count"] == "0"
    assert "x-stainless-package-version" not in request.headers
    assert isinstance(created, TaskCreateResponse)
    assert created.id == "req_1"
    assert created.unwrap().status == "completed"
    assert created.unwrap().model_extra == {"surprise": {"a": None}}


async def test_every_create_has_an_idempotency_key_of_its_own(sdk: Sdk) -> None:
    sdk.server.script(*[wire.answer(wire.task())] * 3)
    client = sdk.client()
    await sdk.done(client.tasks.create(**HELLO))
    await sdk.done(client.tasks.create(**HELLO))
    await sdk.done(client.tasks.create(**HELLO, extra_headers={"idempotency-key": "mine"}))
    first, second, mine = (r.headers["idempotency-key"] for r in sdk.server.requests)
    assert first != second
    assert first.startswith("agentlin-")
    assert len(first) == len("agentlin-") + 32
    assert mine == "mine"


async def test_items_of_an_earlier_answer_paths_and_any_iterable_can_be_sent(sdk: Sdk) -> None:
    sdk.server.script(wire.answer(wire.task()))
    call = {"type": "tool_call", "call_id": "c", "name": "f", "arguments": "{}", "new": 1}
    await sdk.done(
        sdk.client().tasks.create(
            **HELLO,
            history_messages=(item for item in [ToolCallItem.model_validate(call)]),
            workspace_dir=Path("a") / "b",
            stop_tools={"f"},
        )
    )
    body = json.loads(sdk.server.requests[0].body)
    assert body["history_messages"] == [call]
    assert body["workspace_dir"] == str(Path("a") / "b")
    assert body["stop_tools"] == ["f"]


@pytest.mark.parametrize(("value", "error"), [(b"x", TypeError), (float("nan"), ValueError)])
async def test_a_value_without_a_json_form_is_refused_before_anything_is_sent(
    sdk: Sdk, value: object, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await sdk.done(sdk.client().tasks.create(**HELLO, metadata={"a": value}))
    assert sdk.server.requests == []


async def test_extras_of_a_call_win_over_the_client_and_the_params(sdk: Sdk) -> None:
    sdk.server.script(wire.answer(wire.task()))
    client = sdk.client(
        default_headers={"X-A": "client", "X-B": "client"},
        default_query={"a": "client", "b": "client"},
    )
    await sdk.done(
        client.tasks.create(
            **HELLO,
            extra_headers={"x-a": "call", "Authorization": omit},
            extra_query={"a": "call", "many": [1, 2], "none": None, "left": omit},
            extra_body={"stream": True, "new": 1},
            task_id="mine",
        )
    )
    (request,) = sdk.server.requests
    assert request.target == "/v1/tasks?a=call&b=client&many=1&many=2"
    assert (request.headers["x-a"], request.headers["x-b"]) == ("call", "client")
    assert "authorization" not in request.headers
    assert json.loads(request.body) == HELLO | {"task_id": "mine", "stream": True, "new": 1}


@pytest.mark.parametrize(
    ("method", "sent"),
    [
        ("retrieve", ("GET", "/v1/tasks/a%2Fb%3F")),
        ("delete", ("DELETE", "/v1/tasks/a%2Fb%3F")),
        ("cancel", ("POST", "/v1/tasks/a%2Fb%3F/cancel")),
    ],
)
async def test_a_task_is_named_in_the_path_percent_encoded(
    sdk: Sdk, method: str, sent: tuple[str, str]
) -> None:
    sdk.server.script(wire.answer(wire.task("canceled")))
    response = await sdk.done(getattr(sdk.client().tasks, method)("a/b?"))
    (request,) = sdk.server.requests
    assert (request.method, request.target) == sent
    assert request.body == b""
    assert type(response).__name__ == f"Task{method.title()}Response"
    assert response.unwrap().status == "canceled"


@pytest.mark.parametrize("method", ["retrieve", "delete", "cancel", "events"])
@pytest.mark.parametrize("task_id", ["", ".", ".."])
async def test_an_id_that_would_change_the_path_is_a_value_error(
    sdk: Sdk, method: str, task_id: str
) -> None:
    with pytest.raises(ValueError, match="task_id"):
        await sdk.done(getattr(sdk.client().tasks, method)(task_id))
    assert sdk.server.requests == []


async def test_list_sends_its_filters_and_returns_a_typed_page(sdk: Sdk) -> None:
    sdk.server.script(wire.answer([wire.task(), wire.task("working")]))
    page = await sdk.done(
        sdk.client().tasks.list(session_id="s", status=["working", "completed"], limit=2)
    )
    assert sdk.server.requests[0].target == (
        "/v1/tasks?session_id=s&status=working&status=completed&limit=2"
    )
    assert [task.status for task in page.result] == ["completed", "working"]


async def test_a_page_without_tasks_says_why(sdk: Sdk) -> None:
    error = {"code": -32603, "message": "Internal error"}
    sdk.server.script(wire.answer([]), wire.answer(error=error), wire.answer())
    client = sdk.client()
    empty = await sdk.done(client.tasks.list())
    assert (empty.result, empty.has_next_page(), empty.next_page_info()) == ([], False, None)
    with pytest.raises(TaskResponseError, match="Internal error") as caught:
        await sdk.done(client.tasks.list())
    assert caught.value.error is not None
    with pytest.raises(TaskResponseError):
        await sdk.done(client.tasks.list())


@pytest.mark.parametrize("result", [wire.task(), "tasks", 0, False])
async def test_a_page_that_is_no_list_is_refused(sdk: Sdk, result: Any) -> None:
    sdk.server.script(wire.answer(result))
    with pytest.raises(TaskResponseError, match="no list of tasks"):
        await sdk.done(sdk.client().tasks.list())


async def test_iterating_a_list_fetches_page_after_page_with_the_same_filters(sdk: Sdk) -> None:
    pages = [["t4", "t3"], ["t2", "t1"], []]
    sdk.server.script(*[wire.answer([wire.task(id=each) for each in page]) for page in pages])
    tasks = sdk.client().tasks.list(user_id="u", limit=2)
    ids: list[str] = []
    if sdk.kind == "sync":
        ids.extend(task.id for task in tasks)
    else:
        async for task in tasks:
            ids.append(task.id)  # noqa: PERF401 - the same for both kinds
    assert ids == ["t4", "t3", "t2", "t1"]
    assert [request.target for request in sdk.server.requests] == [
        "/v1/tasks?user_id=u&limit=2",
        "/v1/tasks?user_id=u&limit=2&starting_after=t3",
        "/v1/tasks?user_id=u&limit=2&starting_after=t1",
    ]


async def test_pages_that_end_before_a_task_go_on_to_newer_ones(sdk: Sdk) -> None:
    sdk.server.script(wire.answer([wire.task(id="t5"), wire.task(id="t4")]), wire.answer([]))
    page = await sdk.done(sdk.client().tasks.list(ending_before="t3"))
    assert page.next_page_info() == {"ending_before": "t5"}
    following = await sdk.done(page.get_next_page())
    assert sdk.server.requests[1].target == "/v1/tasks?ending_before=t5"
    with pytest.raises(RuntimeError, match="last page"):
        await sdk.done(following.get_next_page())


async def test_spaces_before_the_answer_keep_the_connection_alive_and_do_no_harm(
    sdk: Sdk,
) -> None:
    chunks = (b" ", b" ", wire.envelope(wire.task()))
    sdk.server.script(Answer(headers=wire.JSON, chunks=chunks))
    created = await sdk.done(sdk.client().tasks.create(**HELLO))
    assert created.unwrap().id == wire.TASK_ID


async def test_unwrap_raises_what_the_envelope_says(sdk: Sdk) -> None:
    error = {"code": -32603, "message": "Internal error", "data": {"ref": "e1"}}
    sdk.server.script(wire.answer(error=error))
    created = await sdk.done(sdk.client().tasks.create(**HELLO))
    with pytest.raises(TaskResponseError, match=r"Internal error.*-32603") as caught:
        created.unwrap()
    assert isinstance(caught.value, ClientError)
    assert caught.value.error is not None
    assert caught.value.error.data == {"ref": "e1"}
    assert caught.value.task is None


async def test_a_failed_task_is_a_task_and_no_error_of_the_call(sdk: Sdk) -> None:
    failed = wire.task("failed", error={"code": -32000, "message": "model failure"})
    sdk.server.script(wire.answer(failed))
    task = (await sdk.done(sdk.client().tasks.create(**HELLO))).unwrap()
    assert task.status == "failed"
    assert task.error is not None


async def test_the_answers_content_type_decides_what_create_returns(sdk: Sdk) -> None:
    events = wire.stream(wire.log("Hi"))
    shouted = {"Content-Type": "Text/Event-Stream ; charset=utf-8"}
    sdk.server.script(wire.answer(wire.task()), events, replace(events, headers=shouted))
    client = sdk.client()
    streaming = HELLO | {"stream": True}
    assert isinstance(await sdk.done(client.tasks.create(**streaming)), TaskCreateResponse)
    for _ in range(2):
        stream = await sdk.done(client.tasks.create(**streaming))
        assert isinstance(stream, Stream | AsyncStream)
        await sdk.drain(stream, [])
    assert sdk.server.requests[1].headers["accept"] == "text/event-stream"


async def test_a_refusal_is_the_error_of_its_status_with_the_envelopes_message(sdk: Sdk) -> None:
    sdk.server.script(
        wire.refusal(404, -32001, "Task not found", x_should_retry="false"),
        wire.refusal(409, -32002, "Task cannot be canceled", x_should_retry="false"),
        wire.refusal(422, -32602, "Invalid params", x_should_retry="false"),
    )
    client = sdk.client()
    with pytest.raises(NotFoundError, match=r"404 - Task not found \(-32001\)") as caught:
        await sdk.done(client.tasks.retrieve("t"))
    assert caught.value.request.url.path == "/v1/tasks/t"
    assert caught.value.response.status_code == 404
    with pytest.raises(ConflictError):
        await sdk.done(client.tasks.cancel("t"))
    with pytest.raises(UnprocessableEntityError):
        await sdk.done(client.tasks.create(**(HELLO | {"stream": True})))
    assert len(sdk.server.requests) == 3


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b'{"jsonrpc":"2.0","result":{"id":1}}', b'{"jsonrpc":"2.0"', b"\xff"],
)
async def test_an_answer_of_another_form_is_a_validation_error_of_ours(
    sdk: Sdk, body: bytes
) -> None:
    sdk.server.script(Answer(headers={"Content-Type": "text/html"}, body=body))
    with pytest.raises(APIResponseValidationError, match="text/html") as caught:
        await sdk.done(sdk.client(_strict_response_validation=True).tasks.retrieve("t"))
    assert caught.value.status_code == 200
    assert caught.value.response.content == body


async def test_a_redirect_is_followed(sdk: Sdk) -> None:
    location = f"{sdk.server.origin}/v2/tasks"
    sdk.server.script(Answer(status=307, headers={"Location": location}), wire.answer(wire.task()))
    await sdk.done(sdk.client().tasks.create(**HELLO))
    first, second = sdk.server.requests
    assert (second.method, second.target) == ("POST", "/v2/tasks")
    assert second.body == first.body


async def test_the_users_own_http_client_is_used_and_closed_with_ours(sdk: Sdk) -> None:
    def reply(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=wire.envelope(wire.task()))

    transport = httpx.MockTransport(reply)
    kind = httpx.Client if sdk.kind == "sync" else httpx.AsyncClient
    http = kind(transport=transport)
    client = sdk.client(http_client=http)
    assert (await sdk.done(client.tasks.retrieve("t"))).unwrap().id == wire.TASK_ID
    await sdk.done(client.close())
    assert http.is_closed


class OneByte(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __init__(self) -> None:
        self.times_closed = 0

    def __iter__(self) -> Iterator[bytes]:
        yield b"{"

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"{"

    def close(self) -> None:
        self.times_closed += 1

    async def aclose(self) -> None:
        self.times_closed += 1


class LateConnection(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Answers after its client was closed, as a connection does that was just being made."""

    def __init__(self) -> None:
        self.body = OneByte()
        self.close_client: Callable[[], Any] = lambda: None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.close_client()
        return httpx.Response(200, stream=self.body)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await self.close_client()
        return httpx.Response(200, stream=self.body)


async def test_an_answer_that_comes_after_the_client_was_closed_leaves_no_connection(
    sdk: Sdk,
) -> None:
    transport = LateConnection()
    kind = httpx.Client if sdk.kind == "sync" else httpx.AsyncClient
    client = sdk.client(http_client=kind(transport=transport))
    transport.close_client = client.close
    with pytest.raises(ClientError, match="closed before the answer came"):
        await sdk.done(client.tasks.retrieve("t"))
    assert transport.body.times_closed == 1


def test_create_takes_exactly_the_params_of_the_contract_and_those_of_a_call() -> None:
    params = set(typing.get_type_hints(TaskCreateParams))
    declared = set(CreateOptions.__annotations__) | {"stream", "user_message_content"}
    assert declared == params | set(CallOptions.__annotations__)
    for method in (Tasks.create, AsyncTasks.create):
        assert set(inspect.signature(method).parameters) == declared | {"self"}


def test_both_clients_have_the_same_methods_with_the_same_parameters() -> None:
    public = [name for name in dir(Tasks) if not name.startswith("_")]
    assert public == [name for name in dir(AsyncTasks) if not name.startswith("_")]
    assert len(public) >= 10
    for name in public:
        if name.startswith("with_"):  # these hold the methods once more
            continue
        ours, twin = (
            [(p.name, p.kind, p.default) for p in inspect.signature(method).parameters.values()]
            for method in (getattr(Tasks, name), getattr(AsyncTasks, name))
        )
        assert ours == twin


async def test_an_unknown_parameter_is_a_type_error(sdk: Sdk) -> None:
    with pytest.raises(TypeError, match="sesion_id"):
        await sdk.done(sdk.client().tasks.create(**HELLO, sesion_id="s"))
    with pytest.raises(TypeError, match="tiemout"):
        await sdk.done(sdk.client().tasks.retrieve("t", tiemout=1))
