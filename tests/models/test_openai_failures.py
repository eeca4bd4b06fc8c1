"""The OpenAI-compatible adapter against a real HTTP server: refusals, retries, broken streams."""

import logging
import socket
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from agentlin_server.domain import errors as e
from agentlin_server.domain.model import (
    Finish,
    TextDelta,
)
from agentlin_server.models.openai import OpenAIModel, RetryPolicy
from tests.models.drive import (
    HI,
    KEY,
    REQUEST,
    WHOLE,
    Make,
    Pauses,
    chunks_of,
    failing_after_hi,
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
    event,
    http_chunk,
)

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, e.ModelRequestError),
        (401, e.ModelAuthenticationError),
        (403, e.ModelAuthenticationError),
        (404, e.ModelNotFoundError),
        (422, e.ModelRequestError),
        (429, e.ModelRateLimitError),
    ],
)
async def test_a_refusal_is_mapped_and_not_tried_again(
    provider: MockProvider,
    model: OpenAIModel,
    pauses: Pauses,
    caplog: pytest.LogCaptureFixture,
    status: int,
    kind: type[e.ModelError],
) -> None:
    caplog.set_level(logging.DEBUG)
    body = {"error": {"message": f"no: {KEY}", "code": "x"}}
    provider.will_answer(answer(status, body, headers={"Retry-After": "7"}))
    with pytest.raises(kind, match=rf"acme answered {status}: no: \[redacted\]\.") as caught:
        await chunks_of(model)
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.retry_after_s) == (status, 7.0)
    assert pauses == []
    assert KEY not in caplog.text + repr(caught.value) + repr(model)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": "context_length_exceeded", "message": "too long"}, e.ContextLengthError),
        ({"code": 400, "type": "exceed_context_size_error", "message": "x"}, e.ContextLengthError),
        ({"code": "content_filter", "message": "filtered"}, e.ContentFilterError),
    ],
)
async def test_a_bad_request_is_told_apart_by_its_code(
    provider: MockProvider, model: OpenAIModel, error: dict[str, Any], kind: type[e.ModelError]
) -> None:
    provider.will_answer(answer(400, {"error": error}))
    with pytest.raises(kind):
        await chunks_of(model)


async def test_a_filtered_answer_is_a_finish(provider: MockProvider, model: OpenAIModel) -> None:
    provider.will_answer(SSE_HEAD, HI + delta("content_filter") + DONE, Act.CLOSE)
    assert await chunks_of(model) == [TextDelta("Hi"), Finish("content_filter")]


async def test_a_failing_server_is_tried_twice_more(
    provider: MockProvider, model: OpenAIModel, pauses: Pauses
) -> None:
    provider.will_answer(answer(500, b"boom"))
    provider.will_answer(answer(503, b"", headers={"Retry-After": "2"}))
    provider.will_answer(*WHOLE)
    assert await chunks_of(model) == [TextDelta("Hi"), Finish("stop")]
    assert pauses == [0.5, 2.0]


async def test_a_server_that_keeps_failing_is_given_up(
    provider: MockProvider, model: OpenAIModel, pauses: Pauses
) -> None:
    for _ in range(3):
        provider.will_answer(answer(502, b"bad gateway"))
    with pytest.raises(e.ModelUnavailableError, match="acme answered 502: bad gateway") as caught:
        await chunks_of(model)
    assert caught.value.retryable
    assert pauses == [0.5, 1.0]


async def test_a_server_that_asks_for_a_long_wait_is_not_tried_again(
    provider: MockProvider, model: OpenAIModel, pauses: Pauses
) -> None:
    provider.will_answer(answer(503, b"", headers={"Retry-After": "60"}))
    with pytest.raises(e.ModelUnavailableError) as caught:
        await chunks_of(model)
    assert (caught.value.retry_after_s, pauses) == (60.0, [])


async def test_the_jitter_takes_off_up_to_a_quarter_of_the_pause() -> None:
    error = e.ModelUnavailableError("x", provider="acme")
    assert RetryPolicy(jitter=lambda: 1.0).pause_s(0, error) == 0.375
    assert RetryPolicy(jitter=lambda: 0.0, retries_max=9).pause_s(8, error) == 8.0
    assert RetryPolicy(retries_max=0).pause_s(0, error) is None


