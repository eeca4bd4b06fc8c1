"""Sealing: a finished task's journal gets small and says what it said, to whoever reads it when."""

import itertools
import re
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentlin_server.domain import events
from agentlin_server.domain.ids import TaskPk
from agentlin_server.domain.ports import Store
from agentlin_server.domain.records import Segment
from agentlin_server.domain.status import Status
from agentlin_server.engine.encode import Numbering
from agentlin_server.engine.hub import Hub
from agentlin_server.engine.reader import TaskReader
from agentlin_server.store.sqlite import SqliteStore, sealing
from tests.requirements import requirement
from tests.store.database import make_empty, opened
from tests.store.journals import ALL, Row, portions_of, seal_all, written
from tests.store.rows import added, done, event, item, log_of, new_task, started

pytestmark = pytest.mark.anyio

_rows = st.lists(
    st.tuples(
        st.sampled_from(["deltas"] * 4 + ["long", "events", "facts", "added", "done", "claim"]),
        st.integers(1, 4),
    ),
    max_size=25,
)


Event = tuple[int, int, bytes]
"""Number, generation, line."""


def events_of(segments: Sequence[Segment], *, after: int = -1, up_to: int = ALL) -> list[Event]:
    return [
        (seq, segment.generation, line)
        for segment in segments
        for seq, line in enumerate(segment.lines, segment.first_seq)
        if after < seq <= up_to
    ]


def facts_of(segments: Sequence[Segment]) -> list[tuple[int, Any]]:
    return [(segment.rev, segment.facts) for segment in segments if segment.facts]


async def pages(
    store: Store, pk: TaskPk, *, after_seq: int, after_rev: int = 0, page: int = ALL
) -> list[Segment]:
    """Read to the end as a reader does: each page goes on where the last one ended."""
    seq, rev, got = after_seq, after_rev, list[Segment]()
    while segments := await store.read(pk, after_seq=seq, after_rev=rev, bytes_max=page):
        assert all(one.rev > rev for one in segments)
        got += segments
        seq, rev = segments[-1].last_seq, segments[-1].rev
    return got


_portions = st.sampled_from([200, 1_500, sealing.PORTION_BYTES_MAX])


@requirement("journal.sealed")
@settings(max_examples=40)
@given(rows=_rows, page=st.integers(1, 3_000), portion=_portions)
async def test_sealed_is_unsealed_for_every_reader(
    place: str, rows: list[Row], page: int, portion: int
) -> None:
    async with opened(place) as store:
        pk = await written(store, rows)
        before = await pages(store, pk, after_seq=-1)
        whole = events_of(before)
        folds = [await store.read_fold(pk, up_to_seq=seq) for seq in range(len(whole))]
        with portions_of(portion):
            assert await seal_all(store) == 1

        after = await pages(store, pk, after_seq=-1)
        assert events_of(after) == whole
        assert facts_of(after) == facts_of(before)
        for seq in range(-1, len(whole)):
            rest = await pages(store, pk, after_seq=seq, page=page)
            assert events_of(rest, after=seq) == whole[seq + 1 :]
        for one in before:  # readers who stood there when the task was sealed
            rest = await pages(store, pk, after_seq=one.last_seq, after_rev=one.rev, page=page)
            assert events_of(rest, after=one.last_seq) == whole[one.last_seq + 1 :]
        for seq, fold in enumerate(folds):
            sealed = await store.read_fold(pk, up_to_seq=seq)
            assert events_of(sealed, up_to=seq) == events_of(fold, up_to=seq)
            assert facts_of(sealed) == facts_of(fold)
        reader, task = TaskReader(store, Hub()), await store.get_by_pk(pk)
        assert task is not None
        for seq, generation, _ in whole:
            assert await reader.generation_of(task, seq) == generation


