"""The corners of calls and streams: odd paths, odd servers, odd HTTP clients, odd subclasses."""

import copy
import json
import pickle
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from agentlin_client import Client, InternalServerError, NotFoundError, omit
from agentlin_client._interrupt import interrupt
from tests.sdk import wire
from tests.sdk.conftest import KEY, Sdk
from tests.sdk.server import Answer

pytestmark = pytest.mark.anyio

HELLO: dict[str, Any] = {"stream": False, "user_message_content": "Hello"}
STREAM: dict[str, Any] = {"stream": True, "user_message_content": "Hello"}
LOG = wire.log("Hel", "lo")


async def test_a_path_keeps_its_own_query_beside_that_of_client_and_call(sdk: Sdk) -> None:
    sdk.server.script(*[Answer(body=b"{}")] * 2)
    client = sdk.client(default_query={"v": 1})
    path = "/tasks?limit=5&url=https://agents.example"
    await sdk.done(client.get(path, cast_to=dict, extra_query={"b": 2}))
    target = httpx.URL(f"http://h{sdk.server.requests[0].target}")
    assert dict(target.params) == {
        "limit": "5",
        "url": "https://agents.example",
        "v": "1",
        "b": "2",
    }
    kind = httpx.Client if sdk.kind == "sync" else httpx.AsyncClient
    with_params = sdk.client(default_query={"v": 1}, http_client=kind(params={"a": "0"}))
    await sdk.done(with_params.get("/tasks?limit=5", cast_to=dict))
    target = httpx.URL(f"http://h{sdk.server.requests[1].target}")
    assert dict(target.params) == {"limit": "5", "v": "1", "a": "0"}


async def test_options_and_extras_of_a_call_are_both_sent_and_extras_win(sdk: Sdk) -> None:
    sdk.server.script(Answer(body=b"{}"))
    options = {"headers": {"X-A": "option", "X-B": "option"}, "extra_json": {"a": 1}}
    await sdk.done(
        sdk.client().post(
            "/x",
            cast_to=dict,
            body={"c": 3},
            options=options,
            extra_headers={"X-B": "extra"},
            extra_body={"b": 2},
        )
    )
    (request,) = sdk.server.requests
    assert (request.headers["x-a"], request.headers["x-b"]) == ("option", "extra")
    assert json.loads(request.body) == {"c": 3, "a": 1, "b": 2}


@pytest.mark.parametrize("bad", ["a" * 70_000])
async def test_a_path_that_no_url_can_hold_is_a_value_error(sdk: Sdk, bad: str) -> None:
    with pytest.raises(ValueError, match="can't be a path"):
        await sdk.done(sdk.client().tasks.retrieve(bad))


async def test_a_key_of_ones_own_in_the_client_leaves_the_body_alone(sdk: Sdk) -> None:
    sdk.server.script(*[wire.answer(wire.task())] * 2)
    client = sdk.client().with_options(default_headers={"Idempotency-Key": "order-1"})
    await sdk.done(client.tasks.create(**HELLO))
    await sdk.done(client.tasks.create(**HELLO, extra_headers={"Idempotency-Key": omit}))
    own, without = sdk.server.requests
    assert own.headers["idempotency-key"] == "order-1"
    assert "task_id" not in json.loads(own.body)
    assert "idempotency-key" not in without.headers


async def test_no_header_is_sent_twice_also_if_the_http_client_has_it_too(sdk: Sdk) -> None:
    seen: list[httpx.Request] = []

    def reply(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=wire.envelope(wire.task()))

    kind = httpx.Client if sdk.kind == "sync" else httpx.AsyncClient
    headers = {"content-type": "text/plain", "accept": "text/html", "X-Team": "a"}
    http = kind(headers=headers, transport=httpx.MockTransport(reply))
    await sdk.done(sdk.client(http_client=http).tasks.create(**HELLO))
    names = [name.lower() for name, _ in seen[0].headers.raw]
    assert len(names) == len(set(names))
    assert seen[0].headers["content-type"] == "application/json"
    assert seen[0].headers["x-team"] == "a"


