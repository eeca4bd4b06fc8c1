from typing import Any

import pytest

from agentlin_client.types._adapters import decode_event
from agentlin_server.cli.exits import ExitCode
from agentlin_server.cli.follow import Printer, Tally, report


def _task(status: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": "task_1",
        "object": "task",
        "created_at": 0,
        "status": status,
        "session_id": "sess_1",
        "user_id": "user_1",
        "output": [],
        **fields,
    }


def _event(kind: str, **fields: Any) -> Any:
    return decode_event({"type": kind, "task_id": "task_1", "sequence_number": 0, **fields})


def _text(delta: str, *, item: str = "msg_1") -> Any:
    return _event(
        "task.text.delta", item_id=item, agent_step=1, content_index=0, delta=delta, logprobs=[]
    )


def _thought(delta: str) -> Any:
    return _event(
        "task.reasoning_text.delta", item_id="rs_1", agent_step=1, content_index=0, delta=delta
    )


def _ended(status: str, **fields: Any) -> Any:
    fields = {"timestamp": "2026-01-01T00:00:00Z", "task": _task(status, **fields), **fields}
    return _event(f"task.{status}", **fields)


USAGE = {"input_tokens": 12, "output_tokens": 11, "estimated": False}


def test_the_summary_tells_status_task_tokens_and_times() -> None:
    tally = Tally(began_at=10.0)
    tally.note(_thought("Hm"), 10.5)
    tally.note(_text("It rains."), 15.5)
    tally.note(_ended("completed", usage=USAGE), 16.0)
    assert tally.summary() == (
        "completed · task_1 · 12 + 11 tokens · first token after 0.50 s · 2 tokens/s · 6.0 s in all"
    )


def test_a_stream_that_may_be_of_the_past_has_no_times() -> None:
    tally = Tally(began_at=None)
    tally.note(_text("It "), 15.0)
    tally.note(_text("rains."), 15.5)
    tally.note(_ended("completed", usage=USAGE), 16.0)
    assert tally.summary() == "completed · task_1 · 12 + 11 tokens"


def test_estimated_tokens_are_said_to_be() -> None:
    tally = Tally(began_at=0.0)
    tally.note(_text("a"), 1.0)
    tally.note(_text("b"), 2.0)
    tally.note(_ended("completed", usage={**USAGE, "estimated": True}), 3.0)
    assert "about 12 + 11 tokens" in tally.summary()
    assert "about 10 tokens/s" in tally.summary()


def test_one_token_has_no_rate_and_none_no_time_to_first() -> None:
    tally = Tally(began_at=0.0)
    tally.note(_ended("canceled"), 2.0)
    assert tally.summary() == "canceled · task_1 · 2.0 s in all"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("completed", ExitCode.OK),
        ("failed", ExitCode.FAILED),
        ("expired", ExitCode.FAILED),
        ("canceled", ExitCode.CANCELED),
        ("paused", ExitCode.WAITING),
    ],
)
def test_the_status_decides_the_exit_code(status: str, code: ExitCode) -> None:
    error = {"error": {"code": -32000, "message": "no"}} if status == "failed" else {}
    tally = Tally(began_at=0.0)
    tally.note(_ended(status, **error), 1.0)
    assert tally.exit_code is code


def test_a_stream_without_an_end_means_unavailable() -> None:
    assert Tally(began_at=0.0).exit_code is ExitCode.UNAVAILABLE


def test_the_answer_goes_to_stdout_and_reasoning_to_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    printer = Printer(as_json=False, on_first=lambda: None)
    for event in (_thought("Let me "), _thought("see."), _text("It "), _text("rains.")):
        printer.show(event)
    printer.end()
    printer.end()
    out, err = capsys.readouterr()
    assert out == "It rains.\n"
    assert err == "Let me see.\n\n"


def test_two_messages_are_set_apart_by_a_blank_line(capsys: pytest.CaptureFixture[str]) -> None:
    printer = Printer(as_json=False, on_first=lambda: None)
    printer.show(_text("one"))
    printer.show(_text("two\n", item="msg_2"))
    printer.end()
    assert capsys.readouterr().out == "one\n\ntwo\n"


def test_json_is_the_event_on_one_line_and_nothing_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    printer = Printer(as_json=True, on_first=lambda: None)
    printer.show(_text("line\n\x1b[2J"))
    printer.end()
    out, err = capsys.readouterr()
    assert out.count("\n") == 1
    assert out.startswith('{"type":"task.text.delta"')
    assert "\x1b" not in out
    assert err == ""


def test_the_line_is_cleared_before_the_first_word() -> None:
    cleared: list[str] = []
    printer = Printer(as_json=False, on_first=lambda: cleared.append("x"))
    printer.show(_event("task.working", timestamp="2026-01-01T00:00:00Z"))
    assert cleared == []
    printer.show(_text("a"))
    assert cleared


def test_the_report_says_why_a_task_failed(capsys: pytest.CaptureFixture[str]) -> None:
    tally = Tally(began_at=0.0)
    tally.note(_ended("failed", error={"code": -32000, "message": "no key\x1b[1m"}), 1.0)
    report(tally)
    err = capsys.readouterr().err
    assert "failed: no key[1m (code -32000)" in err
    assert "failed · task_1" in err
