"""A command line that touches nothing of the user's: no environment, no home, no log handlers."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

SLOW_SCRIPT = """\
- repeat: true
  steps:
    - {reasoning: "Let me count.", chunks: words}
    - {text: "one two three", chunks: words}
    - {delay_s: 600}
"""
THINKING_SCRIPT = """\
- repeat: true
  steps:
    - {reasoning: "Let me see.", chunks: words}
    - {text: "It rains.", chunks: words}
    - {usage: {input_tokens: 12, output_tokens: 7}}
"""
FAILING_SCRIPT = """\
- repeat: true
  steps:
    - {text: "It ", chunks: words}
    - {error: {kind: authentication, message: "the key is wrong"}}
"""

Cli = Callable[..., Result]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Redirect every folder of the user's, and forget every setting."""
    for name in os.environ:
        if name.startswith(("AGENTLIN_", "OPENAI_", "CLIENT_")):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "LOCALAPPDATA", "USERPROFILE"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setenv("AGENTLIN_OLLAMA_BASE_URL", "http://127.0.0.1:9/v1")  # nobody listens
    return home


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """Put the log handlers back that a command replaced."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def cli(db: Path) -> Cli:
    """Run a command in this process."""

    def invoke(*args: str, input_text: str | None = None) -> Result:
        from agentlin_server.cli import app

        return CliRunner().invoke(app, list(args), input=input_text, catch_exceptions=False)

    return invoke


@pytest.fixture
def db(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The database of all commands of the test."""
    path = tmp_path / "tasks.db"
    monkeypatch.setenv("AGENTLIN_DB", str(path))
    return path


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let the provider `scripted` play a script."""

    def set_script(text: str) -> None:
        path = tmp_path / "script.yaml"
        path.write_text(text)
        monkeypatch.setenv("AGENTLIN_SCRIPT", str(path))

    return set_script


@pytest.fixture
def start(db: Path) -> Iterator[Start]:
    """Start a command in a process of its own; it is killed at the end of the test."""
    started: list[subprocess.Popen[str]] = []

    def popen(*args: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "agentlin_server.cli", *args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield popen
    for process in started:
        with process:
            process.kill()


@pytest.fixture
def server(start: Start) -> "subprocess.Popen[str]":
    """A server on the test's database that answers."""
    process = start("serve", "--port", "0", "--model", "scripted/echo")
    assert process.stdout is not None
    assert "agentlin listens on http://127.0.0.1:" in process.stdout.readline()
    return process
