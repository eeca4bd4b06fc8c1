"""The examples of the published client's README run against our client, changed where wrong."""

import ast
import asyncio
import inspect
import json
import socket
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from typing import Any, Final

import pytest

from agentlin_client.testing import FakeServer
from tests.sdk.bridge import bridged
from tests.sdk.pages import leaving_open, scripted
from tests.sdk.published_examples import EXAMPLES

CHANGES: Final[dict[str, list[tuple[str, str]]]] = {
    # `task` is the envelope, and its id is that of the request.
    **{name: [("task.id", "task.result.id")] for name in ("usage", "async", "aiohttp", "raw")},
    "nested": [
        # A context, or an answer, of no tokens is none.
        ('"max_model_length": 0', '"max_model_length": 1'),
        ('"max_response_length": 0', '"max_response_length": 1'),
        # With stream=True it is no task but a stream; and no task has an `agent_config`.
        ("print(task.agent_config)", "print([event.type for event in task][-1])"),
    ],
    "timeouts": [("from agentlin_client", "import httpx\nfrom agentlin_client")],
    "http_client_of_a_copy": [("(...)", "()")],  # an Ellipsis is no option
}
"""What is wrong in an example, and what is right."""
_CLIENT: Final = "from agentlin_client import Client\nclient = Client()\n"
_ASYNC_CLIENT: Final = "from agentlin_client import AsyncClient\nclient = AsyncClient()\n"
BEFORE: Final[dict[str, str]] = {
    "pages_by_hand": _ASYNC_CLIENT,
    "page_by_hand": _ASYNC_CLIENT,
    "null": """
from agentlin_client import BaseModel

class Answer(BaseModel):
    my_field: str | None = None

response = Answer.model_validate({})
""",
    "streaming": _CLIENT,
    "undocumented": """
import httpx
from agentlin_client import Client

def foo(request: httpx.Request) -> httpx.Response:
    assert request.url.path == "/v1/foo"
    return httpx.Response(200, headers={"x-foo": request.content.decode()})

client = Client(http_client=httpx.Client(transport=httpx.MockTransport(foo)))
""",
    "http_client_of_a_copy": _CLIENT + "from agentlin_client import DefaultHttpxClient\n",
}
"""What an example takes for granted."""
TASKS: Final = 31
"""One more than a page of the examples holds."""
LISTING: Final = frozenset({"pages", "async_pages", "pages_by_hand", "page_by_hand"})
NEW: Final = "task_1"
PRINTED: Final[dict[str, str]] = {
    "usage": f"{NEW}\n",
    "async": f"{NEW}\n",
    "aiohttp": f"{NEW}\n",
    "pages_by_hand": (
        "will fetch next page using these details: {'starting_after': 'task_2'}\n"
        "number of items we just fetched: 1\n"
    ),
    "page_by_hand": "next page cursor: task_2\n"
    + "".join(f"task_{number}\n" for number in range(TASKS, 1, -1)),
    "nested": "task.completed\n",
    "errors": "",
    "retries": "",
    "timeouts": "",
    "null": 'Got json like {}, without a "my_field" key present at all.\n',
    "raw": f"None\n{NEW}\n",
    "undocumented": '{"my_param":true}\n',
    "http_client": "",
    "http_client_of_a_copy": "",
    "closing": "",
    "version": "0.1.0\n",
}
STREAMED: Final = "streaming"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    fake = scripted()
    with bridged(fake) as base_url:
        monkeypatch.setenv("AGENTLIN_BASE_URL", base_url)
        monkeypatch.setenv("AGENTLIN_API_KEY", "My API Key")
        yield fake


def fill(fake: FakeServer) -> None:
    with fake.client() as client:
        for _ in range(TASKS):
            client.tasks.create(stream=False, user_message_content="hello")


def run(name: str) -> str:
    """Run an example, with its changes; return what it prints."""
    code = EXAMPLES[name]
    for old, new in CHANGES.get(name, []):
        assert old in code
        code = code.replace(old, new)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    printed = StringIO()
    with leaving_open(namespace), redirect_stdout(printed):
        exec(BEFORE.get(name, ""), namespace)
        # Some await at the top, as one may in a notebook.
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        running = eval(compile(code, name, "exec", flags), namespace)
        if inspect.iscoroutine(running):
            asyncio.run(running)
    return printed.getvalue()


@pytest.mark.parametrize("name", PRINTED)
def test_an_example_runs_and_prints_what_it_should(name: str, fake: FakeServer) -> None:
    if name in LISTING:
        fill(fake)
    assert run(name) == PRINTED[name]


@pytest.mark.parametrize("name", sorted(LISTING - PRINTED.keys()))
def test_an_example_that_lists_has_the_tasks_of_all_pages(name: str, fake: FakeServer) -> None:
    fill(fake)
    printed = run(name)
    assert printed.count("TaskObject(id='task_") == TASKS
    assert len([request for request in fake.requests if request.method == "GET"]) > 1


def test_the_example_that_streams_reads_the_body_line_by_line(fake: FakeServer) -> None:
    header, *lines = run(STREAMED).splitlines()
    assert header == "None"
    assert json.loads("".join(lines))["result"]["id"] == NEW


def test_no_example_is_left_out() -> None:
    assert PRINTED.keys() | LISTING | {STREAMED} == {*EXAMPLES}


def test_the_example_on_errors_tells_them_apart(fake: FakeServer) -> None:
    fake.fail_next(429, times=3, headers={"retry-after-ms": "1"})
    assert run("errors").startswith("A 429 status code was received")
    fake.fail_next(403)
    refused = run("errors").splitlines()
    assert refused[0] == "Another non-200-range status code was received"
    assert refused[1:] == ["403", "<Response [403 Forbidden]>"]


def test_the_example_on_errors_names_the_cause_where_there_is_no_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("AGENTLIN_BASE_URL", f"http://127.0.0.1:{port}/v1")
    monkeypatch.setenv("AGENTLIN_API_KEY", "My API Key")
    monkeypatch.setattr("agentlin_client._transport.sleep", lambda _: None)  # no wait to retry
    assert run("errors").startswith("The server could not be reached\n")
