import subprocess
import sys

import pytest

from agentlin_server.cli.exits import EXIT_CODES
from tests.cli.conftest import Cli


def test_help_names_every_command_and_the_exit_codes(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    result = cli("--help")
    assert result.exit_code == 0
    for command in ("run", "serve", "tasks", "models", "db", "doctor"):
        assert f"{command} " in result.stdout
    assert EXIT_CODES in result.stdout


@pytest.mark.parametrize(
    "command",
    [
        *("run", "serve", "doctor", "tasks list", "tasks show", "models pull", "models list"),
        *("db size", "db sweep", "db backup", "db migrate"),
    ],
)
def test_every_command_has_help(command: str, cli: Cli) -> None:
    result = cli(*command.split(), "--help")
    assert result.exit_code == 0
    assert f"agentlin {command}" in result.stdout.replace("Usage: root", "agentlin")


def test_the_version_is_printed(cli: Cli) -> None:
    result = cli("--version")
    assert result.exit_code == 0
    assert result.stdout.startswith("agentlin ")


@pytest.mark.parametrize("args", [["nonsense"], ["run"], ["run", "x", "--max-tokens", "0"]])
def test_a_wrong_command_line_ends_with_2(args: list[str], cli: Cli) -> None:
    result = cli(*args)
    assert result.exit_code == 2
    assert result.stdout == ""


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, agentlin_server.cli.commands\n"
        "heavy = {'httpx', 'pydantic', 'anyio', 'starlette', 'uvicorn', 'structlog', 'aiohttp',"
        " 'xllamacpp', 'agentlin_client', 'agentlin_server.app', 'agentlin_server.settings'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("module", "extra"), [("typer", "server"), ("anyio", "server"), ("xllamacpp", "local")]
)
def test_a_missing_extra_is_named_with_the_command_that_installs_it(
    module: str, extra: str
) -> None:
    code = (
        "import sys\n"
        f"sys.modules[{module!r}] = None\n"
        "sys.argv = ['agentlin', 'tasks', 'list', '--db', ':memory:']\n"
        f"if {module!r} == 'xllamacpp':\n"
        "    import agentlin_server.cli.commands as commands\n"
        "    commands.app = lambda **kwargs: __import__('xllamacpp')\n"
        "from agentlin_server.cli import main\n"
        "sys.exit(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 3
    assert done.stdout == ""
    assert f"pip install 'agentlin[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr
