"""Commands about tasks that rest: pause, resume, answer, follow."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from agentlin_client.types import TaskObject
from agentlin_server.cli.resting import explain
from agentlin_server.store.lock import DatabaseLock
from tests.cli.conftest import Cli, Start

SCRIPT = """\
- match: weather
  results: 0
  repeat: true
  steps:
    - {text: "Let me ask.", chunks: words}
    - {tool_call: {name: get_weather, call_id: c1, arguments: {city: Oslo}}}
    - {tool_call: {name: get_weather, call_id: c2, arguments: {city: Rome}}}
- {match: weather, results: 2, repeat: true, text: "It rains."}
- {match: one, results: 0, steps: [{tool_call: {name: get_weather, call_id: c1}}]}
- {match: one, results: 1, text: "It snows."}
- {match: later, text: "At last."}
"""
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
END_S = 30

Create = Callable[..., str]


@pytest.fixture
def create(start: Start, db: Path, play: Callable[[str], None]) -> Create:
    """Create a task on a server of its own process, which the commands find by the database."""
    play(SCRIPT)
    process = start("serve", "--port", "0", "--model", "scripted/any")
    assert process.stdout is not None
    process.stdout.readline()
    address = DatabaseLock(db).server_address()

    def post(text: str, **params: Any) -> str:
        body = {"user_message_content": text, "client_tools": [TOOL], **params}
        answer = httpx.post(f"{address}/v1/tasks", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()["result"]["id"]

    return post


def _status(cli: Cli, task_id: str) -> str:
    return json.loads(cli("tasks", "show", task_id, "--json").stdout)["status"]


def test_what_a_task_waits_for_is_shown(create: Create, cli: Cli) -> None:
    shown = cli("tasks", "show", create("weather"))
    assert "status   input-required" in shown.stdout
    assert 'pending  c1  get_weather {"city":"Oslo"}\n         c2  get_weather' in shown.stdout


def test_calls_are_answered_one_by_one_and_the_task_goes_on(create: Create, cli: Cli) -> None:
    task_id = create("weather")
    first = cli("tasks", "answer", task_id, "--call", "c2", "--text", "sunny")
    assert (first.exit_code, first.stdout) == (5, "")
    assert f"agentlin tasks answer {task_id} --call c1 --text '...'" in first.stderr
    assert "--call c2" not in first.stderr
    second = cli("tasks", "answer", task_id, "--text", "rainy")
    assert (second.exit_code, second.stdout) == (0, "It rains.\n")
    assert "completed · task_" in second.stderr


def test_the_same_answer_again_shows_the_same(create: Create, cli: Cli) -> None:
    answer = ("tasks", "answer", create("one"), "--call", "c1", "--text", "snow")
    first, second = cli(*answer), cli(*answer)
    assert first.exit_code == second.exit_code == 0
    assert first.stdout == second.stdout == "It snows.\n"
    other = cli(*answer[:-1], "sun")
    assert (other.exit_code, other.stdout) == (1, "")
    assert "-32012" in other.stderr
    without_call = cli("tasks", "answer", answer[2], "--text", "sun")
    assert (without_call.exit_code, without_call.stdout) == (2, "")
    assert "waits for no answer: it is completed" in without_call.stderr
    assert "by --call" in without_call.stderr


def test_answers_may_come_from_a_file(create: Create, cli: Cli, tmp_path: Path) -> None:
    results = [
        {"type": "tool_result", "call_id": one, "message_content": "dry", "block_list": []}
        for one in ("c1", "c2")
    ]
    path = tmp_path / "results.json"
    path.write_text(json.dumps(results))
    for source, text in ((str(path), None), ("-", path.read_text())):
        task_id = create("weather")
        answered = cli("tasks", "answer", task_id, "--from", source, "--json", input_text=text)
        assert (answered.exit_code, answered.stderr) == (0, "")
        events = [json.loads(line) for line in answered.stdout.splitlines()]
        assert events[0]["item"]["call_id"] == "c1"
        assert events[-1]["type"] == "task.completed"


def test_an_answer_that_is_unclear_is_wrong_usage(create: Create, cli: Cli) -> None:
    task_id = create("weather")
    for options, said in (
        (("--text", "a"), "c1, c2"),
        (("--call", "c9", "--text", "a"), "call_id"),
    ):
        result = cli("tasks", "answer", task_id, *options)
        assert (result.exit_code, result.stdout) == (2, "")
        assert said in result.stderr
    assert _status(cli, task_id) == "input-required"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "--text"),
        (("--text", "a", "--from", "b"), "--text"),
        (("--from", "b", "--call", "c1"), "--call"),
        (("--from", "no-such-file.json"), "there is no file no-such-file.json"),
        (("--from", "."), "can't read ."),
        (("--text", "a", "--server", "http://127.0.0.1:9", "--db", "a.db"), "exclude"),
    ],
    ids=str,
)
def test_options_that_do_not_fit_together_are_wrong_usage(
    cli: Cli, options: tuple[str, ...], said: str
) -> None:
    result = cli("tasks", "answer", "task_1", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


@pytest.mark.parametrize("content", ["{", "{}", '"a"'])
def test_a_file_that_holds_no_list_is_wrong_usage(cli: Cli, tmp_path: Path, content: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(content)
    result = cli("tasks", "answer", "task_1", "--from", str(path))
    assert (result.exit_code, result.stdout) == (2, "")
    assert str(path) in result.stderr


def test_follow_stays_while_the_task_rests(create: Create, cli: Cli, start: Start) -> None:
    task_id = create("weather")
    process = start("tasks", "follow", task_id)
    assert process.stderr is not None
    said = ""
    while "--call c2" not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    assert process.poll() is None
    assert "the task waits for an answer to each of these calls:" in said
    cli("tasks", "answer", task_id, "--call", "c1", "--text", "wet")
    cli("tasks", "answer", task_id, "--call", "c2", "--text", "wet")
    out, _ = process.communicate(timeout=END_S)
    assert process.returncode == 0
    assert out == "Let me ask.\n\nIt rains.\n"


def test_a_task_is_paused_resumed_and_followed_to_its_end(create: Create, cli: Cli) -> None:
    first = create("one", session_id="s")
    later = {"task_id": "later", "session_id": "s", "on_busy": "enqueue"}
    create("later", background=True, **later)
    paused = cli("tasks", "pause", "later")
    assert (paused.exit_code, paused.stdout) == (0, "pausing later\n")
    assert "pause    asked for" in cli("tasks", "show", "later").stdout
    assert cli("tasks", "answer", first, "--text", "snow").exit_code == 0
    create("later", **later)  # the same create again waits until the task rests
    assert _status(cli, "later") == "paused"
    assert cli("tasks", "pause", "later").stdout == "paused later\n"

    resumed = cli("tasks", "resume", "later")
    assert resumed.exit_code == 0
    assert resumed.stdout.endswith(" later\n")
    assert "agentlin tasks follow later\n" in resumed.stderr
    followed = cli("tasks", "follow", "later")
    assert (followed.exit_code, followed.stdout) == (0, "At last.\n")
    assert " tokens" in followed.stderr
    assert "tokens/s" not in followed.stderr  # when it was replayed says nothing
    assert "first token" not in followed.stderr
    assert "agentlin tasks resume later" in followed.stderr  # it was paused once
    assert cli("tasks", "pause", "later").exit_code == 1


@pytest.mark.parametrize(
    "command", [("pause",), ("resume",), ("follow",), ("answer", "--text", "a")], ids=str
)
def test_a_task_that_is_not_there_ends_with_4(cli: Cli, command: tuple[str, ...]) -> None:
    result = cli("tasks", command[0], "task_none", *command[1:])
    assert (result.exit_code, result.stdout) == (4, "")
    assert "task_none" in result.stderr


def test_a_reader_that_goes_away_leaves_the_task_alone(
    create: Create, cli: Cli, start: Start
) -> None:
    task_id = create("weather")
    process: subprocess.Popen[str] = start("tasks", "follow", task_id, "--json")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    cli("tasks", "answer", task_id, "--call", "c1", "--text", "wet")
    assert process.wait(END_S) == 130
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert _status(cli, task_id) == "input-required"


def test_a_run_that_comes_to_rest_says_how_it_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    call = {"type": "tool_call", "call_id": "c 1", "name": "ask", "arguments": '{"q":\n1}'}
    fields = {
        "id": "task_1",
        "object": "task",
        "created_at": 0,
        "session_id": "s",
        "user_id": "u",
        "output": [call, call | {"call_id": "c2"}],
        "input_required_call_ids": ["c 1"],
    }
    explain(TaskObject.model_validate(fields | {"status": "input-required"}), options=" --db a.db")
    said = capsys.readouterr().err
    assert 'c 1  ask {"q": 1}\n' in said
    assert "agentlin tasks answer task_1 --call 'c 1' --text '...' --db a.db\n" in said
    assert "c2" not in said
    paused = fields | {"status": "paused", "input_required_call_ids": []}
    explain(TaskObject.model_validate(paused), options="")
    assert "agentlin tasks resume task_1\n" in capsys.readouterr().err
