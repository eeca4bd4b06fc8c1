"""Tests of measuring the control plane: what is waited for, judged, written."""

import asyncio
from pathlib import Path
from typing import cast

import pytest

from benchmarks.control import parse_arguments
from benchmarks.latency import ROWS as LATENCIES
from benchmarks.latency import section as latency_section
from benchmarks.mock_provider import Provider
from benchmarks.processes import BenchmarkError
from benchmarks.recovery import Recovered
from benchmarks.recovery import section as recovery_section
from benchmarks.sections import Section, rewrite, rewrite_rest
from benchmarks.wire import Link, Stream, event

FRAME = b"id: 7-1\nevent: task.paused\ndata: {}\n\n"


@pytest.mark.parametrize("cut", range(1, 12))
def test_an_event_is_found_however_its_frame_is_cut(cut: int) -> None:
    """A read of the socket may end in the middle of a mark."""

    async def run() -> None:
        reader = asyncio.StreamReader()
        stream = Stream(reader, cast("asyncio.StreamWriter", None))
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            waiting = group.create_task(stream.wait_for(event("task.paused")))
            for piece in (FRAME[:cut], FRAME[cut : cut + 10], FRAME[cut + 10 :]):
                reader.feed_data(piece)
                await asyncio.sleep(0)
        assert waiting.result() > 0
        reader.feed_eof()
        with pytest.raises(BenchmarkError, match=r"ended without .*task\.paused"):
            await stream.wait_for(event("task.paused"))

    asyncio.run(run())


def test_the_provider_knows_who_hung_up_in_the_middle_of_an_answer() -> None:
    """An answer that was read to its end is none; each is told once."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Provider(loop, 4), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with asyncio.timeout(5), server:
            for model, end in (("mock-5-0", "[DONE]"), ("mock-1000-100", "@")):
                link = await Link.open(port)
                stream = await link.stream("POST", "/v1/chat/completions", {"model": model})
                await stream.wait_for(end)
                stream.close()
            asked = await Link.open(port)
            while not (seen := await asked.ask("GET", "/hung-up")):  # noqa: ASYNC110 - over a socket
                await asyncio.sleep(0)
            assert len(seen) == 1
            assert await asked.ask("GET", "/hung-up") == []
            asked.close()

    asyncio.run(run())


def test_another_status_than_200_is_an_error_that_shows_the_answer() -> None:
    """It is what the one who runs the benchmark sees."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 4\r\n\r\nfull")
        writer.close()

    async def run() -> None:
        async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
            link = await Link.open(server.sockets[0].getsockname()[1])
            with pytest.raises(BenchmarkError, match=r"(?s)429 .*full"):
                await link.ask("GET", "/tasks")
            link.close()

    asyncio.run(run())


def test_a_slow_cancel_misses_its_target_by_its_99th_percentile() -> None:
    """A median of 5 ms is no excuse."""
    keys = {name for row in LATENCIES for name in (row.key, row.beside)}
    samples = {key: [5.0] * 100 for key in keys}
    assert latency_section({"idle": samples}).missed == []
    samples["cancel"][-2:] = [1_500.0, 1_500.0]
    (missed,) = latency_section({"idle": samples}).missed
    assert missed == "cancel in mid-answer: request to answer, idle: over by 50.0%"


def test_a_late_start_misses_its_target() -> None:
    """The issue: "serving again within seconds"."""

    def seen(tasks: int, ready_s: float) -> Recovered:
        return Recovered(
            tasks=tasks,
            create_cpu_ms=1.0,
            empty_ready_s=1.0,
            ready_s=ready_s,
            streams_s=1.0,
            put_back_s=1.0,
            put_back_cpu_ms=1.0,
            stop_s=1.0,
            done_s=1.0,
            done_cpu_ms=1.0,
            running_peak=1,
        )

    found = recovery_section([seen(10, 1.0), seen(10_000, 10.0)])
    assert found.missed == ["ready after 10,000 tasks: over by 100.0%"]
    assert all(len(line) == len(found.headings) for line in found.lines)


def test_each_tool_rewrites_its_part_of_the_page_only(tmp_path: Path) -> None:
    """The relay's table is the page, the others' are marked parts of it."""
    page = tmp_path / "RESULTS.md"
    rewrite_rest(page, "# Numbers\n")
    rewrite(page, "benchmarks.control", "first")
    rewrite(page, "another", "kept")
    rewrite(page, "benchmarks.control", "second")
    rewrite_rest(page, "# New numbers\n")
    assert page.read_text() == (
        "# New numbers\n\n"
        "<!-- benchmarks.control: written by the tool -->\nsecond\n<!-- /benchmarks.control -->\n\n"
        "<!-- another: written by the tool -->\nkept\n<!-- /another -->\n"
    )


def test_a_section_is_a_table_with_a_note() -> None:
    """In Markdown and as text."""
    section = Section(
        key="a", title="A", headings=("x", "long"), lines=[("one", "2")], note="So it is."
    )
    assert section.markdown() == "### A\n\n| x | long |\n|---|---|\n| one | 2 |\n\nSo it is."
    assert section.text() == "A\nx    long\none  2\nSo it is."


def test_parts_are_measured_in_the_order_of_the_page() -> None:
    """Whatever the order on the command line."""
    assert parse_arguments(["--parts", "footprint,latency"]).parts == ["latency", "footprint"]
