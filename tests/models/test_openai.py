"""The OpenAI-compatible adapter against a real HTTP server: requests and answers."""

import subprocess
import sys
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from agentlin_server.domain import errors as e
from agentlin_server.domain.model import (
    Chunk,
    Finish,
    ModelRequest,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from agentlin_server.models.openai import OpenAIModel
from tests.models.drive import (
    END,
    HI,
    KEY,
    REQUEST,
    WHOLE,
    Make,
    adapter,
    chunks_of,
)
from tests.models.mock_provider import (
    CHUNKED_HEAD,
    DONE,
    LAST_CHUNK,
    SSE_HEAD,
    Act,
    MockProvider,
    answer,
    delta,
    http_chunk,
    usage,
)

pytestmark = pytest.mark.anyio


async def test_an_answer_streams_as_batches_of_what_each_read_held(
    provider: MockProvider, model: OpenAIModel
) -> None:
    gate = anyio.Event()
    first = delta(role="assistant", content="") + delta(reasoning="hm") + HI + HI
    call = [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}]
    rest = delta("tool_calls", tool_calls=call) + usage(prompt_tokens=3, completion_tokens=4) + DONE
    provider.will_answer(SSE_HEAD + first, gate, rest, Act.CLOSE)
    with anyio.fail_after(5):
        async with model.stream(REQUEST) as batches:
            assert await anext(batches) == [ReasoningDelta("hm"), TextDelta("Hi"), TextDelta("Hi")]
            gate.set()
            assert [list(batch) async for batch in batches] == [
                [
                    ToolCallDelta(0, "a", "f", "{}"),
                    Usage(input_tokens=3, output_tokens=4),
                    Finish("tool_calls"),
                ]
            ]


async def test_the_request_is_what_the_protocol_wants(
    provider: MockProvider, model: OpenAIModel
) -> None:
    provider.will_answer(*WHOLE)
    await chunks_of(model)
    (request,) = provider.received
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["accept-encoding"] == "identity"
    assert request.body == {
        "model": "m-1",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 9,
    }


async def test_a_query_headers_and_the_name_of_the_limit_can_be_set(
    provider: MockProvider, make: Make
) -> None:
    model = make(
        provider.base_url + "/chat/completions/?api-version=1",
        api_key=None,
        headers={"api-key": "other"},
        output_tokens_field="max_completion_tokens",
    )
    provider.will_answer(*WHOLE)
    await chunks_of(model)
    (request,) = provider.received
    assert request.path == "/v1/chat/completions?api-version=1"
    assert request.headers["api-key"] == "other"
    assert "authorization" not in request.headers
    assert request.body["max_completion_tokens"] == 9


async def test_crlf_comments_and_multi_line_data_are_understood(
    provider: MockProvider, model: OpenAIModel
) -> None:
    provider.will_answer(
        SSE_HEAD,
        b": PROCESSING\r\n\r\nevent: message\r\n" + HI.replace(b"\n", b"\r\n"),
        b'data: {"choices":\r\ndata: [{"delta": {"content": "!"}, "finish_reason": "stop"}]}\r\n\r',
        b"\ndata: [DONE]\r\n\r\n",
        Act.CLOSE,
    )
    assert await chunks_of(model) == [TextDelta("Hi"), TextDelta("!"), Finish("stop")]


async def test_think_tags_split_between_reads_become_reasoning(
    provider: MockProvider, model: OpenAIModel
) -> None:
    pieces = [delta(content=text) for text in ("<th", "ink>", "hm", "</thi", "nk>\n\n", "Hi")]
    provider.will_answer(SSE_HEAD, *pieces, END, Act.CLOSE)
    assert await chunks_of(model) == [ReasoningDelta("hm"), TextDelta("Hi"), Finish("stop")]


async def test_a_finished_answer_leaves_its_connection_to_the_next(
    provider: MockProvider, model: OpenAIModel
) -> None:
    for _ in range(3):
        provider.will_answer(CHUNKED_HEAD + http_chunk(HI) + http_chunk(END) + LAST_CHUNK)
        assert await chunks_of(model) == [TextDelta("Hi"), Finish("stop")]
    assert [request.connection for request in provider.received] == [0, 0, 0]


async def test_leaving_early_closes_the_connection_at_once(
    provider: MockProvider, model: OpenAIModel
) -> None:
    provider.will_answer(SSE_HEAD + HI, Act.HOLD)
    with anyio.fail_after(5):
        async with model.stream(REQUEST) as batches:
            assert await anext(batches) == [TextDelta("Hi")]
        await provider.hung_up.wait()


