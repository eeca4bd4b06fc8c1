"""Reading the journal: in pages from any point, and the little that a fold needs."""

import asyncio
from collections.abc import Sequence

import anyio
import anyio.to_thread
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentlin_client.types.fold import TaskFold
from agentlin_server.domain.ports import Store
from agentlin_server.domain.records import Segment
from agentlin_server.engine.encode import decode_event
from agentlin_server.store.sqlite import SqliteStore, reads
from tests.requirements import requirement
from tests.store.database import opened
from tests.store.rows import Writer, added, delta, done, event, item, log_of, started

pytestmark = pytest.mark.anyio

Row = tuple[str, int]
"""How a journal row is written: `deltas`, `events` or `facts`, and how many."""

_rows = st.lists(
    st.tuples(st.sampled_from(["deltas", "events", "facts"]), st.integers(1, 4)), max_size=12
)


async def written(store: Store, rows: Sequence[Row]) -> tuple[Writer, list[bytes]]:
    """Write rows; return the writer and the log's lines."""
    writer = await started(store)
    lines = await log_of(store, writer.pk)
    for kind, n in rows:
        new = [delta(writer.seq + i) for i in range(n)]
        if kind == "facts":
            await writer.append(facts=b'{"n":1}')
        else:
            await writer.append(*new, is_deltas=kind == "deltas")
            lines += new
    return writer, lines


@requirement("events.resume")
@settings(max_examples=30)
@given(rows=_rows, after=st.integers(-1, 60), page=st.integers(1, 400))
async def test_pages_from_any_number_are_the_rest_of_the_log(
    place: str, rows: list[Row], after: int, page: int
) -> None:
    async with opened(place) as store:
        writer, lines = await written(store, rows)
        seq, rev, got = after, 0, []
        while True:
            segments = await store.read(writer.pk, after_seq=seq, after_rev=rev, bytes_max=page)
            if not segments:
                break
            for segment in segments:
                assert segment.rev > rev
                assert segment.last_seq - segment.first_seq + 1 == len(segment.lines)
                got += [
                    (n, line)
                    for n, line in enumerate(segment.lines, segment.first_seq)
                    if n > after
                ]
            seq, rev = segments[-1].last_seq, segments[-1].rev
        assert got == list(enumerate(lines))[after + 1 :]


@given(rows=_rows, page=st.integers(1, 2_000))
@settings(max_examples=15)
async def test_a_page_stops_at_the_first_segment_that_fills_it(
    place: str, rows: list[Row], page: int
) -> None:
    async with opened(place) as store:
        writer, _ = await written(store, rows)
        segments = await store.read(writer.pk, after_seq=-1, bytes_max=page)
        sizes = [len(b"\n".join(segment.lines)) for segment in segments]
        assert segments, "at least one, however small the page"
        assert sum(sizes[:-1]) < page


async def test_a_number_inside_a_segment_gives_the_whole_segment(store: Store) -> None:
    writer = await started(store)
    await writer.append_deltas(5)
    (segment,) = await store.read(writer.pk, after_seq=5, bytes_max=1)
    assert (segment.first_seq, segment.last_seq, segment.generation) == (3, 7, 1)


async def test_nothing_is_read_behind_the_end_or_of_a_task_that_is_gone(store: Store) -> None:
    writer = await started(store)
    assert await store.read(writer.pk, after_seq=2, bytes_max=1_000) == []
    await store.delete(writer.pk, reserved_until=0.0)
    assert await store.read(writer.pk, after_seq=-1, bytes_max=1_000) == []
    assert await store.read_fold(writer.pk) == []


def lines_of(segments: Sequence[Segment]) -> list[bytes]:
    return [line for segment in segments for line in segment.lines]


