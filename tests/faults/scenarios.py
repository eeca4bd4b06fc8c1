"""Five scripted runs, each of one task, and the client that sees it through whatever happens."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

import anyio

from tests.faults import actions
from tests.faults.actions import ASK, END_S, check_all, drive_to_end, new_subject
from tests.faults.checker import IDEMPOTENT, UNSAFE
from tests.faults.client import require
from tests.faults.screenplay import Call, Plan, PlanStep
from tests.faults.subject import Subject
from tests.faults.world import World

_WORD_S: Final = 0.002
"""Pause before each word, so that some words are commits of their own."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scripted run.

    Attributes:
        name: What it shows.
        steps: What the model does.
        meddle: What its client does meanwhile; answering and resuming go by themselves.
    """

    name: str
    steps: tuple[PlanStep, ...]
    meddle: Callable[[World, Subject], Awaitable[None]] | None = None


async def _pause_at_first_word(world: World, subject: Subject) -> None:
    """Pause the task once its first model call speaks; so it pauses before the second."""
    await subject.seen.wait_for("task.text.delta")
    while subject.known.is_set() and await actions.pause(world, subject) is None:
        pass


_WRITES: Final = (
    Call(UNSAFE, {"text": "one", "delay_s": 0.02}),
    Call(IDEMPOTENT, {"text": "two", "delay_s": 0.02}),
)
_QUESTIONS: Final = (Call(f"{ASK}_name"), Call(f"{ASK}_age"))

SCENARIOS: Final[Mapping[str, Scenario]] = {
    one.name: one
    for one in (
        Scenario("text", (PlanStep(words=6, delay_s=_WORD_S),)),
        Scenario("reasoning", (PlanStep(thoughts=4, words=3, delay_s=_WORD_S),)),
        Scenario("tools", (PlanStep(words=2, delay_s=_WORD_S, calls=_WRITES), PlanStep(words=2))),
        Scenario("input", (PlanStep(words=1, calls=_QUESTIONS), PlanStep(words=2))),
        Scenario(
            "pause",
            (
                PlanStep(words=4, delay_s=_WORD_S, calls=_WRITES[1:]),
                PlanStep(words=2, calls=_WRITES[:1]),
                PlanStep(words=2),
            ),
            _pause_at_first_word,
        ),
    )
}


async def play(world: World, scenario: Scenario) -> None:
    """Play a scenario to its end, and check everything.

    Raises:
        ViolationError: a promise was broken.
    """
    subject = new_subject(world, Plan(scenario.name, scenario.steps), task_id=f"t_{scenario.name}")
    world.follow(subject, is_creator=True, drops=False)
    if scenario.meddle is not None:
        meddle = scenario.meddle
        world.spawn(lambda: meddle(world, subject))
    with anyio.move_on_after(END_S):
        await subject.known.wait()
        await drive_to_end(world, subject)
    await world.wait_readers()
    require(subject.seen.final == "completed", f"{scenario.name} is {subject.seen.final}")
    await check_all(world)
