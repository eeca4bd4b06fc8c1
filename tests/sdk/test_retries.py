"""Retries over the wire: what is sent again, what is not, and that the server can tell."""

import json
import logging
import time
from typing import Any

import httpx
import pytest

from agentlin_client import (
    APIConnectionError,
    APIError,
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    ConflictError,
    InternalServerError,
    RateLimitError,
    omit,
)
from tests.sdk import wire
from tests.sdk.conftest import KEY, Sdk
from tests.sdk.server import DROP, SILENCE, WAIT_S, Answer

pytestmark = pytest.mark.anyio

HELLO: dict[str, Any] = {"stream": False, "user_message_content": "Hello"}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "failure",
    [DROP, *(wire.refusal(status) for status in (408, 409, 429, 500, 503))],
    ids=["drop", "408", "409", "429", "500", "503"],
)
async def test_a_call_is_sent_again_with_the_same_key_and_body_and_a_count(
    sdk: Sdk, failure: Answer, *, stream: bool
) -> None:
    success = wire.stream(wire.log("a")) if stream else wire.answer(wire.task())
    sdk.server.script(failure, failure, success)
    result = await sdk.done(sdk.client().tasks.create(**(HELLO | {"stream": stream})))
    if stream:
        await sdk.drain(result, [])
    requests = sdk.server.requests
    assert [r.headers["x-stainless-retry-count"] for r in requests] == ["0", "1", "2"]
    assert len({(r.headers["idempotency-key"], r.body) for r in requests}) == 1
    first, second = sdk.naps_s
    assert 0.375 <= first <= 0.5
    assert 0.75 <= second <= 1.0


async def test_a_body_that_breaks_off_is_fetched_again(sdk: Sdk) -> None:
    body = wire.envelope(wire.task())
    sdk.server.script(
        Answer(headers=wire.JSON, body=body[:20], ending="cut"),
        Answer(headers=wire.JSON, chunks=(b" ", body), ending="cut"),
        wire.answer(wire.task()),
    )
    assert (await sdk.done(sdk.client().tasks.create(**HELLO))).unwrap().id == wire.TASK_ID
    assert len(sdk.server.requests) == 3


async def test_the_last_failure_is_raised_when_the_retries_are_used_up(sdk: Sdk) -> None:
    sdk.server.script(DROP, wire.refusal(503), wire.refusal(500, -32603, "Internal error"))
    with pytest.raises(InternalServerError, match="500 - Internal error"):
        await sdk.done(sdk.client().tasks.retrieve("t"))
    assert len(sdk.server.requests) == 3


async def test_the_number_of_retries_is_an_option(sdk: Sdk) -> None:
    sdk.server.script(wire.refusal(500))
    with pytest.raises(InternalServerError):
        await sdk.done(sdk.client(max_retries=0).tasks.retrieve("t"))
    assert len(sdk.server.requests) == 1
    sdk.server.script(*[wire.refusal(500)] * 4, wire.answer(wire.task()))
    await sdk.done(sdk.client(max_retries=4).tasks.retrieve("t"))
    assert sdk.server.requests[-1].headers["x-stainless-retry-count"] == "4"


async def test_the_server_has_the_last_word_on_retries(sdk: Sdk) -> None:
    client = sdk.client()
    sdk.server.script(wire.refusal(409, x_should_retry="false"))
    with pytest.raises(ConflictError):
        await sdk.done(client.tasks.cancel("t"))
    assert len(sdk.server.requests) == 1
    sdk.server.script(wire.refusal(400, x_should_retry="true"), wire.answer(wire.task()))
    await sdk.done(client.tasks.cancel("t"))
    assert len(sdk.server.requests) == 3


async def test_the_wait_that_the_server_asks_for_is_kept(sdk: Sdk) -> None:
    sdk.server.script(
        wire.refusal(429, retry_after="7"),
        wire.refusal(503, retry_after_ms="250"),
        wire.refusal(429, -32014, "Too many requests", retry_after="7"),
    )
    with pytest.raises(RateLimitError, match="Too many requests"):
        await sdk.done(sdk.client().tasks.create(**HELLO))
    assert sdk.naps_s == [7.0, 0.25]


async def test_a_wait_takes_real_time_outside_of_tests(sdk: Sdk) -> None:
    sdk.server.script(wire.refusal(503, retry_after_ms="20"), wire.answer(wire.task()))
    started_at = time.monotonic()
    await sdk.done(sdk.client(waits=True).tasks.retrieve("t"))
    assert time.monotonic() - started_at >= 0.02


async def test_a_server_that_does_not_answer_is_a_time_out_after_all_retries(sdk: Sdk) -> None:
    sdk.server.script(SILENCE, SILENCE)
    client = sdk.client(max_retries=1, timeout=0.1)
    with pytest.raises(APITimeoutError) as caught:
        await sdk.done(client.tasks.retrieve("t"))
    assert isinstance(caught.value, APIConnectionError)
    assert isinstance(caught.value.__cause__, httpx.TimeoutException)
    assert caught.value.response is None
    assert caught.value.status_code is None
    assert len(sdk.server.requests) == 2


