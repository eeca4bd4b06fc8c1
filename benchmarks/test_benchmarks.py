"""Tests of the measuring itself: what is counted, and how it is judged.

Run: `pytest benchmarks`. They take about two seconds and no server but the mock provider.
"""

import asyncio
import json
from itertools import pairwise

import pytest

from benchmarks.load import Connection, Load, LoadError, Measured, Samples, run_load
from benchmarks.mock_provider import Provider
from benchmarks.report import Result
from benchmarks.rows import ROWS, Target, load_of
from benchmarks.servers import CHAT, OURS, Server

DELTAS = 3
STAMP_NS = 12345


def _http_chunk(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


def _frame(number: int, kind: str, **fields: str) -> bytes:
    event = {"type": kind, "task_id": "task_1", "sequence_number": number, **fields}
    envelope = json.dumps({"jsonrpc": "2.0", "id": "r", "result": event}, separators=(",", ":"))
    return f"id: {number}-1\nevent: {kind}\ndata: {envelope}\n\n".encode()


def our_stream(*, ending: str = "task.completed") -> bytes:
    """Return an answer as the contract has it: frames of events, and a heartbeat."""
    text = f"@{STAMP_NS}~" * DELTAS
    frames = [_frame(0, "task.created"), b": ping\n"]
    frames += [_frame(n, "task.text.delta", delta=f"@{STAMP_NS}~") for n in range(1, DELTAS + 1)]
    frames += [_frame(DELTAS + 1, "task.text.done", text=text), _frame(DELTAS + 2, ending)]
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
    head += b"transfer-encoding: chunked\r\n\r\n"
    return head + b"".join(map(_http_chunk, frames)) + b"0\r\n\r\n"


class _Transport(asyncio.Transport):
    """A server that answers any request with the same pieces."""

    def __init__(self, pieces: list[bytes]) -> None:
        super().__init__()
        self._pieces = pieces
        self.connection: Connection | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert data
        assert self.connection is not None
        for piece in self._pieces:
            asyncio.get_running_loop().call_soon(self.connection.data_received, piece)


def _our_load(port: int = 1) -> Load:
    shape = ROWS[0].shape
    assert shape is not None
    return load_of(Server("ours", port, 0, OURS), shape)


async def _exchange(pieces: list[bytes]) -> Samples:
    samples, transport = Samples(), _Transport(pieces)
    transport.connection = Connection(_our_load(), samples)
    transport.connection.connection_made(transport)
    async with asyncio.timeout(5):
        await transport.connection.exchange(b"request", deltas_expected=DELTAS)
    return samples


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 64, 10_000])
def test_a_stream_of_ours_is_counted_and_ends_however_it_is_cut(size: int) -> None:
    """A read of the socket may end anywhere, inside a mark or the last HTTP chunk too."""
    answer = our_stream()
    borders = [*range(0, len(answer), size), len(answer)]
    samples = asyncio.run(_exchange([answer[a:b] for a, b in pairwise(borders)]))
    assert samples.deltas == DELTAS
    assert len(samples.first_ns) == len(samples.answer_ns) == 1


def test_stamps_are_read_from_deltas_alone() -> None:
    """The done event repeats the whole text; its stamps are no arrivals."""
    assert len(asyncio.run(_exchange([our_stream()])).token_ns) == DELTAS


def test_a_stream_that_failed_is_no_measurement() -> None:
    """All deltas and then task.failed must not pass for a fast server."""
    with pytest.raises(LoadError, match=r"task\.completed"):
        asyncio.run(_exchange([our_stream(ending="task.failed")]))


def test_an_answer_other_than_200_is_shown() -> None:
    """The message is what the one who runs the benchmark sees."""
    with pytest.raises(LoadError, match="422 Unprocessable"):
        asyncio.run(_exchange([b"HTTP/1.1 422 Unprocessable\r\ncontent-length: 2\r\n\r\n{}"]))


async def _drive_provider(model: str, tokens: int) -> Measured:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Provider(loop, 4), "127.0.0.1", 0)
    async with server:
        load = Load(
            port=server.sockets[0].getsockname()[1],
            path=CHAT.path,
            body=CHAT.body(model, stream=True),
            warm_up_body=CHAT.body("mock-5-0", stream=True),
            mark=CHAT.delta_mark,
            deltas_expected=tokens,
            deltas_expected_warm_up=5,
            must_hold="[DONE]",
            connections=3,
            requests=2,
            timeout_s=10,
        )
        return await run_load(load)


@pytest.mark.parametrize(("model", "tokens"), [("mock-1001-0", 1001), ("mock-20-400", 20)])
def test_the_provider_streams_as_many_deltas_as_its_name_says(model: str, tokens: int) -> None:
    """Flat out and paced; only the paced ones carry stamps."""
    measured = asyncio.run(_drive_provider(model, tokens))
    assert measured.deltas == 3 * 2 * tokens
    assert (measured.token_latency_ms is not None) == model.endswith("-400")


def test_a_ratio_is_the_median_of_the_rounds_ratios() -> None:
    """A slow round slows both servers: its ratio is as good as any."""
    result = Result(ROWS[0], {"relay": [100.0, 10.0, 100.0], "ours": [60.0, 6.0, 70.0]})
    assert result.ratio == pytest.approx(0.6)
    assert result.verdict == "ok"


@pytest.mark.parametrize(
    ("target", "value", "shortfall"),
    [
        (Target("ratio", ">=", 0.5), 0.5, 0.0),
        (Target("ratio", ">=", 0.5), 0.4, 0.2),
        (Target("figure", "<=", 2.0), 3.0, 0.5),
    ],
)
def test_a_shortfall_is_a_part_of_the_limit(target: Target, value: float, shortfall: float) -> None:
    """Zero where the target is met."""
    assert target.shortfall(value) == pytest.approx(shortfall)
