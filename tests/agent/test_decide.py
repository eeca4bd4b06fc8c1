"""What comes next follows from how far the task is, and from nothing else."""

from hypothesis import given
from hypothesis import strategies as st

from agentlin_server.agent.decide import (
    Ask,
    CallModel,
    Command,
    Fail,
    Finish,
    Pause,
    Progress,
    RunTools,
    ToolCall,
    Yield,
    next_command,
)
from tests.requirements import requirement


def call(name: str) -> ToolCall:
    item = {"type": "tool_call", "id": f"tc_{name}", "call_id": f"call_{name}", "name": name}
    return ToolCall(item | {"arguments": "{}"})


CALL, CLIENT_CALL = call("look"), call("ask_client")


def following(progress: Progress, **wanted: bool) -> Command:
    return next_command(progress, is_client_tool=lambda name: name == "ask_client", **wanted)


def test_a_task_begins_with_its_first_call() -> None:
    assert following(Progress(step=0, step_max=1)) == CallModel(1)


def test_calls_without_a_result_come_first_even_at_the_limit() -> None:
    progress = Progress(step=5, step_max=5, called_tools=True, pending=(CALL,))
    assert following(progress) == RunTools((CALL,))


def test_after_the_results_the_model_is_asked_again() -> None:
    assert following(Progress(step=1, step_max=5, called_tools=True)) == CallModel(2)


def test_an_answer_without_calls_is_the_end_also_at_the_limit() -> None:
    assert following(Progress(step=5, step_max=5)) == Finish()


@requirement("task.steps.limit")
def test_calls_at_the_limit_are_the_end_of_the_budget() -> None:
    command = following(Progress(step=5, step_max=5, called_tools=True))
    assert isinstance(command, Fail)
    assert command.error["code"] == -32000
    assert command.error["data"] == {"budget": {"name": "steps", "limit": 5}}


def test_calls_of_the_server_come_before_those_that_the_client_answers() -> None:
    progress = Progress(step=1, step_max=5, called_tools=True, pending=(CLIENT_CALL, CALL))
    assert following(progress) == RunTools((CALL,))
    left = progress.without({CALL.call_id})
    assert following(left) == Ask((CLIENT_CALL,))
    assert following(left.without({CLIENT_CALL.call_id})) == CallModel(2)


@requirement("task.pause.between-steps")
def test_a_pause_comes_before_the_next_model_call_and_after_all_results() -> None:
    with_call = Progress(step=1, step_max=5, called_tools=True, pending=(CALL,))
    assert following(with_call, is_pause_wanted=True) == RunTools((CALL,))
    assert following(with_call.without({CALL.call_id}), is_pause_wanted=True) == Pause()
    assert following(Progress(step=0, step_max=5), is_pause_wanted=True) == Pause()


@requirement("task.pause.between-steps")
def test_an_end_or_a_question_that_is_reached_first_wins_over_a_pause() -> None:
    wanted = {"is_pause_wanted": True, "is_yield_wanted": True}
    asking = Progress(step=1, step_max=5, called_tools=True, pending=(CLIENT_CALL,))
    assert following(asking, **wanted) == Ask((CLIENT_CALL,))
    assert following(Progress(step=1, step_max=5), **wanted) == Finish()
    assert isinstance(following(Progress(step=5, step_max=5, called_tools=True), **wanted), Fail)


def test_a_server_that_stops_gives_the_task_back_between_two_steps() -> None:
    progress = Progress(step=1, step_max=5, called_tools=True)
    assert following(progress, is_yield_wanted=True) == Yield()
    assert following(progress, is_yield_wanted=True, is_pause_wanted=True) == Pause()


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
    match following(progress):
        case CallModel(next_step):
            assert next_step == step + 1 <= step_max
        case Finish():
            assert step > 0
            assert not called_tools
        case RunTools(calls):
            assert calls == (CALL,)
        case Fail():
            assert step >= step_max
        case Ask() | Pause() | Yield():
            raise AssertionError("nobody asked for it")
