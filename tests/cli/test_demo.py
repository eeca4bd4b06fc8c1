"""`agentlin demo crash`: it counts what was really lost, and leaves nothing behind."""

import io
import json
import re
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from pydantic import TypeAdapter

from agentlin_client.types import AgentTaskEvent
from agentlin_client.types.fold import TaskFold
from agentlin_server.cli import demo_crash, demo_plan
from agentlin_server.cli.demo_proof import Proof, prove
from agentlin_server.cli.demo_screen import Screen
from agentlin_server.cli.demo_wire import Frame, Wire
from agentlin_server.models.script import Text, load_script
from agentlin_server.tools.ledger import Entry
from tests.cli.conftest import Cli, Start
from tests.requirements import requirement

END_S = 60
BOOK = '{tool_call: {name: ledger_record, arguments: {text: "a seat"}}}'
TALE = "".join(f"word{n} " for n in range(100))
TELL = f'{{text: "{TALE}", chunks: words, delay_s: 0.005}}'
QUICK_SCRIPT = f"""
- {{results: 0, repeat: true, steps: [{{text: "First. "}}, {BOOK}]}}
- {{results: 1, repeat: true, steps: [{TELL}]}}
"""
TWO_CALLS_SCRIPT = f"""
- {{results: 0, repeat: true, steps: [{BOOK}, {BOOK}]}}
- {{results: 2, repeat: true, steps: [{TELL}]}}
"""
NO_CALL_SCRIPT = '- {text: "That was all.", repeat: true}'


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put another script in the place of the one that is shipped."""

    def replace(text: str) -> None:
        path = tmp_path / "shipped.yaml"
        path.write_text(text)
        monkeypatch.setattr(demo_plan, "SCRIPT", path)

    return replace


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the demo puts its files."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    return folder


@requirement("task.restart", "tool.unsafe-once")
def test_nothing_is_lost_when_the_server_is_killed_in_the_middle_of_the_text(
    cli: Cli, shipped: Callable[[str], None], scratch: Path
) -> None:
    shipped(QUICK_SCRIPT)
    result = cli("demo", "crash")
    assert result.exit_code == 0, result.stderr
    *text, last = result.stdout.splitlines()
    assert last == "events lost 0, duplicated 0, side effects 1 of 1"
    first, cut, whole = (line.strip() for line in text)
    assert first == "First."
    assert whole == TALE.strip()
    assert whole.startswith(cut)
    assert 0.4 < len(cut) / len(whole) < 0.9
    notes = result.stderr
    assert re.search(r"server killed \(-9\) after \d+ events", notes)
    assert "attempt 2" in notes
    assert list(scratch.iterdir()) == []


def test_the_json_is_one_object_with_the_figures_and_nothing_else(
    cli: Cli, shipped: Callable[[str], None]
) -> None:
    shipped(QUICK_SCRIPT)
    result = cli("demo", "crash", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    figures = json.loads(result.stdout)
    assert figures["holds"] is True
    assert (figures["lost"], figures["duplicated"], figures["altered"]) == (0, 0, 0)
    assert (figures["side_effects"], figures["tool_calls"]) == (1, 1)
    assert 0 < figures["events_before_kill"] < figures["events"]
    assert figures["back_after_s"] > 0


@requirement("tool.unsafe-once")
@pytest.mark.slow
def test_a_tool_that_was_killed_in_the_middle_is_not_run_again(start: Start) -> None:
    out, notes = start("demo", "crash", "--during", "tool").communicate(timeout=END_S)
    assert out.splitlines()[-1] == "events lost 0, duplicated 0, side effects 1 of 1"
    assert "ledger_record" in notes
    assert "unknown" in notes
    assert "attempt" not in notes
    assert "Written to the ledger" not in notes


def test_a_figure_that_is_off_shows_in_the_exit_code(
    cli: Cli, shipped: Callable[[str], None]
) -> None:
    shipped(TWO_CALLS_SCRIPT)
    result = cli("demo", "crash", "--json")
    assert result.exit_code == 1
    figures = json.loads(result.stdout)
    assert (figures["tool_calls"], figures["side_effects"], figures["holds"]) == (2, 2, False)


def test_a_task_that_ends_before_the_kill_is_no_demo(
    cli: Cli, shipped: Callable[[str], None]
) -> None:
    shipped(NO_CALL_SCRIPT)
    result = cli("demo", "crash")
    assert (result.exit_code, result.stdout) == (1, "That was all.\n")
    assert result.stderr.splitlines()[-1].startswith("error: the task ended before the server was")


def test_a_real_model_that_says_too_little_is_asked_once_more(
    cli: Cli, play: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["No.", TALE, TALE]  # one per start of the server
    real = demo_crash.demo_server

    def playing(folder: Path, settings: Mapping[str, str]) -> AbstractAsyncContextManager[Any]:
        play(f'[{{steps: [{{text: "{texts.pop(0)}", chunks: words, delay_s: 0.005}}]}}]')
        return real(folder, settings)

    monkeypatch.setattr(demo_crash, "demo_server", playing)
    result = cli("demo", "crash", "--model", "scripted/any")
    assert (result.exit_code, texts) == (0, []), result.stderr
    first, _, whole, last = result.stdout.splitlines()
    assert (first, whole.strip()) == ("No.", TALE.strip())
    assert last.startswith("events lost 0, duplicated 0,")
    assert result.stderr.count("once more") == 1


def test_a_real_model_that_says_too_little_twice_is_no_demo(
    cli: Cli, play: Callable[[str], None]
) -> None:
    play('- {text: "No.", repeat: true}')
    result = cli("demo", "crash", "--model", "scripted/any")
    assert (result.exit_code, result.stdout) == (1, "No.\nNo.\n")
    assert result.stderr.count("once more") == 1
    assert result.stderr.splitlines()[-1].startswith("error: the task ended before the server was")


def test_a_reader_that_goes_away_ends_the_demo_without_a_word(start: Start, scratch: Path) -> None:
    process = start("demo", "crash")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.wait(END_S) == 130
    said = process.stderr.read()
    assert all(line.startswith("-- ") for line in said.splitlines()), said
    assert list(scratch.iterdir()) == []


def test_the_files_stay_if_asked_for(
    cli: Cli, shipped: Callable[[str], None], scratch: Path
) -> None:
    shipped(NO_CALL_SCRIPT)
    result = cli("demo", "crash", "--keep")
    (folder,) = scratch.iterdir()
    assert str(folder) in result.stderr
    assert {"agentlin.db", "server.log"} <= {path.name for path in folder.iterdir()}


def test_a_server_that_does_not_come_up_is_quoted(cli: Cli) -> None:
    result = cli("demo", "crash", "--model", "nobody/m")
    assert result.exit_code == 3
    assert "did not come up" in result.stderr
    assert "nobody" in result.stderr


@pytest.mark.parametrize(
    "args", [("--prompt", "Hi"), ("--model", "scripted/echo", "--during", "tool")]
)
def test_what_does_not_go_together_is_wrong_usage(args: tuple[str, ...], cli: Cli) -> None:
    assert cli("demo", "crash", *args).exit_code == 2


def test_ctrl_c_ends_the_server_too_and_removes_the_files(start: Start, scratch: Path) -> None:
    process = start("demo", "crash")
    assert process.stdout is not None
    assert process.stdout.read(1) == "I"
    children = psutil.Process(process.pid).children(recursive=True)
    assert children
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=END_S)
    assert process.returncode == 130
    assert not [child for child in children if child.is_running()]
    assert list(scratch.iterdir()) == []


def _frame(seq: int, event: dict[str, Any]) -> Frame:
    data = json.dumps({"result": event | {"task_id": "t", "sequence_number": seq}}).encode()
    return Frame(b"id: %d-1\ndata: %s" % (seq, data), f"{seq}-1", seq, data)


def _log() -> list[Frame]:
    """Return a whole log: a task that does nothing but call the tool, without a result."""
    at = {"timestamp": "2025-01-01T00:00:00Z"}
    call: dict[str, Any] = {"type": "tool_call", "id": "tc", "call_id": "c", "name": "w"}
    added = call | {"arguments": "", "status": "in_progress"}
    done = call | {"arguments": "{}", "status": "completed"}
    arguments = {"item_id": "tc", "call_id": "c", "agent_step": 1}
    events: list[dict[str, Any]] = [
        {"type": "task.created", **at, "task": {"id": "t", "status": "created"}},
        {"type": "task.working", **at},
        {"type": "task.tools_updated", "tools": []},
        {"type": "task.output_item.added", "agent_step": 1, "item": added},
        {"type": "task.tool_call_arguments.delta", **arguments, "delta": "{}"},
        {"type": "task.tool_call_arguments.done", **arguments, "arguments": "{}"},
        {"type": "task.output_item.done", "agent_step": 1, "item": done},
    ]
    fold = TaskFold()
    for seq, event in enumerate(events):
        fold.apply(event | {"task_id": "t", "sequence_number": seq})
    end = {"type": "task.completed", **at}
    fold.apply(end | {"task_id": "t", "sequence_number": len(events)})
    events.append(end | {"task": fold.snapshot()})
    return [_frame(seq, event) for seq, event in enumerate(events)]


def _proof(shown: list[Frame], log: list[Frame], *, begun: int = 1) -> Proof:
    ledger = [Entry("w", "t:c", "x", begun=begun, ended=1), Entry("other", "t:d", "x", 5, 5)]
    return prove(shown=shown, log=log, ledger=ledger, tool="w", tool_calls_expected=1)


def test_the_proof_holds_if_what_was_shown_is_the_log() -> None:
    proof = _proof(_log(), _log())
    assert proof.fault is None
    assert proof.holds
    assert proof.line() == "events lost 0, duplicated 0, side effects 1 of 1"


def test_the_proof_counts_what_was_lost_shown_twice_or_altered() -> None:
    log = _log()
    lost = _proof([*log[:4], *log[5:]], log)
    assert (lost.lost, lost.duplicated, lost.altered, lost.holds) == (1, 0, 0, False)
    twice = _proof([*log[:4], log[3], *log[4:]], log)
    assert (twice.lost, twice.duplicated, twice.altered, twice.holds) == (0, 1, 0, False)
    other = Frame(log[4].raw + b" ", log[4].id, 4, log[4].data)
    altered = _proof([*log[:4], other, *log[5:]], log)
    assert (altered.lost, altered.duplicated, altered.altered, altered.holds) == (0, 0, 1, False)
    assert "altered 1" in altered.line()


def test_the_proof_does_not_hold_if_the_tool_ran_twice_or_never() -> None:
    assert not _proof(_log(), _log(), begun=2).holds
    assert _proof(_log(), _log(), begun=2).line().endswith("side effects 2 of 1")
    assert not _proof(_log(), _log(), begun=0).holds


def test_the_proof_does_not_hold_if_the_stream_broke_off() -> None:
    log = _log()
    assert _proof(log[:-1], log[:-1]).fault == "the stream broke off"


def test_the_proof_does_not_hold_if_the_events_do_not_add_up_to_the_task() -> None:
    log = _log()
    end = json.loads(log[-1].data)["result"]
    end["task"]["output"] = []
    wrong = [*log[:-1], _frame(len(log) - 1, end)]
    assert _proof(wrong, wrong).fault == "the events do not add up to the task"


@pytest.mark.anyio
async def test_the_wire_keeps_whole_frames_however_they_are_cut() -> None:
    stream = b': ping\nid: 0-1\ndata: {"a": 1}\n\nid: 1-1\n: ping\ndata: {}\n\nid: 2-1\ndata'

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(stream), 7):
            yield stream[start : start + 7]

    def answer(_: httpx.Request) -> httpx.Response:
        headers = {"Content-Type": "text/event-stream; charset=utf-8"}
        return httpx.Response(200, headers=headers, content=pieces())

    wire = Wire(httpx.MockTransport(answer))
    async with httpx.AsyncClient(transport=wire) as client:
        assert (await client.get("http://127.0.0.1/")).content == stream
    assert wire.frames == [
        Frame(b'id: 0-1\ndata: {"a": 1}', "0-1", 0, b'{"a": 1}'),
        Frame(b"id: 1-1\ndata: {}", "1-1", 1, b"{}"),
    ]


def test_the_kill_comes_in_the_middle_of_the_shipped_text(tmp_path: Path) -> None:
    plan = demo_plan.plan_for_script(tmp_path, during_tool=False)
    (told,) = load_script(tmp_path / "script.yaml")[-1].steps
    assert isinstance(told, Text)
    first, half = told.text[: len(told.text) // 2], told.text[len(told.text) // 2]
    assert not plan.kill_point(_delta(told.text, step=1))
    assert not plan.kill_point(_delta(first[:-1], step=2))
    assert plan.kill_point(_delta(half, step=2))


def test_what_a_repeated_call_says_again_is_dimmed(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setattr(out, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    screen = Screen(is_quiet=False)
    for number, deltas in (("1", ["One ", "two "]), ("2", ["One ", "two ", "three"])):
        item: dict[str, Any] = {"type": "message", "role": "assistant", "id": number}
        item |= {"message_content": [], "status": "in_progress"}
        if number == "2":
            item |= {"attempt": 2, "supersedes": "1"}
        screen.show(_event("task.output_item.added", item=item))
        for delta in deltas:
            screen.show(_event("task.text.delta", item_id=number, content_index=0, delta=delta))
    assert out.getvalue() == "One two \n\x1b[2mOne \x1b[0m\x1b[2mtwo \x1b[0mthree"


def _delta(text: str, *, step: int) -> Any:
    return _event("task.text.delta", item_id="m", content_index=0, delta=text, agent_step=step)


def _event(kind: str, **fields: Any) -> Any:
    base = {"type": kind, "task_id": "t", "sequence_number": 0, "agent_step": 1}
    return TypeAdapter(AgentTaskEvent).validate_python(base | fields)
