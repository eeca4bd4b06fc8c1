"""The checker sees what it is there to see: each test breaks one promise, by hand."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agentlin_server.agent.toolresult import outcome_unknown
from agentlin_server.tools.ledger import Ledger, LedgerLine, Phase
from tests.api.frames import Frame
from tests.faults.checker import IDEMPOTENT, READ, UNSAFE, check_end, check_ledger, check_log
from tests.faults.client import ViolationError
from tests.faults.screenplay import Plan, PlanStep
from tests.faults.subject import Subject
from tests.types.stream_builder import StreamBuilder
from tests.types.streams import simple_stream

PLAN = Plan("p", (PlanStep(words=2),))


@pytest.fixture
def subject() -> Subject:
    return Subject(PLAN, key="p", body={})


def _frame(event: dict[str, Any], generation: int = 1) -> Frame:
    envelope = {"jsonrpc": "2.0", "id": "r", "result": event}
    seq = event["sequence_number"]
    raw = f"id: {seq}-{generation}\ndata: {json.dumps(envelope)}\n\n".encode()
    return Frame(seq, generation, event["type"], envelope, raw)


def _log(*deltas: str) -> list[Frame]:
    return [_frame(event) for event in simple_stream(*deltas)]


def _see(subject: Subject, *frames: Frame) -> None:
    for frame in frames:
        subject.seen.add(frame)


def test_what_was_seen_and_is_logged_passes(subject: Subject) -> None:
    log = _log("a", "b")
    _see(subject, *log)
    check_log(subject, log)
    check_log(subject, log[:4])  # as far as it was read


def test_two_clients_may_not_see_two_events_under_an_id(subject: Subject) -> None:
    one, other = _log("a")[5], _log("b")[5]
    _see(subject, one)
    with pytest.raises(ViolationError, match="two events under an id"):
        _see(subject, other)


def test_an_event_that_was_seen_may_not_be_another_in_the_log(subject: Subject) -> None:
    _see(subject, *_log("a"))
    with pytest.raises(ViolationError, match="was another event"):
        check_log(subject, _log("b"))


def test_an_event_that_was_seen_may_not_be_gone(subject: Subject) -> None:
    log = _log("a", "b")
    _see(subject, _frame(log[6].event, generation=2))
    with pytest.raises(ViolationError, match="6-2 was seen, and is gone"):
        check_log(subject, log)


def test_unless_a_power_cut_took_it_and_then_it_stays_gone(subject: Subject) -> None:
    log = _log("a", "b")
    gone = _frame(log[6].event, generation=2)
    _see(subject, gone)
    subject.seen.cut()
    check_log(subject, log[:3])
    check_log(subject, log)
    with pytest.raises(ViolationError, match="lost are there again"):
        check_log(subject, [*log[:6], gone, *log[7:]])


def test_a_task_as_seen_is_the_fold_of_its_log(subject: Subject) -> None:
    subject.seen.add_task({"id": "t", "status": "working", "sequence_number": 2})
    with pytest.raises(ViolationError, match="fold of the log"):
        check_log(subject, _log("a"))


def test_a_task_may_not_be_seen_further_than_its_log_goes(subject: Subject) -> None:
    subject.seen.add_task({"id": "t", "status": "completed", "sequence_number": 99})
    with pytest.raises(ViolationError, match="its log ends at"):
        check_log(subject, _log("a"))


def test_it_has_one_end(subject: Subject) -> None:
    _see(subject, *_log("a"))
    with pytest.raises(ViolationError, match="first it was completed, then canceled"):
        subject.seen.add_task({"status": "canceled", "sequence_number": 3})


def test_a_pause_that_was_granted_lets_at_most_one_more_call_begin(subject: Subject) -> None:
    build = StreamBuilder()
    build.start()
    for step in range(3):
        build.begin_call()
        build.finish(build.add_call(call_id=f"c{step}"))
        build.finish(build.add_result(f"c{step}"))
    log = [_frame(event) for event in build.events]
    subject.pauses.append(log[-1].seq)
    check_log(subject, log)
    subject.pauses.append(2)
    with pytest.raises(ViolationError, match="it began calls"):
        check_log(subject, log)


def _task(status: str = "completed", text: str = "p.0.0 p.0.1 ", **fields: Any) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text}]
    message = {"type": "message", "status": "completed", "message_content": content}
    return {"id": "t", "status": status, "output": [message], **fields}


def _result(call_id: str, text: str, **fields: Any) -> dict[str, Any]:
    content = [{"type": "text", "text": text}]
    item = {"type": "tool_result", "call_id": call_id, "message_content": content}
    return {**item, "status": "completed", **fields}


def test_a_right_end_passes(subject: Subject) -> None:
    check_end(subject, _task())


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (_task("canceled"), "ended as canceled"),
        (_task(text="something else"), "is not 'p.0.0 p.0.1 '"),
        (_task(output=[]), "0 messages"),
        (_task(output=[*_task()["output"], _result("c", "x", answered_by="me")]), "who said x"),
        (_task(output=[*_task()["output"], _result("c", "x")]), "the model heard"),
    ],
)
def test_a_wrong_end_is_seen(subject: Subject, task: Mapping[str, Any], said: str) -> None:
    with pytest.raises(ViolationError, match=said):
        check_end(subject, task)


@pytest.mark.parametrize(
    ("data", "deaths", "is_right"),
    [
        ({"reason": "crashed_repeatedly"}, 3, True),
        ({"reason": "crashed_repeatedly"}, 2, False),
        ({"provider": "scripted"}, 3, False),  # its plan says nothing of a break
        ({"reason": "storage"}, 3, False),
    ],
)
def test_a_failure_has_a_good_reason(
    subject: Subject, data: Any, deaths: int, is_right: Any
) -> None:
    subject.may_end.add("failed")
    subject.deaths = deaths
    task = _task("failed", error={"code": -32000, "message": "", "data": data})
    if is_right:
        check_end(subject, task)
    else:
        with pytest.raises(ViolationError, match="for no good reason"):
            check_end(subject, task)


def test_what_was_granted_is_there_at_the_end(subject: Subject) -> None:
    subject.granted["c"] = "yes"
    with pytest.raises(ViolationError, match="'yes' to c became None"):
        check_end(subject, _task())
    subject.granted.clear()
    subject.must_end = "canceled"
    with pytest.raises(ViolationError, match="ended as completed"):
        check_end(subject, _task())


def _call(name: str) -> dict[str, Any]:
    return {"type": "tool_call", "call_id": "c", "name": name, "status": "completed"}


def _write(folder: Path, tool: str, *phases: Phase, key: str = "t:c") -> None:
    for phase in phases:
        Ledger(folder).append(LedgerLine(tool=tool, idempotency_key=key, text="x", phase=phase))


def _check(folder: Path, *output: Mapping[str, Any]) -> None:
    check_ledger(folder, {"t": {"id": "t", "output": list(output)}}, deleted=())


def test_side_effects_that_are_as_they_should_be_pass(tmp_path: Path) -> None:
    _write(tmp_path, IDEMPOTENT, "begun", "begun", "ended")
    _check(tmp_path, _call(IDEMPOTENT), _result("c", "Written"))
    _check(tmp_path, _call(READ), _result("c", "nothing"))


def test_an_unsafe_tool_may_not_run_twice(tmp_path: Path) -> None:
    _write(tmp_path, UNSAFE, "begun", "begun", "ended")
    with pytest.raises(ViolationError, match="ran twice"):
        _check(tmp_path, _call(UNSAFE), _result("c", "Written"))


def test_a_result_needs_its_side_effect(tmp_path: Path) -> None:
    _write(tmp_path, UNSAFE, "begun")
    with pytest.raises(ViolationError, match="no side effect"):
        _check(tmp_path, _call(UNSAFE), _result("c", "Written"))
    _check(tmp_path, _call(UNSAFE), _result("c", outcome_unknown(UNSAFE)))


def test_only_an_unsafe_tools_outcome_is_unknown(tmp_path: Path) -> None:
    with pytest.raises(ViolationError, match="repeatable call is unknown"):
        _check(tmp_path, _call(IDEMPOTENT), _result("c", outcome_unknown(IDEMPOTENT)))


def test_a_tool_runs_for_a_task_and_after_its_result_was_begun(tmp_path: Path) -> None:
    _write(tmp_path, UNSAFE, "begun")
    with pytest.raises(ViolationError, match="before its result was begun"):
        _check(tmp_path, _call(UNSAFE))
    with pytest.raises(ViolationError, match="ran for no task"):
        check_ledger(tmp_path, {}, deleted=())
    check_ledger(tmp_path, {}, deleted={"t"})


def test_an_idempotency_key_belongs_to_one_tool(tmp_path: Path) -> None:
    _write(tmp_path, UNSAFE, "begun")
    _write(tmp_path, IDEMPOTENT, "begun")
    with pytest.raises(ViolationError, match="under one idempotency key"):
        _check(tmp_path, _call(UNSAFE), _result("c", "", status="in_progress"))
