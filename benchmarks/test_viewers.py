"""Tests of the measuring of viewers: what is counted, and how it is judged."""

import asyncio
from dataclasses import replace

import pytest

from benchmarks.crowd import Reader
from benchmarks.load import LoadError
from benchmarks.test_benchmarks import DELTAS, STAMP_NS, our_stream
from benchmarks.viewer_rows import ROWS, Result, Seen, cost_of_a_viewer, table

SEEN = Seen(
    latency_ms=1.0,
    latency_p99_ms=2.0,
    viewer_latency_ms=None,
    attach_s=0.0,
    replay_s=None,
    cpu_share=0.1,
    memory_mb=70.0,
    wal_mb=0.5,
)


async def _fed(answer: bytes, size: int) -> tuple[Reader, list[int]]:
    stamps: list[int] = []
    reader = Reader(b"", on_arrival=lambda sent_ns, _: stamps.append(sent_ns))
    for start in range(0, len(answer), size):
        reader.data_received(answer[start : start + size])
    return reader, stamps


@pytest.mark.parametrize("size", [20, 64, 10_000])
def test_a_viewer_counts_however_its_stream_is_cut(size: int) -> None:
    """A read of the socket may end anywhere."""
    reader, _ = asyncio.run(_fed(our_stream(), size))
    assert reader.deltas == DELTAS
    assert reader.ended.done()


def test_the_stamps_of_whole_deltas_are_seen() -> None:
    """The done event repeats the text, which is no arrival."""
    _, stamps = asyncio.run(_fed(our_stream(), 10_000))
    assert stamps == [STAMP_NS] * DELTAS


def test_a_viewer_does_not_end_before_its_task_and_is_not_served_by_an_error() -> None:
    """A failed task, a refusal: neither passes for a stream that was read to its end."""
    reader, _ = asyncio.run(_fed(our_stream(ending="task.failed"), 10_000))
    assert not reader.ended.done()
    refused, _ = asyncio.run(_fed(b"HTTP/1.1 404 Not Found\r\n\r\n", 10_000))
    assert isinstance(refused.begun.exception(), LoadError)


def test_a_row_is_judged_by_its_ratio_to_the_one_alone_in_the_same_round() -> None:
    """A round on a slow machine counts as much as any other."""
    rounds = [replace(SEEN, latency_ms=ms) for ms in (1.8, 30.0, 2.1)]
    result = Result(ROWS[1], rounds, [1.8, 1.5, 2.1])
    assert result.ratio == pytest.approx(1.8)
    assert result.is_ok
    assert table([result])[0][-1] == "ok"
    assert not Result(ROWS[1], rounds, [2.5, 1.5, 2.1]).is_ok


def test_the_cost_of_a_viewer_is_what_a_thousand_add() -> None:
    """Milliseconds of CPU per second, kilobytes."""
    row = next(row for row in ROWS if row.key == "thousand")
    many = replace(SEEN, cpu_share=0.4, memory_mb=90.0)
    cost = cost_of_a_viewer([Result(ROWS[0], [SEEN]), Result(row, [many])])
    assert cost == {"cpu_ms_per_s": pytest.approx(0.3), "memory_kb": pytest.approx(20.0)}
