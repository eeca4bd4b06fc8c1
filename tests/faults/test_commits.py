"""Scripted runs whose server is killed at every commit, and loses its power there too."""

import pytest

from tests.faults.commits import all_kills, count_commits, few_kills, play_kills
from tests.faults.scenarios import SCENARIOS
from tests.requirements import requirement

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@requirement("task.restart")
@pytest.mark.parametrize("scenario", ["tools", "input"])
async def test_a_run_that_is_killed_at_any_commit_comes_to_its_right_end(scenario: str) -> None:
    commits = await count_commits(scenario)
    tally = await play_kills(few_kills(scenario, commits), seed=1)
    if tally.failures:
        raise ExceptionGroup(f"{len(tally.failures)} kills", tally.failures)
    assert tally.runs == 2 * commits
    assert tally.power_cuts >= commits - 1, "the number of commits differs a little between runs"
    assert tally.lost_bytes > 0, "the power cuts cost nothing: they prove nothing"


def test_a_thorough_run_has_every_kind_of_kill_at_every_commit() -> None:
    kills = list(all_kills("text", 3, seed=1))
    assert {kill.at for kill in kills} == {1, 2, 3}
    kinds = {(kill.when, kill.cut, kill.again_at > 0) for kill in kills if kill.at == 2}
    assert len(kinds) == 7
    assert len(set(map(str, kills))) == len(kills)
    assert set(SCENARIOS) == {"text", "reasoning", "tools", "input", "pause"}