@pytest.mark.parametrize(("status", "kind"), [(404, NotFoundError), (503, InternalServerError)])
async def test_a_hook_that_raises_for_status_changes_nothing(
    sdk: Sdk, status: int, kind: type[Exception]
) -> None:
    def raise_for_status(response: httpx.Response) -> None:
        response.raise_for_status()

    async def raise_for_status_async(response: httpx.Response) -> None:
        response.raise_for_status()

    is_sync = sdk.kind == "sync"
    http = (httpx.Client if is_sync else httpx.AsyncClient)(
        event_hooks={"response": [raise_for_status if is_sync else raise_for_status_async]}
    )
    sdk.server.script(*[wire.refusal(status)] * 2)
    client = sdk.client(http_client=http, max_retries=1, default_query={"api_key": "s3cret"})
    with pytest.raises(kind) as caught:
        await sdk.done(client.tasks.retrieve("t"))
    assert "s3cret" not in str(caught.value)
    assert len(sdk.server.requests) == (2 if status == 503 else 1)


def test_what_a_mock_raises_by_mistake_is_not_swallowed() -> None:
    answers = iter([httpx.Response(200, content=wire.envelope(wire.task()))])
    http = httpx.Client(transport=httpx.MockTransport(lambda _: next(answers)))
    with Client(api_key=KEY, http_client=http) as client:
        client.tasks.retrieve("t")
        with pytest.raises(StopIteration):
            client.tasks.retrieve("t")


def test_the_deadline_of_a_signal_handler_is_not_taken_for_the_network() -> None:
    calls: list[int] = []

    def reply(_: httpx.Request) -> httpx.Response:
        calls.append(1)
        raise TimeoutError("the alarm went off")

    http = httpx.Client(transport=httpx.MockTransport(reply))
    with (
        Client(api_key=KEY, http_client=http) as client,
        pytest.raises(TimeoutError, match="alarm"),
    ):
        client.tasks.retrieve("t")
    assert len(calls) == 1


async def test_an_event_without_a_task_id_does_not_make_a_broken_stream_start_anew(
    sdk: Sdk,
) -> None:
    nameless = {name: value for name, value in LOG[3].items() if name != "task_id"}
    broken = Answer(
        headers=wire.SSE,
        chunks=tuple(wire.frame(event) for event in (*LOG[:3], nameless)),
        ending="cut",
    )
    sdk.server.script(broken, wire.stream(LOG[4:]))
    events: list[Any] = []
    await sdk.drain(await sdk.done(sdk.client().tasks.create(**STREAM)), events)
    assert [event.sequence_number for event in events] == list(range(len(LOG)))
    assert sdk.server.requests[1].target == f"/v1/tasks/{wire.TASK_ID}/events"


async def test_an_sse_id_that_no_header_can_hold_is_replaced_by_the_number(sdk: Sdk) -> None:
    odd = wire.frame(LOG[1]).replace(b"id: 1-1", "id: 1-ü".encode())
    sdk.server.script(
        Answer(headers=wire.SSE, chunks=(wire.frame(LOG[0]), odd), ending="cut"),
        wire.stream(LOG[2:]),
    )
    await sdk.drain(await sdk.done(sdk.client().tasks.create(**STREAM)), [])
    assert sdk.server.requests[1].headers["last-event-id"] == "1"


class Tenant(Client):
    def __init__(self, tenant: str, **options: Any) -> None:
        self.tenant = tenant
        super().__init__(**options)


def test_a_subclass_keeps_its_attributes_when_it_is_copied() -> None:
    with Tenant("acme", api_key=KEY) as client:
        assert client.tasks is not client.with_options(timeout=1).tasks
        for twin in (client.with_options(timeout=1), copy.copy(client)):
            assert (type(twin), twin.tenant) == (Tenant, "acme")
        assert pickle.loads(pickle.dumps(client)).tenant == "acme"


class FakeSocket:
    def __init__(self) -> None:
        self.was_shut_down = False

    def get_extra_info(self, _: str) -> "FakeSocket":
        return self

    def shutdown(self, _: int) -> None:
        self.was_shut_down = True


@pytest.mark.parametrize(("version", "is_own"), [(b"HTTP/1.1", True), (b"HTTP/2", False)])
def test_a_socket_that_other_calls_share_is_left_alone(version: bytes, *, is_own: bool) -> None:
    network = FakeSocket()
    extensions: Any = {"network_stream": network, "http_version": version}
    response = httpx.Response(200, content=iter([b"data"]), extensions=extensions)

    def read() -> Iterator[None]:
        interrupt(events, response)  # as another thread would, while this is running
        yield None

    events = read()
    next(events)
    assert network.was_shut_down is is_own
    assert response.is_closed is not is_own  # else it is the reader who closes it


def test_a_response_that_nobody_is_reading_is_closed_at_once() -> None:
    response = httpx.Response(200, content=iter([b"data"]))
    interrupt((_ for _ in ()), response)
    assert response.is_closed
