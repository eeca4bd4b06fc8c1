"""Following a log: from any point, live or late, fast or slow: the same bytes, once, in order."""

import json
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentlin_server.domain.model import ReasoningDelta, RefusalDelta, TextDelta, ToolCallDelta
from agentlin_server.domain.ports import Store
from agentlin_server.domain.records import Segment
from agentlin_server.engine import hub
from agentlin_server.models.script import Answer, Fail, Gate, Step, Text
from agentlin_server.models.scripted import ScriptedModel
from tests.engine.harness import Service, says, scripted, serving
from tests.engine.streams import Batch, collect, lines_of, validated
from tests.requirements import requirement

pytestmark = pytest.mark.anyio

_words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4)
_chunks = st.one_of(
    st.builds(TextDelta, _words),
    st.builds(ReasoningDelta, _words),
    st.builds(RefusalDelta, _words),
    st.builds(ToolCallDelta, st.integers(0, 2), st.sampled_from(["", "call_1"]), st.just("look"),
              st.text("{}a", max_size=3)),
    st.just(Fail("stream")),
)  # fmt: skip
_answers = st.lists(st.lists(_chunks, max_size=8), min_size=1, max_size=3)


async def read(service: Service, pk: Any, into: list[Batch], *, after: int = -1) -> None:
    batches = service.reader.follow(pk, after_seq=after, until_final=True, idle_s=60)
    into.extend([batch async for batch in batches])


@requirement("events.resume", "events.same-bytes", "task.fold", "task.order", "task.deltas.add-up")
@settings(max_examples=40)
@given(answers=_answers, after=st.integers(-1, 40), batch_size=st.integers(1, 4))
async def test_whatever_the_model_says_live_and_late_readers_get_the_same_bytes(
    answers: list[list[Step]], after: int, batch_size: int
) -> None:
    last = Answer([Text("end")], repeat=True)
    async with serving(_Batched([*map(Answer, answers), last], batch_size)) as service:
        task = await service.submit()
        live: list[Batch] = []
        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                group.start_soon(read, service, task.pk, live)
        snapshot = validated(live)
        assert await service.ended(task) == snapshot
        late = lines_of(await collect(service.reader, task.pk))
        assert late == lines_of(live)
        resumed = await collect(service.reader, task.pk, after=after)
        assert lines_of(resumed) == late[after + 1 :]
        if resumed:
            validated(resumed, after=after)
        assert json.dumps(snapshot) == json.dumps(
            await service.reader.snapshot(await service.row(task))
        ), "the keys come in the same order too"


class _Batched(ScriptedModel):
    """A scripted model whose deltas come several to a batch."""

    def __init__(self, script: Sequence[Answer], size: int) -> None:
        super().__init__(script)
        self._size = size

    async def _play(self, answer: Any, call: Any) -> AsyncGenerator[Sequence[Any]]:
        held: list[Any] = []
        try:
            async for batch in super()._play(answer, call):
                held += batch
                if len(held) >= self._size:
                    yield held
                    held = []
        finally:
            pending = held
        if pending:
            yield pending


@requirement("events.resume")
async def test_readers_that_come_and_go_at_every_event_miss_nothing() -> None:
    """A reader per point of the log, each begun while it grows."""
    model = scripted([Answer([Text("word " * 30, "words")])])
    async with serving(model) as service:
        task = await service.submit()
        got: dict[int, list[Batch]] = {}
        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                for after in range(-1, 30):
                    got[after] = []
                    group.start_soon(
                        lambda after=after: read(service, task.pk, got[after], after=after)
                    )
                    await anyio.lowlevel.checkpoint()
        whole = lines_of(await collect(service.reader, task.pk))
        for after, batches in got.items():
            assert lines_of(batches) == whole[after + 1 :]
            validated(batches, after=after)


@requirement("events.slow-reader")
async def test_a_reader_that_falls_behind_the_tail_goes_on_from_the_database(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub, "_TAIL_BYTES_MAX", 2_000)
    gate = anyio.Event()
    model = scripted([Answer([Text("one "), Gate(gate), Text("word " * 200, "words")])])
    async with serving(model) as service:
        task = await service.submit()
        await service.wait_for(task, "task.text.delta")
        batches = service.reader.follow(task.pk, after_seq=-1, until_final=True, idle_s=60)
        got = [await anext(batches)]
        gate.set()
        with anyio.fail_after(10):
            fast = await collect(service.reader, task.pk)
            tail = service.hub._tails[task.pk]
            assert tail._size_bytes < 6_000, "what nobody has read is not kept"
            assert len(tail._segments) < 50
            got += [batch async for batch in batches]
        assert lines_of(got) == lines_of(fast)
        validated(got)


