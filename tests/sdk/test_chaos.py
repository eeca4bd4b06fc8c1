"""Whatever the wire does to a stream, its reader sees every event once, in order.

The log is served as a server of the contract does: `Last-Event-ID` gives what comes after it. What
is done to the bytes is decided per connection.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentlin_client import AsyncClient, Client
from tests.sdk import wire

pytestmark = pytest.mark.anyio

LOG = wire.log("Hel", "lo", " wörld", "", "!")
FRAMES = [wire.frame(event) for event in LOG]
WHOLE = b"".join(FRAMES)

Spoil = Callable[[int, bytes], Iterator[bytes]]
"""From the number of the connection, from 0, and what it should carry to what it carries."""


def cut_at(offset: int, *, politely: bool) -> Spoil:
    """End the first connection after `offset` bytes, with an error or as if all was well."""

    def spoil(connection: int, body: bytes) -> Iterator[bytes]:
        if connection:
            yield body
            return
        yield body[:offset]
        if not politely:
            raise httpx.ReadError("connection reset")

    return spoil


class _Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk


def transport(spoil: Spoil) -> httpx.MockTransport:
    connections = iter(range(1_000_000))

    def reply(request: httpx.Request) -> httpx.Response:
        last = request.headers.get("last-event-id")
        start = 0 if last is None else int(last.partition("-")[0]) + 1
        if start == len(FRAMES):
            return httpx.Response(204)
        body = _Body(spoil(next(connections), b"".join(FRAMES[start:])))
        return httpx.Response(200, headers=wire.SSE, stream=body)

    return httpx.MockTransport(reply)


def read(spoil: Spoil) -> list[Any]:
    http = httpx.Client(transport=transport(spoil))
    with Client(http_client=http, max_retries=8) as client:
        client._transport._sleep = lambda seconds: None
        return list(client.tasks.create(stream=True, user_message_content="Hello"))


async def read_async(spoil: Spoil) -> list[Any]:
    async def nap(seconds: float) -> None: ...

    http = httpx.AsyncClient(transport=transport(spoil))
    async with AsyncClient(http_client=http, max_retries=8) as client:
        client._transport._sleep = nap
        stream = await client.tasks.create(stream=True, user_message_content="Hello")
        return [event async for event in stream]


@pytest.fixture(scope="module")
def expected() -> list[Any]:
    events = read(lambda _, body: iter([body]))
    assert [event.to_dict() for event in events] == LOG
    return events


def test_a_stream_that_is_truncated_at_any_byte_gives_the_same_events(expected: list[Any]) -> None:
    for offset in range(len(WHOLE) + 1):
        assert read(cut_at(offset, politely=bool(offset % 2))) == expected, offset


async def test_an_async_stream_that_is_truncated_at_any_byte_gives_the_same_events(
    expected: list[Any],
) -> None:
    for offset in range(len(WHOLE) + 1):
        events = await read_async(cut_at(offset, politely=not offset % 2))
        assert events == expected, offset


FAULTS = st.lists(
    st.tuples(
        st.integers(1, len(WHOLE)),  # where it is cut
        st.integers(1, 700),  # size of the segments
        st.booleans(),  # politely
        st.booleans(),  # whole frames come twice
        st.booleans(),  # and in the end there is garbage
    ),
    max_size=6,
)


@settings(max_examples=150)
@given(faults=FAULTS)
def test_cuts_repeats_and_garbage_on_several_connections_give_the_same_events(
    faults: list[tuple[int, int, bool, bool, bool]],
) -> None:
    def spoil(connection: int, body: bytes) -> Iterator[bytes]:
        if connection >= len(faults):
            yield body
            return
        end, size, politely, repeats, is_garbled = faults[connection]
        if repeats:
            frames = body.split(b"\n\n")[:-1]
            body = b"".join((frame + b"\n\n") * 2 for frame in frames)
        body = body[:end]
        if is_garbled:
            body += b'\n\ndata: {"jsonrpc":"2.0","resu\n\n'
        yield from (body[at : at + size] for at in range(0, len(body), size))
        if not politely:
            raise httpx.RemoteProtocolError("peer closed connection")

    assert [event.to_dict() for event in read(spoil)] == LOG
