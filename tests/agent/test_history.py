"""What a worker that goes on with a task reads from its log."""

from agentlin_server.agent.closing import close_open, finished_items_of_unfinished_calls
from agentlin_server.agent.history import History
from agentlin_server.agent.reply import Reply
from agentlin_server.agent.toolresult import OpenResult, whole_result
from agentlin_server.domain import events
from agentlin_server.domain.model import Finish, TextDelta, ToolCallDelta
from tests.agent.events import Log
from tests.requirements import requirement

USAGE = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2, "estimated": False}


def reply(step: int, attempt: int = 1, *superseded: str) -> Reply:
    return Reply(step=step, attempt=attempt, superseded=superseded, used_call_ids=set())


def finish(log: Log, one: Reply) -> None:
    log.append(one.feed([Finish("stop")]) + one.end(usage=USAGE).drafts)


def crash(log: Log) -> None:
    """Close what is open, as whoever recovers the task does."""
    for step, item in finished_items_of_unfinished_calls(log.events):
        log.append([events.item_done(item | {"status": "incomplete"}, step=step)])
    for left in log.fold.open_items():
        log.append(close_open(left)[0])
    log.append([events.queued()])
    log.append([events.working()])


def test_a_task_without_a_past_begins_with_its_first_call() -> None:
    history = History(Log().events)
    assert (history.step, history.attempt, history.superseded) == (0, 1, [])
    assert history.tools == []
    assert not history.context_items()
    assert not history.progress(step_max=3).called_tools


@requirement("task.call-again", "task.unfinished-call")
def test_a_call_that_was_cut_off_is_made_again_and_its_items_are_superseded() -> None:
    log = Log()
    log.append(reply(1).feed([TextDelta("half")]))
    crash(log)
    history = History(log.events)
    assert (history.step, history.attempt) == (0, 2)
    assert history.superseded == [log.output[0]["id"]]
    assert not history.context_items()


def test_a_second_cut_supersedes_the_items_of_the_second_attempt_only() -> None:
    log = Log()
    log.append(reply(1).feed([TextDelta("one")]))
    crash(log)
    log.append(reply(1, 2, log.output[0]["id"]).feed([TextDelta("two")]))
    crash(log)
    history = History(log.events)
    assert (history.attempt, history.superseded) == (3, [log.output[1]["id"]])


def test_an_item_that_was_done_before_its_call_was_cut_is_superseded_too() -> None:
    log = Log()
    one = reply(1)
    log.append(one.feed([TextDelta("said "), ToolCallDelta(0, "call_1", "look", "{}")]))
    crash(log)
    history = History(log.events)
    assert history.superseded == [item["id"] for item in log.output]
    assert history.call_ids == {"call_1"}
    assert history.step == 0


def test_calls_without_results_are_pending_and_results_count_in_call_order() -> None:
    log = Log()
    one = reply(1)
    calls = [ToolCallDelta(n, f"call_{n}", "look", "{}") for n in range(3)]
    log.append(one.feed(calls))
    finish(log, one)
    for n in (2, 0):
        log.append(whole_result(f"call_{n}", f"seen {n}", step=1)[0])
    history = History(log.events)
    progress = history.progress(step_max=3)
    assert [call.call_id for call in progress.pending] == ["call_1"]
    assert progress.called_tools
    assert history.step_calls() == ["call_0", "call_1", "call_2"]
    assert [item["call_id"] for item in history.step_results()] == ["call_0", "call_2"]
    assert {item["type"] for item in history.context_items()} == {"tool_call"}
    assert not history.interrupted


@requirement("tool.unsafe-once")
def test_a_result_that_was_open_at_the_crash_tells_that_its_tool_had_started() -> None:
    log = Log()
    one = reply(1)
    log.append(one.feed([ToolCallDelta(0, "call_0", "pay", "{}")]))
    finish(log, one)
    log.append([OpenResult("call_0", step=1).opening()])
    crash(log)
    history = History(log.events)
    assert history.interrupted == {"call_0"}
    assert [call.call_id for call in history.progress(step_max=3).pending] == ["call_0"]
    log.append(whole_result("call_0", "unknown", step=1)[0])
    assert not History(log.events).interrupted


def test_an_attempt_that_finished_is_the_one_that_the_model_sees() -> None:
    log = Log()
    log.append(reply(1).feed([TextDelta("half")]))
    crash(log)
    one = reply(1, 2, log.output[0]["id"])
    log.append(one.feed([TextDelta("whole")]))
    finish(log, one)
    history = History(log.events)
    assert history.step == 1
    assert [item["id"] for item in history.context_items()] == [log.output[1]["id"]]
    assert history.item_ids == [item["id"] for item in log.output]
