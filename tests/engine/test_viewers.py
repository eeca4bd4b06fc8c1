"""Many readers of one task: nobody misses anything, and nobody holds up the event loop."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack

import anyio
import pytest
from anyio.abc import TaskGroup
from hypothesis import given, settings
from hypothesis import strategies as st

from agentlin_server.domain.ids import TaskPk
from agentlin_server.engine import hub as hubs
from agentlin_server.engine.hub import Hub, Published, Tail
from agentlin_server.models.script import Answer, Gate, Text
from tests.engine.harness import scripted, serving
from tests.engine.loopturns import SLICE_MAX, Turns, idle
from tests.engine.streams import Batch, lines_of, types_of, validated
from tests.requirements import requirement

pytestmark = pytest.mark.anyio

PK = TaskPk(1)
WAIT_S = 20


def segment(seq: int, *, size_bytes: int = 60, generation: int = 1) -> Published:
    """Return one published event."""
    line = b'{"type":"task.text.delta","sequence_number":%d,"delta":"%b"}' % (
        seq,
        b"x" * size_bytes,
    )
    return Published(rev=seq + 1, generation=generation, first_seq=seq, lines=[line])


async def read(hub: Hub, got: list[int], *, after: int = -1, turns: Turns | None = None) -> None:
    """Follow the tail until it is closed, noting the numbers of what comes."""
    with hub.tail(PK) as tail, tail.viewer() as viewer:
        seq = after
        while (batch := tail.since(seq)) or not tail.is_closed:
            assert batch is not None, "these tests publish no more than a tail holds"
            if not batch:
                await viewer.wait_changed(seq, timeout_s=WAIT_S)
                if turns is not None:
                    turns.note()
                continue
            for one in batch:
                got.extend(range(one.first_seq, one.last_seq + 1))
            seq = batch[-1].last_seq


def assert_nothing_is_left(hub: Hub, tail: Tail) -> None:
    assert hub.size == 0
    assert not tail._seated
    assert not tail._standing
    assert tail._round is None
    assert (tail.viewers, tail.users, tail.seats_free) == (0, 0, hubs._SEATS)


@requirement("events.resume", "events.slow-reader")
async def test_three_hundred_followers_of_a_task_all_get_the_same_bytes() -> None:
    gate = anyio.Event()
    model = scripted([Answer([Gate(gate), Text("word " * 150, "words")])])
    async with serving(model) as service:
        task = await service.submit()
        got: list[list[Batch]] = [[] for _ in range(300)]

        async def follow(into: list[Batch]) -> None:
            batches = service.reader.follow(task.pk, after_seq=-1, until_final=True, idle_s=WAIT_S)
            into.extend([batch async for batch in batches])

        with anyio.fail_after(WAIT_S):
            async with anyio.create_task_group() as group:
                for one in got:
                    group.start_soon(follow, one)
                await anyio.wait_all_tasks_blocked()
                gate.set()
        assert validated(got[0])["status"] == "completed"
        whole = lines_of(got[0])
        assert len(whole) > 150
        for one in got:
            lines = [line for batch in one for segment in batch for line in segment.lines]
            assert lines == whole
        assert service.hub.size == 0


_actions = st.one_of(
    st.tuples(st.just("join"), st.integers(1, 40)),
    st.tuples(st.just("leave"), st.integers(1, 40)),
    st.tuples(st.just("publish"), st.integers(1, 5)),
    st.tuples(st.just("run"), st.integers(1, 5)),
    st.tuples(st.just("sleep"), st.integers(1, 3)),
)


class Audience:
    """Readers that come and go while events are published, and what each of them got."""

    tail: Tail
    group: TaskGroup

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.published = 0
        self.readers: list[tuple[int, list[int]]] = []
        self._staying: dict[int, anyio.CancelScope] = {}

    async def join(self) -> None:
        after, got, scope = len(self.readers) % (self.published + 1) - 1, [], anyio.CancelScope()
        self._staying[len(self.readers)] = scope
        self.readers.append((after, got))

        async def one_reader() -> None:
            with scope:
                await read(self._hub, got, after=after)

        self.group.start_soon(one_reader)

    async def leave(self) -> None:
        if self._staying:
            self._staying.pop(min(self._staying)).cancel()

    async def publish(self) -> None:
        self.tail.publish(segment(self.published))
        self.published += 1

    async def turn(self) -> None:
        await asyncio.sleep(0)

    async def pause(self) -> None:
        await asyncio.sleep(0.001)

    @property
    def is_up_to_date(self) -> bool:
        """Whether everyone who stays has as many events as there are."""
        counts = (self.readers[number] for number in self._staying)
        return all(after + 1 + len(got) >= self.published for after, got in counts)

    def check(self) -> None:
        """See that everyone got consecutive events."""
        for after, got in self.readers:
            assert got == list(range(after + 1, after + 1 + len(got)))


_actions = st.tuples(
    st.sampled_from(
        [Audience.join, Audience.leave, Audience.publish, Audience.turn, Audience.pause]
    ),
    st.integers(1, 40),
)


@requirement("events.resume", "events.slow-reader")
@settings(max_examples=40)
@given(actions=st.lists(_actions, max_size=20))
async def test_whoever_joins_and_leaves_gets_every_event_once_and_in_order(
    actions: Sequence[tuple[Callable[[Audience], Awaitable[None]], int]],
) -> None:
    hub = Hub()
    audience = Audience(hub)
    with pytest.MonkeyPatch.context() as patch, anyio.fail_after(WAIT_S), hub.tail(PK) as tail:
        patch.setattr(hubs, "_PERIOD_S", 0.002)
        async with anyio.create_task_group() as group:
            audience.group, audience.tail = group, tail
            for action, count in actions:
                for _ in range(count):
                    await action(audience)
            while not audience.is_up_to_date:  # noqa: ASYNC110 - timers wake them
                await asyncio.sleep(0.001)
            tail.close()
        await idle(hub._pacer)
    audience.check()
    assert_nothing_is_left(hub, tail)


@requirement("events.slow-reader")
async def test_no_turn_of_the_event_loop_wakes_more_than_a_slice_of_a_crowd() -> None:
    hub, got = Hub(), [[] for _ in range(1_000)]
    with anyio.fail_after(WAIT_S), hub.tail(PK) as tail, Turns() as turns:
        async with anyio.create_task_group() as group:
            for one in got:
                group.start_soon(lambda one=one: read(hub, one, turns=turns))
            await asyncio.sleep(0)
            for seq in range(20):
                tail.publish(segment(seq))
                await asyncio.sleep(0.01)
            while any(len(one) < 20 for one in got):  # noqa: ASYNC110 - timers wake them
                await asyncio.sleep(0.001)
            tail.close()
        assert max(turns.woken.values()) <= SLICE_MAX + hubs._SEATS
        assert len(turns.woken) > 1_000 / SLICE_MAX
    assert got == [list(range(20))] * 1_000
    assert_nothing_is_left(hub, tail)


async def test_the_first_readers_are_woken_at_every_event_and_all_others_in_time() -> None:
    hub = Hub()
    got: list[list[int]] = [[] for _ in range(300)]
    with anyio.fail_after(WAIT_S), hub.tail(PK) as tail:
        async with anyio.create_task_group() as group:
            for one in got:
                group.start_soon(lambda one=one: read(hub, one))
            await anyio.wait_all_tasks_blocked()
            for seq in range(5):
                tail.publish(segment(seq))
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                seated = [one for one in got if one and one[-1] == seq]
                assert len(seated) >= hubs._SEATS
                assert all(one in seated for one in got[: hubs._SEATS])
            assert [] in got, "the crowd waits for its round"
            while any(len(one) < 5 for one in got):  # noqa: ASYNC110 - timers wake them
                await asyncio.sleep(0.001)
            tail.close()


async def test_as_many_as_fifty_are_all_woken_at_once() -> None:
    hub = Hub()
    got: list[list[int]] = [[] for _ in range(hubs._AT_ONCE_MAX)]
    with anyio.fail_after(WAIT_S), hub.tail(PK) as tail:
        async with anyio.create_task_group() as group:
            for one in got:
                group.start_soon(lambda one=one: read(hub, one))
            await anyio.wait_all_tasks_blocked()
            for seq in range(3):
                tail.publish(segment(seq))
                for _ in range(3):
                    await asyncio.sleep(0)
                assert got == [list(range(seq + 1))] * hubs._AT_ONCE_MAX
            tail.close()


async def test_a_seat_that_becomes_free_goes_to_who_waits_next() -> None:
    hub = Hub()
    with hub.tail(PK) as tail, ExitStack() as stack:
        with ExitStack() as early:
            for _ in range(hubs._SEATS):
                early.enter_context(tail.viewer())
            late = [stack.enter_context(tail.viewer()) for _ in range(2)]
            assert not any(one._is_seated for one in late)
        tail.publish(segment(0))
        assert await late[1].wait_changed(-1, timeout_s=WAIT_S)
        assert [one._is_seated for one in late] == [False, True]
        assert tail.seats_free == hubs._SEATS - 1


async def test_readers_of_a_crowd_share_one_batch_and_its_bytes() -> None:
    hub = Hub()
    with hub.tail(PK) as tail:
        viewers = [tail.viewer() for _ in range(hubs._AT_ONCE_MAX + 1)]
        for seq in range(4):
            tail.publish(segment(seq, generation=1 if seq < 3 else 2))
        assert [len(tail.since(after) or ()) for after in (-1, 0, 2)] == [4, 3, 1]
        for viewer in viewers:
            viewer.__enter__()
        assert [len(tail.since(after) or ()) for after in (-1, 0, 2)] == [4, 3, 1], "ids differ"
        tail.publish(segment(4, generation=2))
        (one,) = tail.since(2) or [segment(99)]
        assert tail.since(2) == (one,)
        assert (one.first_seq, one.last_seq, one.rev, one.generation) == (3, 4, 5, 2)
        tail.publish(segment(5, generation=2))
        (longer,) = tail.since(2) or [one]
        assert (longer.first_seq, longer.last_seq) == (3, 5)
        for after in (*range(3, 5), *range(2, 5)) * 20:
            tail.since(after)
        assert len(tail._joined) <= hubs._JOINED_MAX


async def test_a_reader_far_behind_is_given_a_part_at_a_time() -> None:
    hub, batches = Hub(), []
    with hub.tail(PK) as tail:
        for seq in range(20):
            tail.publish(segment(seq, size_bytes=10_000))
        seq = -1
        while batch := tail.since(seq):
            batches.append(batch)
            seq = batch[-1].last_seq
    assert len(batches) > 2
    assert all(sum(one.size_bytes for one in batch) < 75_000 for batch in batches)
    seqs = [one.first_seq for batch in batches for one in batch]
    assert seqs == list(range(20))


@requirement("server.drain")
async def test_a_server_that_stops_ends_all_readers_after_what_is_stored() -> None:
    gate = anyio.Event()
    async with serving(scripted([[Text("so far"), Gate(gate)]])) as service:
        task = await service.submit()
        await service.wait_for(task, "task.text.delta")
        got: list[list[Batch]] = [[] for _ in range(100)]

        async def follow(into: list[Batch]) -> None:
            batches = service.reader.follow(task.pk, after_seq=-1, until_final=True, idle_s=WAIT_S)
            into.extend([batch async for batch in batches])

        with anyio.fail_after(WAIT_S):
            async with anyio.create_task_group() as group:
                for one in got:
                    group.start_soon(follow, one)
                await anyio.wait_all_tasks_blocked()
                assert not service.reader.is_stopping()
                service.hub.close_all()
            late: list[Batch] = []
            await follow(late)
        assert service.reader.is_stopping()
        stored = lines_of(late)
        assert b"so far" in stored[-1]
        assert all(lines_of(one) == stored for one in got)
        gate.set()


@requirement("server.drain")
async def test_who_comes_after_that_is_let_go_too_once_it_has_what_is_stored() -> None:
    script = scripted([[Text("so far"), Gate(anyio.Event())]])
    async with serving(script) as service:
        await service.submit(session="s")
        waiting = await service.submit(session="s")
        service.hub.close_all()
        with anyio.fail_after(WAIT_S):
            batches = service.reader.follow(
                waiting.pk, after_seq=-1, until_final=True, idle_s=WAIT_S
            )
            assert types_of([batch async for batch in batches]) == ["task.created", "task.queued"]


async def test_who_has_waited_long_enough_leaves_nothing_behind() -> None:
    hub = Hub()
    with hub.tail(PK) as tail:
        with ExitStack() as stack:
            viewers = [stack.enter_context(tail.viewer()) for _ in range(hubs._SEATS + 1)]
            for viewer in (viewers[0], viewers[-1]):
                assert not await viewer.wait_changed(-1, timeout_s=0)
        assert not tail._seated
        assert not tail._standing
    assert_nothing_is_left(hub, tail)


async def test_a_crowd_that_leaves_before_its_round_leaves_no_timer_behind() -> None:
    hub = Hub()
    got: list[list[int]] = [[] for _ in range(100)]
    with anyio.fail_after(WAIT_S), hub.tail(PK) as tail:
        async with anyio.create_task_group() as group:
            for one in got:
                group.start_soon(lambda one=one: read(hub, one))
            await anyio.wait_all_tasks_blocked()
            tail.publish(segment(0))
            while [] in got:  # noqa: ASYNC110 - timers wake them
                await asyncio.sleep(0)
            tail.publish(segment(1))
            assert tail._round is not None
            group.cancel_scope.cancel()
    assert_nothing_is_left(hub, tail)
