import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from agentlin_server.store.lock import DatabaseLock
from tests.cli.conftest import SLOW_SCRIPT, Cli, Start

END_S = 30


def _address(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    words = process.stdout.readline().split()
    assert words[:3] == ["agentlin", "listens", "on"]
    return words[3]


def test_one_line_says_where_with_which_model_and_why(start: Start) -> None:
    process = start("serve", "--port", "0", "--model", "scripted/echo")
    assert process.stdout is not None
    line = process.stdout.readline()
    assert "/docs)" in line
    assert "default model scripted/echo: it was named" in line


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_gracefully(number: signal.Signals, start: Start, db: Path) -> None:
    process = start("serve", "--port", "0", "--model", "scripted/echo")
    address = _address(process)
    assert httpx.get(f"{address}/healthz").status_code == 200
    assert DatabaseLock(db).server_address() == address
    process.send_signal(number)
    out, err = process.communicate(timeout=END_S)
    assert (process.returncode, out, err) == (0, "", "stopped\n")
    assert DatabaseLock(db).server_address() is None


def test_the_second_signal_stops_it_at_once(
    start: Start, play: Callable[[str], None], db: Path
) -> None:
    play(SLOW_SCRIPT)
    server = start("serve", "--port", "0", "--model", "scripted/any")
    address = _address(server)
    with httpx.stream(
        "POST", f"{address}/tasks", json={"stream": True, "user_message_content": "hi"}
    ) as stream:
        lines = stream.iter_lines()
        while "three" not in next(lines):
            pass
        server.send_signal(signal.SIGINT)
        _wait_until_stopping(address)
        began_at = time.monotonic()
        server.send_signal(signal.SIGINT)
        _, err = server.communicate(timeout=END_S)
    assert time.monotonic() - began_at < 8  # the grace is 10 s
    assert server.returncode == 0
    assert "Traceback" not in err


def test_a_port_in_use_is_said_plainly(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = cli("serve", "--port", str(port), "--model", "scripted/echo")
    assert (result.exit_code, result.stdout) == (3, "")
    assert f"127.0.0.1:{port}" in result.stderr
    assert "--port" in result.stderr


@pytest.mark.usefixtures("server")
def test_a_database_in_use_is_said_plainly(cli: Cli, db: Path) -> None:
    result = cli("serve", "--port", "0", "--model", "scripted/echo")
    assert (result.exit_code, result.stdout) == (3, "")
    assert str(DatabaseLock(db).server_address()) in result.stderr
    assert "--db" in result.stderr


@pytest.mark.parametrize(
    "args", [["--log-level", "loud"], ["--host", "0.0.0.0"]], ids=["log level", "foreign host"]
)
def test_a_bad_setting_ends_with_2(args: list[str], cli: Cli) -> None:
    result = cli("serve", "--port", "0", "--model", "scripted/echo", *args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AGENTLIN_OLLAMA_BASE_URL", "nonsense"),
        ("OPENAI_API_KEY", "k\xe9y"),
        ("AGENTLIN_PORT", "many"),
    ],
)
def test_a_bad_variable_ends_with_2(
    variable: str, value: str, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    result = cli("serve", "--model", "scripted/echo")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ")


def test_a_faulty_script_ends_with_2(cli: Cli, play: Callable[[str], None]) -> None:
    play("- {txet: hello}\n")
    result = cli("serve", "--port", "0", "--model", "scripted/any")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "txet" in result.stderr


def _wait_until_stopping(address: str) -> None:
    """Return once the server says that its shutdown has begun."""
    deadline = time.monotonic() + END_S
    while time.monotonic() < deadline:
        if httpx.get(f"{address}/readyz").status_code == httpx.codes.SERVICE_UNAVAILABLE:
            return
    raise AssertionError("the server does not stop")
