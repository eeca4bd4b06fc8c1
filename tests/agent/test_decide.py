"""What comes next follows from how far the task is, and from nothing else."""

from hypothesis import given
from hypothesis import strategies as st

from agentlin_server.agent.decide import (
    CallModel,
    Fail,
    Finish,
    Progress,
    RunTools,
    ToolCall,
    next_command,
)
from tests.requirements import requirement

CALL = ToolCall("call_1", "look", "{}")


def test_a_task_begins_with_its_first_call() -> None:
    assert next_command(Progress(step=0, step_max=1)) == CallModel(1)


def test_calls_without_a_result_come_first_even_at_the_limit() -> None:
    progress = Progress(step=5, step_max=5, called_tools=True, pending=(CALL,))
    assert next_command(progress) == RunTools((CALL,))


def test_after_the_results_the_model_is_asked_again() -> None:
    assert next_command(Progress(step=1, step_max=5, called_tools=True)) == CallModel(2)


def test_an_answer_without_calls_is_the_end_also_at_the_limit() -> None:
    assert next_command(Progress(step=5, step_max=5)) == Finish()


@requirement("task.steps.limit")
def test_calls_at_the_limit_are_the_end_of_the_budget() -> None:
    command = next_command(Progress(step=5, step_max=5, called_tools=True))
    assert isinstance(command, Fail)
    assert command.error["code"] == -32000
    assert command.error["data"] == {"budget": {"name": "steps", "limit": 5}}


@given(
    step=st.integers(0, 60),
    step_max=st.integers(1, 60),
    called_tools=st.booleans(),
    is_pending=st.booleans(),
)
def test_no_more_calls_are_made_than_allowed(
    *, step: int, step_max: int, called_tools: bool, is_pending: bool
) -> None:
    progress = Progress(step, step_max, called_tools, (CALL,) if is_pending else ())
    match next_command(progress):
        case CallModel(next_step):
            assert next_step == step + 1 <= step_max
        case Finish():
            assert step > 0
            assert not called_tools
        case RunTools(calls):
            assert calls == (CALL,)
        case Fail():
            assert step >= step_max
