"""A kill at every commit of a scripted run, one after the other."""

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import anyio

from tests.faults.keeping import kept_if_failed
from tests.faults.power import Cut
from tests.faults.scenarios import SCENARIOS, play
from tests.faults.server import Faults, When
from tests.faults.world import living_world

AT_ONCE: Final = 4
"""How many servers run at the same time: each of them mostly waits."""
_RECOVERY_COMMITS: Final = 12


@dataclass(frozen=True, slots=True)
class Kill:
    """Where a run is killed, and what goes with it.

    Attributes:
        scenario: The run.
        at: Number of the commit.
        when: Before the commit, or after it and before anyone hears of it.
        cut: How the power goes with it, if it does.
        again_at: Number of the commit at which the next process is killed too; 0 for none.
    """

    scenario: str
    at: int
    when: When
    cut: Cut | None = None
    again_at: int = 0

    def __str__(self) -> str:
        cut = f", the power cut leaves {self.cut}" if self.cut else ""
        again = f", then before commit {self.again_at}" if self.again_at else ""
        return f"{self.scenario}: killed {self.when} commit {self.at}{cut}{again}"


@dataclass(slots=True)
class Tally:
    """What came of many runs.

    Attributes:
        runs: How many were played to their end, and were right.
        deaths: How many processes were killed in them.
        power_cuts: How many of those were power cuts.
        lost_bytes: How much log the power cuts took.
        failures: What went wrong.
    """

    runs: int = 0
    deaths: int = 0
    power_cuts: int = 0
    lost_bytes: int = 0
    failures: list[Exception] = field(default_factory=list[Exception])


def all_kills(scenario: str, commits: int, *, seed: int) -> Iterator[Kill]:
    """Yield every kill of a scenario: plain ones, power cuts, and kills of the recovery too."""
    rng = random.Random(f"{seed} {scenario}")
    for at in range(1, commits + 1):
        yield Kill(scenario, at, "before")
        yield Kill(scenario, at, "after")
        yield Kill(scenario, at, "before", again_at=rng.randint(1, _RECOVERY_COMMITS))
        yield Kill(scenario, at, "after", again_at=rng.randint(1, _RECOVERY_COMMITS))
        for cut in Cut:
            yield Kill(scenario, at, "after", cut)


def few_kills(scenario: str, commits: int) -> Iterator[Kill]:
    """Yield one plain kill and one power cut for each commit."""
    for at in range(1, commits + 1):
        yield Kill(scenario, at, "before")
        yield Kill(scenario, at, "after", Cut.NOTHING)


async def count_commits(scenario: str) -> int:
    """Play a scenario undisturbed; return how many commits its server made."""
    with kept_if_failed(scenario) as folder:
        commits = folder / "commits"
        faults = Faults(is_one_by_one=True, commits=commits)
        async with living_world(folder, seed=0, faults=[faults]) as world:
            await play(world, SCENARIOS[scenario])
        return len(commits.read_text("utf-8").splitlines())


async def play_kill(kill: Kill, tally: Tally, *, seed: int) -> None:
    """Play one scenario with its kill, and check everything.

    Raises:
        ViolationError: a promise was broken.
    """
    with kept_if_failed(kill.scenario) as folder:
        first = Faults(kill_at=kill.at, kill_when=kill.when, is_one_by_one=True)
        faults = [first, Faults(kill_at=kill.again_at, is_one_by_one=True)]
        async with living_world(folder, seed=seed, faults=faults, cut=kill.cut) as world:
            await play(world, SCENARIOS[kill.scenario])
        tally.deaths += world.deaths
        tally.power_cuts += world.power_cuts
        tally.lost_bytes += world.lost_bytes
    tally.runs += 1


async def play_kills(
    kills: Iterable[Kill], *, seed: int, on_done: Callable[[Kill], None] = lambda _: None
) -> Tally:
    """Play many kills, some at a time; none stops another one."""
    tally = Tally()
    left: Iterator[Kill] = iter(kills)

    async def work() -> None:
        for kill in left:
            try:
                await play_kill(kill, tally, seed=seed)
            except Exception as exc:  # noqa: BLE001 # told at the end, with all others
                exc.add_note(str(kill))
                tally.failures.append(exc)
            on_done(kill)

    async with anyio.create_task_group() as group:
        for _ in range(AT_ONCE):
            group.start_soon(work)
    return tally
