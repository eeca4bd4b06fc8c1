"""A thousand steps of the state machine, the same ones each time."""

import pytest

from tests.faults.machine import run_machine
from tests.requirements import requirement

STEPS = 1_000
SEED = 2


@pytest.mark.slow
@requirement("task.lifecycle.table")
@requirement("task.end.final")
@requirement("events.resume")
@requirement("journal.durable")
def test_a_thousand_steps_of_whatever_may_happen_break_no_promise() -> None:
    counts = run_machine(steps=STEPS, seed_number=SEED)
    assert counts["steps"] >= STEPS
    for what in ("kills", "power cuts", "tasks completed", "tasks canceled", "tasks deleted"):
        assert counts[what] > 0, f"no {what}: the seed is a poor one"