async def test_a_silence_in_the_middle_of_a_body_is_a_time_out_with_the_answer_so_far(
    sdk: Sdk,
) -> None:
    sdk.server.script(Answer(headers=wire.JSON, chunks=(b" ",), ending="hang"))
    with pytest.raises(APITimeoutError) as caught:
        await sdk.done(sdk.client(max_retries=0).tasks.retrieve("t", timeout=0.1))
    assert caught.value.status_code == 200
    assert sdk.server.client_left.wait(WAIT_S)


async def test_nobody_at_the_address_is_a_connection_error_that_names_it(sdk: Sdk) -> None:
    client = sdk.client(base_url="http://127.0.0.1:1/v1")
    with pytest.raises(APIConnectionError, match=r"http://127\.0\.0\.1:1/v1/tasks/t") as caught:
        await sdk.done(client.tasks.retrieve("t"))
    assert isinstance(caught.value.__cause__, httpx.ConnectError)
    assert len(sdk.naps_s) == 2


async def test_a_host_name_that_can_not_be_looked_up_is_a_connection_error(sdk: Sdk) -> None:
    sdk.server.script(Answer(status=302, headers={"Location": "http://a..b/"}))
    with pytest.raises(APIConnectionError):
        await sdk.done(sdk.client(max_retries=0).tasks.retrieve("t"))


@pytest.mark.parametrize(
    "answer",
    [
        Answer(headers={"Content-Encoding": "gzip"}, body=b"not gzip"),
        Answer(status=302, headers={"Location": "ftp://127.0.0.1/"}),
    ],
    ids=["garbled", "scheme"],
)
async def test_an_answer_that_can_not_be_used_is_an_error_of_ours_and_not_asked_for_again(
    sdk: Sdk, answer: Answer
) -> None:
    sdk.server.script(answer)
    with pytest.raises(APIError) as caught:
        await sdk.done(sdk.client().tasks.retrieve("t"))
    assert isinstance(caught.value.__cause__, httpx.HTTPError)
    assert len(sdk.server.requests) == 1


async def test_a_body_that_can_not_be_decoded_is_not_waited_for(sdk: Sdk) -> None:
    garbled = {"Content-Encoding": "gzip"}
    sdk.server.script(Answer(headers=garbled, chunks=(b"not gzip",), ending="hang"))
    with pytest.raises(APIResponseValidationError) as caught:
        await sdk.done(sdk.client().tasks.retrieve("t"))
    assert caught.value.status_code == 200
    assert sdk.server.client_left.wait(WAIT_S)


async def test_a_redirect_that_is_not_followed_is_an_error(sdk: Sdk) -> None:
    sdk.server.script(Answer(status=303, headers={"Location": "/"}))
    http = httpx.Client() if sdk.kind == "sync" else httpx.AsyncClient()
    with pytest.raises(APIStatusError, match="303"):
        await sdk.done(sdk.client(http_client=http).tasks.retrieve("t"))


async def test_the_count_of_retries_can_be_left_out(sdk: Sdk) -> None:
    sdk.server.script(DROP, wire.answer(wire.task()))
    client = sdk.client(default_headers={"X-Stainless-Retry-Count": omit})
    await sdk.done(client.tasks.retrieve("t"))
    assert all("x-stainless-retry-count" not in r.headers for r in sdk.server.requests)


async def test_the_log_tells_the_story_without_secrets(
    sdk: Sdk, caplog: pytest.LogCaptureFixture
) -> None:
    sdk.server.script(DROP, wire.answer(wire.task()))
    client = sdk.client(default_query={"key": "s3cret-query"})
    with caplog.at_level(logging.DEBUG, logger="agentlin_client"):
        await sdk.done(
            client.tasks.create(
                stream=False, user_message_content="a text", env={"A": "s3cret-env"}
            )
        )
    text = "\n".join(r.getMessage() for r in caplog.records if r.name == "agentlin_client")
    for part in ("retry 1 of 2", "POST http://127.0.0.1", "-> 200", "<redacted>", "agentlin-"):
        assert part in text
    assert "s3cret" not in text
    assert KEY not in text


async def test_a_create_without_an_answer_says_under_which_id_the_task_may_be(sdk: Sdk) -> None:
    sdk.server.script(DROP)
    with pytest.raises(APIConnectionError) as caught:
        await sdk.done(
            sdk.client(max_retries=0).tasks.create(stream=False, user_message_content="Hi")
        )
    sent = json.loads(sdk.server.requests[0].body)["task_id"]
    assert caught.value.__notes__ == [
        f"task {sent} may have been created, and go on: see tasks.retrieve"
    ]


async def test_where_no_server_listens_on_this_machine_the_error_says_how_to_start_one(
    sdk: Sdk,
) -> None:
    client = sdk.client(base_url="http://127.0.0.1:1/v1", max_retries=0)
    with pytest.raises(APIConnectionError, match="`agentlin serve` starts one"):
        await sdk.done(client.tasks.retrieve("t"))


async def test_a_value_that_can_not_be_sent_is_named(sdk: Sdk) -> None:
    with pytest.raises(TypeError, match=r"^metadata: object has no JSON form"):
        await sdk.done(
            sdk.client().tasks.create(
                stream=False, user_message_content="Hi", metadata={"a": object()}
            )
        )
    with pytest.raises(ValueError, match="task_id must be the id of a task, not None"):
        await sdk.done(sdk.client().tasks.retrieve(None))
