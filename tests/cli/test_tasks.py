import json

import pytest

from tests.cli.conftest import Cli, Start

END_S = 60


def _run(cli: Cli, prompt: str) -> str:
    """Run a task and return its id."""
    events = cli("run", "--model", "scripted/echo", "--json", prompt).stdout.splitlines()
    return json.loads(events[0])["task_id"]


def test_a_task_is_listed_shown_and_deleted(cli: Cli) -> None:
    task_id = _run(cli, "Hello\x1b[2J there")

    listed = cli("tasks", "list")
    assert listed.exit_code == 0
    row = listed.stdout.strip().split("\t")
    assert (row[0], row[1], row[3]) == (task_id, "completed", "Hello[2J there")

    shown = cli("tasks", "show", task_id)
    assert shown.exit_code == 0
    assert "status   completed" in shown.stdout
    assert "Hello[2J there" in shown.stdout

    deleted = cli("tasks", "delete", task_id)
    assert (deleted.exit_code, deleted.stdout) == (0, f"deleted {task_id}\n")
    assert cli("tasks", "show", task_id).exit_code == 4


def test_json_is_the_task_object(cli: Cli) -> None:
    task_id = _run(cli, "Hello")
    shown = cli("tasks", "show", task_id, "--json")
    listed = cli("tasks", "list", "--json")
    assert shown.stderr == listed.stderr == ""
    assert json.loads(shown.stdout) == json.loads(listed.stdout)
    assert json.loads(shown.stdout)["object"] == "task"


def test_an_empty_list_says_so_on_stderr(cli: Cli) -> None:
    result = cli("tasks", "list")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no tasks\n")


def test_the_filters_are_handed_on(cli: Cli) -> None:
    _run(cli, "Hello")
    assert cli("tasks", "list", "--status", "failed").stdout == ""
    assert cli("tasks", "list", "--status", "failed", "--status", "completed").stdout
    assert cli("tasks", "list", "--session", "sess_other").stdout == ""
    assert cli("tasks", "list", "--status", "nonsense").exit_code == 2


@pytest.mark.parametrize("command", ["show", "cancel", "delete"])
def test_a_task_that_is_not_there_ends_with_4(command: str, cli: Cli) -> None:
    result = cli("tasks", command, "task_none")
    assert (result.exit_code, result.stdout) == (4, "")
    assert "task_none" in result.stderr


@pytest.mark.parametrize(
    "command",
    ["show", "cancel", "pause", "resume", "follow", "delete", "answer --text a"],
)
@pytest.mark.parametrize("task_id", ["", ".", "..", "a/b", "a b", "x" * 129])
def test_what_can_be_no_id_is_wrong_usage(task_id: str, command: str, cli: Cli) -> None:
    name, *options = command.split()
    result = cli("tasks", name, task_id, *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: TASK_ID: must be 1 to 128 of ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("command", [("tasks", "list"), ("doctor",), ("db", "size")], ids=" ".join)
def test_a_reader_that_has_gone_ends_any_command_without_a_word(
    command: tuple[str, ...], cli: Cli, start: Start
) -> None:
    _run(cli, "Hello")
    process = start(*command)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert (process.wait(END_S), process.stderr.read()) == (130, "")


def test_a_task_that_has_ended_cannot_be_canceled(cli: Cli) -> None:
    result = cli("tasks", "cancel", _run(cli, "Hello"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "completed" in result.stderr