async def test_a_refused_connection_is_tried_twice_more_and_says_what_to_do(
    pauses: Pauses, make: Make
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound but not listening: nothing else can take the port
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        model = make(address, retries=RetryPolicy(sleep=pauses.sleep))
        with pytest.raises(e.ModelUnavailableError) as caught:
            await chunks_of(model)
    assert f"acme at {address}: no connection (" in str(caught.value)
    assert "Is the server running there?" in str(caught.value)
    assert caught.value.retryable
    assert len(pauses) == 2


@pytest.mark.parametrize("act", [Act.CLOSE, Act.RESET])
async def test_a_server_that_hangs_up_before_it_answers_is_tried_again(
    provider: MockProvider, model: OpenAIModel, pauses: Pauses, act: Act
) -> None:
    provider.will_answer(act)
    provider.will_answer(*WHOLE)
    assert await chunks_of(model) == [TextDelta("Hi"), Finish("stop")]
    assert pauses == [0.5]


async def test_a_plain_server_behind_https_is_not_tried_again(
    provider: MockProvider, make: Make
) -> None:
    model = make(provider.base_url.replace("http:", "https:"))
    with pytest.raises(e.ModelUnavailableError, match="TLS connection failed") as caught:
        await chunks_of(model)
    assert not caught.value.retryable


async def test_a_server_that_refuses_stream_options_is_asked_without_from_then_on(
    provider: MockProvider, model: OpenAIModel
) -> None:
    said = {"error": {"message": "Unrecognized request argument: stream_options"}}
    provider.will_answer(answer(400, said))
    provider.will_answer(*WHOLE)
    provider.will_answer(*WHOLE)
    assert await chunks_of(model) == await chunks_of(model) == [TextDelta("Hi"), Finish("stop")]
    assert ["stream_options" in request.body for request in provider.received] == [
        True,
        False,
        False,
    ]


async def test_a_server_that_refuses_stream_options_for_ever_is_asked_twice(
    provider: MockProvider, model: OpenAIModel
) -> None:
    for _ in range(2):
        provider.will_answer(answer(400, {"detail": [{"loc": ["body", "stream_options"]}]}))
    with pytest.raises(e.ModelRequestError, match="stream_options"):
        await chunks_of(model)


async def test_a_redirect_is_not_followed(provider: MockProvider, model: OpenAIModel) -> None:
    provider.will_answer(answer(302, headers={"Location": "http://127.0.0.1:1/elsewhere"}))
    with pytest.raises(e.ModelRequestError, match=r"a redirect to http://127\.0\.0\.1:1/elsewhere"):
        await chunks_of(model)
    assert len(provider.received) == 1


async def test_a_web_page_is_no_answer(provider: MockProvider, model: OpenAIModel) -> None:
    provider.will_answer(
        answer(200, b"<html>", headers={"Content-Type": "text/html; charset=utf-8"})
    )
    with pytest.raises(e.ModelRequestError, match=r"a web page. Is the base URL right\?"):
        await chunks_of(model)


@pytest.mark.parametrize(
    "steps",
    [
        (SSE_HEAD + HI, Act.CLOSE),
        (SSE_HEAD + HI + delta(content="x")[:-9], Act.CLOSE),
        (CHUNKED_HEAD + http_chunk(HI), Act.CLOSE),
        (CHUNKED_HEAD + http_chunk(HI) + LAST_CHUNK,),
    ],
    ids=["ends", "in an event", "in the body", "without a finish"],
)
async def test_a_cut_stream_fails_after_what_came(
    provider: MockProvider, model: OpenAIModel, pauses: Pauses, steps: tuple[bytes | Act, ...]
) -> None:
    provider.will_answer(*steps)
    error = await failing_after_hi(model)
    assert type(error) is e.ModelStreamError
    assert "acme broke off in the middle of its answer" in str(error)
    assert error.retryable
    assert pauses == []  # a call whose answer has begun is the engine's to repeat


async def test_a_reset_stream_fails_after_what_came(
    provider: MockProvider, model: OpenAIModel
) -> None:
    gate = anyio.Event()
    provider.will_answer(SSE_HEAD + HI, gate, Act.RESET)
    with anyio.fail_after(5):
        async with model.stream(REQUEST) as batches:
            assert await anext(batches) == [TextDelta("Hi")]
            gate.set()
            with pytest.raises(e.ModelStreamError, match="broke off"):
                await anext(batches)


async def test_a_break_after_the_finish_is_no_failure(
    provider: MockProvider, model: OpenAIModel
) -> None:
    provider.will_answer(CHUNKED_HEAD + http_chunk(HI + delta("stop")), Act.CLOSE)
    assert await chunks_of(model) == [TextDelta("Hi"), Finish("stop")]


@pytest.mark.parametrize(
    ("sent", "kind", "message"),
    [
        (b"data: {not json\n\n", e.ModelStreamError, "what is not a chat-completion chunk"),
        (event({"error": {"code": 429, "message": "slow"}}), e.ModelRateLimitError, "slow"),
        (event({"error": f"bad {KEY}"}), e.ModelStreamError, r"bad \[redacted\]"),
        (event({"x": "y" * 10 * 2**20}), e.ModelStreamError, "an event of more than 8388608 bytes"),
        (b": " + b"y" * 9 * 2**20, e.ModelStreamError, "an event of more than 8388608 bytes"),
    ],
    ids=["garbage", "limit inside", "error inside", "10 MiB", "endless line"],
)
async def test_what_breaks_the_protocol_fails_after_what_came(
    provider: MockProvider,
    model: OpenAIModel,
    sent: bytes,
    kind: type[e.ModelError],
    message: str,
) -> None:
    provider.will_answer(SSE_HEAD + HI, sent, Act.HOLD)
    with anyio.fail_after(10):
        async with model.stream(REQUEST) as batches:
            assert await anext(batches) == [TextDelta("Hi")]
            with pytest.raises(kind, match=message) as caught:
                await anext(batches)
        await provider.hung_up.wait()
    assert type(caught.value) is kind
