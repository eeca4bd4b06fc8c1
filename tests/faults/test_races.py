"""Races that the state machine meets too seldom: many rounds of each."""

import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import pytest

from tests.faults import actions
from tests.faults.actions import ASK
from tests.faults.screenplay import Call, Plan, PlanStep
from tests.faults.subject import Subject
from tests.faults.world import World, living_world
from tests.requirements import requirement

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ROUNDS = 30
READERS = 6
QUESTION = (PlanStep(words=12, calls=(Call(f"{ASK}_name"),)), PlanStep(words=5))
SPEECH = (PlanStep(words=10, delay_s=0.002),)

Act = Callable[[World, Subject], Awaitable[object]]


async def _at(delay_s: float, act: Act, world: World, subject: Subject) -> None:
    await anyio.sleep(delay_s)
    await act(world, subject)


@requirement("events.same-bytes")
async def test_readers_that_resume_during_a_delete_see_the_same_events_or_none(
    tmp_path: Path,
) -> None:
    rng = random.Random(1)
    with anyio.fail_after(120):
        async with living_world(tmp_path, seed=1) as world:
            for number in range(ROUNDS):
                subject = actions.new_subject(world, Plan(f"t{number}", QUESTION))
                world.follow(subject, is_creator=True)
                for _ in range(READERS):
                    world.follow(subject)
                await subject.seen.wait_for("task.input_required")
                await world.kill()  # so that its log is read from the database
                await _at(rng.choice((0, 0.005, 0.02)), actions.delete, world, subject)
                world.check()
            await world.wait_readers()
            await actions.check_all(world)


@requirement("task.end.final")
async def test_a_cancel_that_races_the_end_gives_one_final_event(tmp_path: Path) -> None:
    rng = random.Random(1)
    with anyio.fail_after(120):
        async with living_world(tmp_path, seed=1) as world:
            for number in range(ROUNDS):
                subject = actions.new_subject(world, Plan(f"t{number}", SPEECH))
                world.follow(subject, is_creator=True, drops=False)
                await subject.known.wait()
                async with anyio.create_task_group() as group:
                    for act in (actions.cancel, actions.cancel, actions.pause, actions.resume):
                        delay_s = rng.uniform(0.02, 0.04)
                        group.start_soon(_at, delay_s, act, world, subject)
            await actions.drive_all(world)
            await world.wait_readers()
            await actions.check_all(world)
            ends = {subject.seen.final for subject in world.subjects}
            assert ends == {"completed", "canceled"}, "the race was always won by the same"