@requirement("journal.sealed")
@settings(max_examples=40)
@given(rows=_rows, page=st.integers(1, 1_000), portion=_portions, turn=st.integers(0, 10))
async def test_a_reader_in_the_middle_notices_nothing(
    place: str, rows: list[Row], page: int, portion: int, turn: int
) -> None:
    async with opened(place) as store:
        pk = await written(store, rows)
        whole = events_of(await pages(store, pk, after_seq=-1))
        seq, rev, got = -1, 0, list[Event]()
        for n in itertools.count():
            if n == turn:
                with portions_of(portion):
                    assert await seal_all(store) == 1
            segments = await store.read(pk, after_seq=seq, after_rev=rev, bytes_max=page)
            if not segments:
                break
            got += events_of(segments, after=seq)
            seq, rev = segments[-1].last_seq, segments[-1].rev
        assert got == whole
        await seal_all(store)


async def test_a_run_of_deltas_is_one_row_with_the_rev_of_its_last(store: Store) -> None:
    writer = await started(store)
    await writer.append(added(3))
    for _ in range(5):
        await writer.append_deltas(2)
    await writer.append(done(14), items=[item()])
    await writer.end()
    lines = await log_of(store, writer.pk)
    await seal_all(store)
    segments = await store.read(writer.pk, after_seq=-1, bytes_max=ALL)
    spans = [(one.rev, one.first_seq, one.last_seq) for one in segments]
    assert spans == [(1, 0, 2), (2, 3, 3), (7, 4, 13), (8, 14, 14), (9, 15, 15)]
    assert await log_of(store, writer.pk) == lines


@requirement("journal.fold-reads-little")
async def test_a_fold_of_a_sealed_task_reads_no_deltas(store: Store) -> None:
    writer = await started(store)
    await writer.append(added(3))
    for _ in range(5):
        await writer.append_deltas(2)
    await writer.append(done(14), items=[item()])
    await writer.end()
    await seal_all(store)
    assert [one.rev for one in await store.read_fold(writer.pk)] == [1, 2, 8, 9]
    assert [one.rev for one in await store.read_fold(writer.pk, up_to_seq=3)] == [1, 2]
    assert [one.rev for one in await store.read_fold(writer.pk, up_to_seq=5)] == [1, 2, 7]


async def test_a_sealed_row_stays_small_enough_to_page(store: Store) -> None:
    writer = await started(store)
    for _ in range(50):
        await writer.append_deltas(2, text="x" * 10_000)
    await writer.append_deltas(1, text="y" * 1_000_000)
    await writer.end()
    await seal_all(store)
    segments = await store.read(writer.pk, after_seq=-1, bytes_max=ALL)
    sizes = [len(b"\n".join(one.lines)) for one in segments]
    assert len(segments) < 10
    assert [size for size in sizes if size > sealing.PORTION_BYTES_MAX] == [sizes[-2]]
    page = await store.read(writer.pk, after_seq=-1, bytes_max=1_000)
    assert len(page) == 2, "a page is measured in what it unpacks to"


async def test_a_portion_holds_the_writer_up_for_a_bounded_number_of_rows(
    file_store: SqliteStore, tmp_path: Path
) -> None:
    writer = await started(file_store)
    for _ in range(2_500):
        await writer.append_deltas(1)
    await writer.end()
    portions = list[sealing.Portion]()
    with sqlite3.connect(tmp_path / "tasks.db") as db:
        db.row_factory = sqlite3.Row
        while not portions or not portions[-1].is_last:
            after = portions[-1].last_rev if portions else 0
            portions.append(sealing.next_portion(db, pk=writer.pk, after_rev=after))
    db.close()
    assert len(portions) == 3
    counts = [sum(one.rows for one in portion.packed) for portion in portions]
    assert max(counts) <= sealing.PORTION_ROWS_MAX


