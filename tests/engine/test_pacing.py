"""Turns are given in slices: as many at a time as the event loop has room for."""

import asyncio
from itertools import pairwise

import anyio
import pytest

from agentlin_server.engine.pacing import Pacer
from tests.engine.loopturns import SLICE_MAX, Turns, idle

pytestmark = pytest.mark.anyio

WAIT_S = 20


class Stopwatch:
    """A clock that moves when readers work."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def _slices(*, work_s: float, readers: int) -> list[int]:
    """Return how many readers each slice held, if the work of each takes so long."""
    clock = Stopwatch()
    pacer = Pacer(clock=clock)

    async def work(turns: Turns) -> None:
        await pacer.wait_turn()
        clock.now += work_s
        turns.note()

    with Turns() as turns, anyio.fail_after(WAIT_S):
        async with anyio.create_task_group() as group:
            for _ in range(readers):
                group.start_soon(work, turns)
        await idle(pacer)
    return list(turns.woken.values())


async def test_a_slice_holds_as_many_as_are_done_in_half_a_millisecond() -> None:
    quick = await _slices(work_s=0.000_001, readers=500)
    assert max(quick) == SLICE_MAX
    usual = await _slices(work_s=0.000_020, readers=500)
    assert 8 <= max(usual[:-1]) <= 32
    slow = await _slices(work_s=0.001, readers=20)
    assert slow[0] == 8
    assert min(slow) == 1
    assert all(later <= max(1, earlier) for earlier, later in pairwise(slow))


async def test_turns_are_given_in_order_and_not_to_who_has_gone() -> None:
    pacer = Pacer()
    order: list[int] = []
    scope = anyio.CancelScope()

    async def take(number: int) -> None:
        await pacer.wait_turn()
        order.append(number)

    async def give_up() -> None:
        with scope:
            await take(-1)

    with anyio.fail_after(WAIT_S):
        async with anyio.create_task_group() as group:
            group.start_soon(give_up)
            for number in range(100):
                group.start_soon(take, number)
            await asyncio.sleep(0)
            scope.cancel()
    assert order == list(range(100))