async def test_cancelling_the_reader_closes_the_connection(
    provider: MockProvider, model: OpenAIModel
) -> None:
    provider.will_answer(SSE_HEAD + HI, Act.HOLD)
    has_read = anyio.Event()

    async def read() -> None:
        async with model.stream(REQUEST) as batches:
            async for _ in batches:
                has_read.set()

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tg:
            tg.start_soon(read)
            await has_read.wait()
            tg.cancel_scope.cancel()
        await provider.hung_up.wait()


async def test_a_server_that_keeps_the_connection_open_after_done_is_not_waited_for(
    provider: MockProvider, model: OpenAIModel
) -> None:
    provider.will_answer(SSE_HEAD + HI + END, Act.HOLD)
    assert await chunks_of(model) == [TextDelta("Hi"), Finish("stop")]
    with anyio.fail_after(5):
        await provider.hung_up.wait()


async def test_a_server_that_does_not_stream_is_understood(
    provider: MockProvider, model: OpenAIModel
) -> None:
    message = {"message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    body = {"choices": [message], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}
    provider.will_answer(answer(200, body))
    assert await chunks_of(model) == [
        TextDelta("Hi"), Usage(input_tokens=1, output_tokens=2), Finish("stop"),
    ]  # fmt: skip


async def test_a_hundred_streams_share_the_adapter(
    provider: MockProvider, model: OpenAIModel
) -> None:
    gate = anyio.Event()
    results: list[list[Chunk]] = []
    for _ in range(100):
        provider.will_answer(SSE_HEAD + HI, gate, END, Act.CLOSE)

    async def read() -> None:
        results.append(await chunks_of(model))

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tg:
            for _ in range(100):
                tg.start_soon(read)
            while len(provider.received) < 100:  # all are open at once
                await anyio.lowlevel.checkpoint()
            gate.set()
    assert results == [[TextDelta("Hi"), Finish("stop")]] * 100


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base_url": "localhost:8000"}, "must look like https://host/v1"),
        ({"base_url": "ftp://host"}, "must look like"),
        ({"base_url": "https://u:secret@host/v1"}, "holds credentials"),
        ({"api_key": "a\nb"}, "characters no key has"),
        ({"api_key": "schl\u00fcssel"}, "characters no key has"),
    ],
)
def test_what_can_not_be_an_address_or_a_key_is_refused(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        adapter(**{"base_url": "http://host/v1", **options})
    assert "secret" not in str(caught.value)


def test_the_name_of_the_limit_follows_the_host() -> None:
    assert adapter("https://api.openai.com/v1").output_tokens_field == "max_completion_tokens"
    assert adapter("http://127.0.0.1:8000/v1").output_tokens_field == "max_tokens"


async def test_a_closed_adapter_can_be_used_again(
    provider: MockProvider, model: OpenAIModel
) -> None:
    for _ in range(2):
        provider.will_answer(*WHOLE)
        assert await chunks_of(model) == [TextDelta("Hi"), Finish("stop")]
        await model.aclose()
    await model.aclose()


async def test_large_requests_are_sent_without_a_warning(
    provider: MockProvider, model: OpenAIModel
) -> None:
    provider.will_answer(*WHOLE)
    content = "x" * 3 * 2**20
    await chunks_of(model, ModelRequest(model="m", messages=[{"role": "user", "content": content}]))
    assert provider.received[0].body["messages"][0]["content"] == content


async def test_the_models_of_a_provider_are_listed(
    provider: MockProvider, model: OpenAIModel
) -> None:
    provider.will_answer(answer(200, {"object": "list", "data": [{"id": "b"}, {"id": "a"}]}))
    assert await model.list_models() == ["b", "a"]
    assert (provider.received[0].method, provider.received[0].path) == ("GET", "/v1/models")
    provider.will_answer(answer(404, {"error": "no"}))
    with pytest.raises(e.ModelNotFoundError, match="Check the base URL"):
        await model.list_models()
    provider.will_answer(answer(200, {"data": "none"}))
    with pytest.raises(e.ModelStreamError, match="has no list of models"):
        await model.list_models()


def test_importing_the_adapter_does_not_import_aiohttp() -> None:
    code = (
        "import sys, agentlin_server.models.openai, agentlin_server.models.scripted;"
        "sys.exit(bool({'aiohttp', 'yaml'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
