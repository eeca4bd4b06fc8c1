import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agentlin_client.types.fold import TaskFold
from agentlin_client.types.order import OrderValidator
from agentlin_server.store.lock import DatabaseLock
from tests.cli.conftest import FAILING_SCRIPT, SLOW_SCRIPT, THINKING_SCRIPT, Cli, Start

Play = Callable[[str], None]
ECHO = ("--model", "scripted/echo")
SCRIPT = ("--model", "scripted/any")
END_S = 30


def test_the_answer_is_all_there_is_on_stdout(start: Start) -> None:
    out, err = start("run", *ECHO, "Hello there").communicate(timeout=END_S)
    assert out == "Hello there\n"
    assert err.startswith("completed · task_")
    assert "\x1b" not in out + err


def test_reasoning_goes_to_stderr(cli: Cli, play: Play) -> None:
    play(THINKING_SCRIPT)
    result = cli("run", *SCRIPT, "weather?")
    assert result.exit_code == 0
    assert result.stdout == "It rains.\n"
    assert result.stderr.startswith("Let me see.\n\ncompleted · task_")
    assert "12 + 7 tokens" in result.stderr


def test_json_is_the_whole_stream_and_nothing_else(cli: Cli) -> None:
    result = cli("run", *ECHO, "--json", "Hello there")
    assert result.exit_code == 0
    assert result.stderr == ""
    events = [json.loads(line) for line in result.stdout.splitlines()]
    order, fold = OrderValidator(), TaskFold()
    for event in events:
        order.check(event)
        fold.apply(event)
    assert fold.snapshot()["output"][0]["message_content"][0]["text"] == "Hello there"
    assert next(iter(events[0])) == "type"


def test_a_dash_reads_standard_input(cli: Cli) -> None:
    assert cli("run", *ECHO, "-", input_text="from a pipe").stdout == "from a pipe\n"


@pytest.mark.parametrize("prompt", ["", "  \n"])
def test_an_empty_prompt_is_wrong_usage(prompt: str, cli: Cli) -> None:
    result = cli("run", *ECHO, prompt)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "the prompt is empty" in result.stderr


def test_a_task_that_fails_ends_with_1_and_says_why(cli: Cli, play: Play) -> None:
    play(FAILING_SCRIPT)
    result = cli("run", *SCRIPT, "weather?")
    assert (result.exit_code, result.stdout) == (1, "It \n")
    assert "failed: the key is wrong (code -32000)" in result.stderr


def test_a_setting_that_is_misspelt_ends_with_2(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTLIN_PROT", "1")
    result = cli("run", *ECHO, "hi")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "AGENTLIN_PROT" in result.stderr


def test_what_the_server_refuses_ends_with_2(cli: Cli) -> None:
    result = cli("run", *ECHO, "--session", "no good id", "hi")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "session_id" in result.stderr


def test_server_and_database_exclude_each_other(cli: Cli) -> None:
    result = cli("run", *ECHO, "--server", "http://127.0.0.1:9", "--db", "x.db", "hi")
    assert result.exit_code == 2


def test_a_server_that_is_not_there_ends_with_3(cli: Cli) -> None:
    result = cli("run", *ECHO, "--server", "http://127.0.0.1:9/v1", "hi")
    assert (result.exit_code, result.stdout) == (3, "")


def test_a_folder_that_cannot_be_made_ends_with_3(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = cli("run", *ECHO, "--db", str(tmp_path / "file" / "tasks.db"), "hi")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "Traceback" not in result.stderr


def test_a_session_goes_on(cli: Cli, play: Play) -> None:
    play("- {match: first, text: one}\n- {match: second, text: two}\n")
    cli("run", *SCRIPT, "--session", "s1", "first")
    cli("run", *SCRIPT, "--session", "s1", "second")
    listed = cli("tasks", "list", "--json").stdout.splitlines()
    second, first = (json.loads(line) for line in listed)
    assert second["previous_task_id"] == first["id"]


def test_the_options_reach_the_model(cli: Cli, tmp_path: Path) -> None:
    result = cli(
        "run", *ECHO, "--max-tokens", "3", "--temperature", "0", "--system", "Be brief.", "a b c d"
    )
    assert result.exit_code == 0


@pytest.mark.usefixtures("server")
def test_the_server_that_runs_on_the_database_is_used(start: Start, db: Path) -> None:
    address = DatabaseLock(db).server_address()
    out, _ = start("run", "--json", "hi").communicate(timeout=END_S)
    assert json.loads(out.splitlines()[0])["type"] == "task.created"
    assert DatabaseLock(db).server_address() == address
    # By its address it is the same one.
    listing = start("tasks", "list", "--server", str(address), "--json")
    assert len(listing.communicate(timeout=END_S)[0].splitlines()) == 1


def test_ctrl_c_cancels_the_task(start: Start, play: Play, cli: Cli) -> None:
    play(SLOW_SCRIPT)
    process = start("run", *SCRIPT, "count")
    _wait_for("three", process)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=END_S)
    assert process.returncode == 130
    assert "canceling the task" in err
    assert "canceled · task_" in err
    assert "Traceback" not in err
    (task,) = (json.loads(line) for line in cli("tasks", "list", "--json").stdout.splitlines())
    assert task["status"] == "canceled"


def test_a_reader_that_goes_away_cancels_the_task(start: Start, play: Play, cli: Cli) -> None:
    play("- {text: 'one two three four five six', chunks: words, delay_s: 0.2}\n")
    process = start("run", *SCRIPT, "count")
    _wait_for("one", process)
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(END_S) == 130
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    (task,) = (json.loads(line) for line in cli("tasks", "list", "--json").stdout.splitlines())
    assert task["status"] == "canceled"


@pytest.mark.local_model
def test_the_embedded_model_answers_and_the_note_says_that_it_is_small(
    monkeypatch: pytest.MonkeyPatch, start: Start, tmp_path: Path
) -> None:
    folder = os.environ.get("AGENTLIN_TEST_MODELS") or _users_models_folder()
    monkeypatch.setenv("AGENTLIN_MODELS_DIR", folder)
    process = start("run", "--temperature", "0", "--max-tokens", "16", "Say hello.")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert out.strip()
    assert "completed · task_" in err
    assert "SmolLM2" in err


def _users_models_folder() -> str:
    """Return where the weights are that all tests share, from a process with the user's home."""
    code = "from agentlin_server.models.local import default_cache_dir; print(default_cache_dir())"
    env = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    env["HOME"] = os.path.expanduser(f"~{os.environ.get('USER', '')}")  # noqa: PTH111
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def _wait_for(word: str, process: "subprocess.Popen[str]") -> None:
    """Read standard output up to a word; pytest's own time-out bounds the wait."""
    assert process.stdout is not None
    seen = ""
    while word not in seen:
        char = process.stdout.read(1)
        assert char, f"ended after {seen!r}"
        seen += char