@requirement("events.slow-reader", "task.detached")
async def test_readers_that_stop_reading_or_go_away_stop_nobody() -> None:
    model = scripted([Answer([Text("word " * 100, "words")])])
    async with serving(model) as service:
        task = await service.submit()
        stopped = [
            service.reader.follow(task.pk, after_seq=-1, until_final=True, idle_s=60)
            for _ in range(20)
        ]
        for one in stopped:
            await anext(one)
        await stopped.pop().aclose()
        assert (await service.ended(task))["status"] == "completed"
        for one in stopped:
            await one.aclose()
        assert service.hub.size == 0


async def test_a_reader_is_given_a_sign_of_life_while_nothing_comes() -> None:
    gate = anyio.Event()
    async with serving(scripted([[Gate(gate), Text("x")]])) as service:
        task = await service.submit()
        batches = service.reader.follow(task.pk, after_seq=2, until_final=True, idle_s=0.01)
        with anyio.fail_after(5):
            assert [len(await anext(batches)) for _ in range(3)] == [0, 0, 0]
            gate.set()
            rest = [batch async for batch in batches if batch]
        validated(rest, after=2)


async def test_a_reader_from_a_number_that_lies_ahead_ends_with_the_task() -> None:
    gate = anyio.Event()
    async with serving(scripted([[Gate(gate), Text("x")]])) as service:
        task = await service.submit()
        got: list[Batch] = []
        with anyio.fail_after(5):
            async with anyio.create_task_group() as group:
                group.start_soon(lambda: read(service, task.pk, got, after=10_000))
                await anyio.wait_all_tasks_blocked()
                gate.set()
        assert got == []


class Counting:
    """A store that counts the reads of the log."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.reads = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def read(self, *args: Any, **options: Any) -> Sequence[Segment]:
        self.reads += 1
        return await self._store.read(*args, **options)


@requirement("events.slow-reader")
async def test_a_reader_that_keeps_up_does_not_ask_the_database() -> None:
    made: list[Counting] = []

    def wrap(store: Store) -> Store:
        made.append(Counting(store))
        return made[0]  # pyright: ignore[reportReturnType]

    model = scripted([Answer([Text("word " * 200, "words")])])
    async with serving(model, wrap=wrap) as service:
        task = await service.submit()
        batches = await collect(service.reader, task.pk)
        assert len(lines_of(batches)) > 200
        assert made[0].reads < 10


async def test_is_over_and_generation_of_say_where_a_log_stands() -> None:
    gate = anyio.Event()
    async with serving(scripted([[Gate(gate), Text("x")]])) as service:
        task = await service.submit()
        assert not await service.reader.is_over(task, after_seq=2)
        gate.set()
        last = (await service.ended(task))["sequence_number"]
        row = await service.row(task)
        assert await service.reader.is_over(row, after_seq=last)
        assert not await service.reader.is_over(row, after_seq=last - 1)
        assert [await service.reader.generation_of(row, seq) for seq in (0, last, last + 1)] == [
            1, 1, None,
        ]  # fmt: skip


async def test_many_tasks_at_once_each_have_their_own_whole_stream() -> None:
    async with serving(ScriptedModel([Answer([Text("a b c d", "words")], repeat=True)])) as service:
        got: dict[int, list[Batch]] = {}
        with anyio.fail_after(20):
            async with anyio.create_task_group() as group:
                for n in range(60):
                    task = await service.submit(str(n))
                    got[n] = []
                    group.start_soon(read, service, task.pk, got[n])
        assert {validated(batches)["status"] for batches in got.values()} == {"completed"}


async def test_a_tail_that_was_closed_wakes_and_ends_its_readers() -> None:
    async with serving(scripted([says("x")])) as service:
        task = await service.submit()
        with service.hub.tail(task.pk) as tail:
            await service.ended(task)
            service.hub.close(task.pk)
            assert await tail.wait_changed(10_000, timeout_s=5)
        service.hub.close(task.pk)  # nobody there
