"""The life of a task is the table, and nothing else."""

from itertools import product

import pytest

from agentlin_client.types.status import FINAL, FOLLOWING, RESTING
from agentlin_server.domain import status as statuses
from agentlin_server.domain.errors import IllegalTransitionError
from agentlin_server.domain.status import TERMINAL, TRANSITIONS, Signal, Status, advance
from tests.requirements import requirement


@requirement("task.lifecycle.table")
@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("signal", Signal)
def test_a_pair_leads_where_the_table_says_or_is_refused(status: Status, signal: Signal) -> None:
    if (status, signal) in TRANSITIONS:
        assert advance(status, signal) is TRANSITIONS[status, signal]
    else:
        with pytest.raises(IllegalTransitionError, match=f"cannot {signal} a {status} task"):
            advance(status, signal)


def test_the_terminal_statuses_are_those_of_the_contract() -> None:
    assert {"completed", "canceled", "expired", "failed"} == TERMINAL


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_nothing_moves_a_terminal_task(status: Status) -> None:
    assert [signal for signal in Signal if (status, signal) in TRANSITIONS] == []


@pytest.mark.parametrize("status", Status)
def test_every_status_can_end(status: Status) -> None:
    reached = {status}
    while True:
        further = {TRANSITIONS[pair] for pair in product(reached, Signal) if pair in TRANSITIONS}
        if further <= reached:
            break
        reached |= further
    assert reached & TERMINAL


@pytest.mark.parametrize("status", sorted(set(Status) - TERMINAL))
def test_every_task_that_has_not_ended_can_be_canceled(status: Status) -> None:
    assert advance(status, Signal.CANCEL) is Status.CANCELED


def test_only_what_was_enqueued_expires() -> None:
    expiring = {status for status, signal in TRANSITIONS if signal is Signal.EXPIRE}
    assert expiring == {"queued", "working", "paused", "input-required"}


def test_the_table_has_the_moves_that_the_order_validator_allows() -> None:
    moves = {(before.value, after.value) for (before, _), after in TRANSITIONS.items()}
    allowed = {(before, after) for before, them in FOLLOWING.items() for after in them}
    assert moves == allowed


def test_server_and_client_agree_on_final_and_resting() -> None:
    assert {status.value for status in TERMINAL} == set(FINAL)
    assert {status.value for status in statuses.RESTING} == set(RESTING)
