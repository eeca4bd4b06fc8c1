"""The body of a raw response: read, iterated over, broken off, gone."""

import gzip
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from agentlin_client import (
    APIConnectionError,
    APIResponseValidationError,
    APITimeoutError,
    ClientError,
)
from tests.sdk import wire
from tests.sdk.conftest import Sdk
from tests.sdk.raw import entered, first, pieces
from tests.sdk.server import WAIT_S, Answer

pytestmark = pytest.mark.anyio

HELLO: dict[str, Any] = {"stream": False, "user_message_content": "Hello"}
STREAM = HELLO | {"stream": True}
LOG = wire.log("Hel", "lo")
LINES = Answer(headers={"Content-Type": "text/plain"}, chunks=(b"one\ntw", b"o\n"))

READERS: dict[str, Callable[[Any], Any]] = {
    "read": lambda response: response.read(),
    "text": lambda response: response.text(),
    "json": lambda response: response.json(),
    "parse": lambda response: response.parse(),
    "iter_bytes": lambda response: pieces(response.iter_bytes()),
    "iter_text": lambda response: pieces(response.iter_text()),
    "iter_lines": lambda response: pieces(response.iter_lines()),
}
every_reader = pytest.mark.parametrize("reader", READERS.values(), ids=READERS)


@every_reader
async def test_a_body_that_breaks_off_is_a_connection_error(sdk: Sdk, reader: Any) -> None:
    sdk.server.script(Answer(headers=wire.JSON, chunks=(b'{"a', b"\n"), ending="cut"))
    async with entered(sdk.client().tasks.with_streaming_response.retrieve("t")) as response:
        with pytest.raises(APIConnectionError, match="reading the answer") as caught:
            await sdk.done(reader(response))
        assert isinstance(caught.value.__cause__, httpx.RemoteProtocolError)
        assert caught.value.response is response.http_response
        assert response.is_closed
    assert len(sdk.server.requests) == 1


@every_reader
async def test_a_body_that_falls_silent_is_a_time_out(sdk: Sdk, reader: Any) -> None:
    sdk.server.script(Answer(headers=wire.JSON, chunks=(b'{"a',), ending="hang"))
    prepared = sdk.client().tasks.with_streaming_response.retrieve("t", timeout=0.05)
    async with entered(prepared) as response:
        with pytest.raises(APITimeoutError):
            await sdk.done(reader(response))
    assert sdk.server.client_left.wait(WAIT_S)


@every_reader
async def test_a_body_that_can_not_be_decompressed_is_a_validation_error(
    sdk: Sdk, reader: Any
) -> None:
    garbled = gzip.compress(b"{}")[:10] + b"\xff" * 10
    sdk.server.script(Answer(headers={"Content-Encoding": "gzip"}, body=garbled))
    async with entered(sdk.client().tasks.with_streaming_response.retrieve("t")) as response:
        with pytest.raises(APIResponseValidationError, match="Garbled"):
            await sdk.done(reader(response))


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
async def test_a_body_that_is_no_json_is_a_validation_error(sdk: Sdk, body: bytes) -> None:
    sdk.server.script(Answer(body=body))
    response = await sdk.done(sdk.client().tasks.with_raw_response.retrieve("t"))
    for read in (response.json, response.parse):
        with pytest.raises(APIResponseValidationError):
            await sdk.done(read())
    assert await sdk.done(response.read()) == body


@every_reader
async def test_a_body_that_was_iterated_over_is_gone_and_the_error_says_so(
    sdk: Sdk, reader: Any
) -> None:
    sdk.server.script(LINES)
    async with entered(sdk.client().tasks.with_streaming_response.retrieve("t")) as response:
        assert await pieces(response.iter_lines()) == ["one", "two"]
        with pytest.raises(ClientError, match=r"call read\(\) first"):
            await sdk.done(reader(response))


@every_reader
@pytest.mark.parametrize("answer", [LINES, wire.stream(LOG)])
async def test_a_body_that_was_not_read_before_closing_is_gone_and_the_error_says_so(
    sdk: Sdk, reader: Any, answer: Answer
) -> None:
    sdk.server.script(answer)
    async with entered(sdk.client().tasks.with_streaming_response.create(**HELLO)) as response:
        pass
    with pytest.raises(ClientError, match="closed") as caught:
        await sdk.done(reader(response))
    assert not isinstance(caught.value, APIConnectionError)


async def test_a_stream_that_was_iterated_over_in_part_can_not_be_parsed(sdk: Sdk) -> None:
    sdk.server.script(wire.stream(LOG))
    response = await sdk.done(sdk.client().tasks.with_raw_response.create(**STREAM))
    lines = response.iter_lines()
    assert (await first(lines)).startswith("id: 0")
    with pytest.raises(ClientError, match="iterated over"):
        await sdk.done(response.parse())
    await sdk.done(lines.close() if sdk.kind == "sync" else lines.aclose())
    await sdk.done(response.close())
    assert response.is_closed