@requirement("journal.fold-reads-little")
async def test_a_fold_reads_no_delta_that_a_done_has_replaced(store: Store) -> None:
    writer = await started(store)
    await writer.append(added(3))
    await writer.append_deltas(20)
    await writer.append(done(24), items=[item()])
    await writer.append(added(25, "msg_2"))
    await writer.append_deltas(2, "msg_2")
    await writer.append_deltas(1, "msg_2")
    segments = await store.read_fold(writer.pk)
    assert [segment.rev for segment in segments] == [1, 2, 4, 5, 6, 7]
    assert lines_of(segments)[-3:] == [delta(n, "msg_2") for n in (26, 27, 28)]
    await writer.append(done(29, "msg_2"), items=[item(1, "msg_2")])
    closed = await store.read_fold(writer.pk)
    assert [segment.rev for segment in closed] == [1, 2, 4, 5, 8]


async def test_a_fold_keeps_the_deltas_of_every_item_that_is_open(store: Store) -> None:
    writer = await started(store)
    await writer.append(added(3), added(4, "msg_2"))
    await writer.append_deltas(2, "msg_1")
    await writer.append_deltas(2, "msg_2")
    await writer.append(done(9, "msg_2"))
    segments = await store.read_fold(writer.pk)
    assert {delta(5), delta(6)} <= set(lines_of(segments)), "msg_1 is still open"


async def test_an_item_that_is_done_twice_is_not_open(store: Store) -> None:
    writer = await started(store)
    await writer.append(added(3))
    await writer.append_deltas(1)
    await writer.append(done(5))
    await writer.append(done(6))
    assert [s.rev for s in await store.read_fold(writer.pk)] == [1, 2, 4, 5]


async def test_a_fold_up_to_a_number_reads_no_segment_that_begins_after_it(store: Store) -> None:
    writer = await started(store)
    await writer.append(added(3))
    for _ in range(3):
        await writer.append_deltas(2)
    await writer.append(done(10))
    assert [s.rev for s in await store.read_fold(writer.pk, up_to_seq=2)] == [1]
    assert [s.rev for s in await store.read_fold(writer.pk, up_to_seq=3)] == [1, 2]
    assert [s.rev for s in await store.read_fold(writer.pk, up_to_seq=6)] == [1, 2, 3, 4]


async def test_a_fold_sees_one_moment_of_the_log(
    file_store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its two statements an item ends and the next begins: it may show neither."""
    writer = await started(file_store)
    await writer.append(added(3))
    await writer.append_deltas(2)
    loop = asyncio.get_running_loop()
    is_first = iter([True])
    find_oldest = reads._oldest_open_item

    async def go_on() -> None:
        await writer.append(done(6), added(7, "msg_2"))
        await writer.append_deltas(1, "msg_2")

    def meanwhile(segments: Sequence[Segment]) -> int | None:
        if next(is_first, False):
            asyncio.run_coroutine_threadsafe(go_on(), loop).result(5)
        return find_oldest(segments)

    monkeypatch.setattr(reads, "_oldest_open_item", meanwhile)
    with anyio.fail_after(10):
        segments = await file_store.read_fold(writer.pk)
    assert [segment.rev for segment in segments] == [1, 2, 3]
    fold = TaskFold()
    for line in lines_of(segments):
        if not line.startswith(b'{"type":"task.text.delta"'):
            fold.apply(decode_event(line))
    assert [one.id for one in fold.open_items()] == ["msg_1"]
    assert (await file_store.read_fold(writer.pk))[-1].rev == 5


async def test_readers_do_not_wait_for_a_writer_that_is_busy(file_store: SqliteStore) -> None:
    writer = await started(file_store)
    async with anyio.create_task_group() as group:
        for _ in range(50):
            group.start_soon(writer.append_deltas)
        for _ in range(20):
            lines = await log_of(file_store, writer.pk)
            assert lines[3:] == [delta(seq) for seq in range(3, len(lines))]


async def test_a_reader_sees_at_once_what_was_committed(store: Store) -> None:
    writer = await started(store)
    seen: list[int] = []

    async def look() -> None:
        seen.append(len(await log_of(store, writer.pk)))

    for _ in range(10):
        await writer.append(event("task.unknown", writer.seq))
        await look()
    assert seen == list(range(4, 14))