async def test_only_what_ended_before_is_sealed_the_oldest_first_and_once(
    file_store: SqliteStore, tmp_path: Path
) -> None:
    for at in (30.0, 10.0, 20.0):
        writer = await started(file_store, f"at_{at:.0f}")
        await writer.append(event("task.completed", 3), status=Status.COMPLETED, at=at)
    await started(file_store, "running")

    def sealed() -> list[str]:
        with sqlite3.connect(tmp_path / "tasks.db") as db:
            rows = db.execute("SELECT id FROM task WHERE sealed_at IS NOT NULL").fetchall()
        db.close()
        return sorted(name for (name,) in rows)

    assert await file_store.seal(finished_before=30.0, limit=1) == 1
    assert sealed() == ["at_10"]
    assert await file_store.seal(finished_before=30.0, limit=10) == 1
    assert await file_store.seal(finished_before=30.0, limit=10) == 0
    assert sealed() == ["at_10", "at_20"]


async def test_finished_gives_tasks_without_parent_that_ended_before_the_oldest_first(
    file_store: SqliteStore, tmp_path: Path
) -> None:
    pks = dict[float, TaskPk]()
    for at in (30.0, 10.0, 20.0):
        writer = await started(file_store)
        await writer.append(event("task.completed", 3), status=Status.COMPLETED, at=at)
        pks[at] = writer.pk
    assert await file_store.finished(before=30.0, limit=10) == [pks[10.0], pks[20.0]]
    assert await file_store.finished(before=99.0, limit=1) == [pks[10.0]]
    with sqlite3.connect(tmp_path / "tasks.db") as db:  # nothing makes children yet
        db.execute("UPDATE task SET parent_pk = ? WHERE pk = ?", (pks[30.0], pks[10.0]))
    db.close()
    assert await file_store.finished(before=99.0, limit=10) == [pks[20.0], pks[30.0]]


@requirement("journal.sealed")
async def test_a_thousand_deltas_take_a_tenth_of_the_space(
    file_store: SqliteStore, tmp_path: Path
) -> None:
    text = (Path(__file__).parents[2] / "docs/explanation/event-log.md").read_text()
    words = [f" {word}" for word in itertools.islice(itertools.cycle(text.split()), 1_000)]
    writer = await started(file_store, "task_019ab2c5f4a87c3d8e9fa0b1c2d3e4f5")
    numbering = Numbering("task_019ab2c5f4a87c3d8e9fa0b1c2d3e4f5")
    encoder = events.text_delta("msg_019ab2c5f4a87c3d8e9fa0b1c2d3e4f6", step=1, index=0)
    await writer.append(added(writer.seq))
    for word in words:
        lines = numbering.lines([encoder([word])], writer.seq, 1_001.0)
        await writer.append(*lines, is_deltas=True)
    await writer.append(done(writer.seq), items=[item()])
    await writer.end()
    plain = journal_bytes(tmp_path / "tasks.db")
    await seal_all(file_store)
    sealed = journal_bytes(tmp_path / "tasks.db")
    assert sealed * 10 < plain


def journal_bytes(path: Path) -> int:
    with sqlite3.connect(path) as db:
        sql = "SELECT sum(length(events) + coalesce(length(facts), 0)) FROM journal"
        ((size,),) = db.execute(sql).fetchall()
    db.close()
    return size


def test_its_statements_read_no_whole_table(tmp_path: Path) -> None:
    db = sqlite3.connect(make_empty(tmp_path / "tasks.db"))
    values = dict.fromkeys(re.findall(r":(\w+)", " ".join(sealing.SQL.values())), 1)
    for sql in sealing.SQL.values():
        plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
        assert [step for step in plan if "SCAN" in step or "TEMP B-TREE" in step] == []
    db.close()


async def test_a_sealed_task_is_deleted_like_any_other(store: Store) -> None:
    pk = await written(store, [("deltas", 4)] * 5)
    await seal_all(store)
    await store.delete(pk, reserved_until=0.0)
    assert await log_of(store, pk) == []
    assert (await store.create(new_task("other"))).is_new
