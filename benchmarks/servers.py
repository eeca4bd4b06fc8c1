"""The servers that are compared: how each is started, and what its wire looks like.

Everything the benchmark assumes about our own server stands in `launch_ours` and `OURS`.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks.mock_provider import MARK
from benchmarks.processes import Cores, Processes, free_port

PROMPT = "Say something."


@dataclass(frozen=True, slots=True)
class Launch:
    """A command line, and what its environment has besides ours."""

    argv: Sequence[str]
    env: dict[str, str]


class BodyOf(Protocol):
    """Makes the JSON body of a request."""

    def __call__(self, model: str, *, stream: bool) -> str:
        """Return the body that asks the mock model `model`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """How one kind of server is asked, and how its answer is told to be whole.

    Attributes:
        path: Path of the POST.
        body: Makes the JSON body.
        delta_mark: What the frame of a delta holds once, and nothing else does.
        ending: What a whole stream holds besides; empty for nothing.
    """

    path: str
    body: BodyOf
    delta_mark: str
    ending: str = ""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is up."""

    name: str
    port: int
    pid: int
    wire: Wire


def _chat_body(model: str, *, stream: bool) -> str:
    message = {"role": "user", "content": PROMPT}
    options = {"stream": stream, "stream_options": {"include_usage": True}}
    return json.dumps({"model": model, "messages": [message], **options})


def _task_body(model: str, *, stream: bool) -> str:
    agent = {"model": f"openai/{model}"}
    return json.dumps({"stream": stream, "user_message_content": PROMPT, "agent_config": agent})


CHAT = Wire(path="/v1/chat/completions", body=_chat_body, delta_mark=MARK)
OURS = Wire(
    path="/v1/tasks",
    body=_task_body,
    delta_mark="event: task.text.delta\n",
    ending="event: task.completed\n",
)


def launch_ours(*, port: int, provider_url: str, folder: Path) -> Launch:
    """Return the command that starts our server on a new database in `folder`."""
    argv = [sys.executable, "-m", "agentlin_server.cli", "serve", "--host", "127.0.0.1"]
    argv += ["--port", str(port), "--db", str(folder / "ours.db"), "--model", "openai/mock-5-0"]
    return Launch(
        argv, {"OPENAI_BASE_URL": f"{provider_url}/v1", "OPENAI_API_KEY": "benchmark-no-secret"}
    )


def _launch_uvicorn(app: str, *, port: int, provider_url: str, folder: Path) -> Launch:
    argv = [sys.executable, "-m", "uvicorn", app, "--host", "127.0.0.1", "--port", str(port)]
    argv += ["--loop", "auto", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    env = {"MOCK_PROVIDER_URL": provider_url, "FLOOR_DATABASE": str(folder / "floor.db")}
    return Launch(argv, env)


def launch_relay(*, port: int, provider_url: str, folder: Path) -> Launch:
    """Return the command that starts the bare relay."""
    app = "benchmarks.relay_app:app"
    return _launch_uvicorn(app, port=port, provider_url=provider_url, folder=folder)


def launch_floor(*, port: int, provider_url: str, folder: Path) -> Launch:
    """Return the command that starts the durable floor."""
    app = "benchmarks.floor_app:app"
    return _launch_uvicorn(app, port=port, provider_url=provider_url, folder=folder)


KINDS = {
    "relay": (launch_relay, CHAT),
    "floor": (launch_floor, CHAT),
    "ours": (launch_ours, OURS),
}
"""Every server that can be compared, in the order of the table's columns."""


def start_provider(processes: Processes, *, cores: Cores, burst_tokens: int) -> Server:
    """Start the mock provider; it takes the same requests as the relay.

    Raises:
        BenchmarkError: it does not come up.
    """
    port = free_port()
    argv = [sys.executable, "-m", "benchmarks.mock_provider", str(port), str(burst_tokens)]
    pid = processes.start("provider", argv, port=port, core=cores.load, env={})
    return Server("provider", port, pid, CHAT)


def start_server(
    processes: Processes, name: str, *, cores: Cores, provider: Server, folder: Path
) -> Server:
    """Start the server `name` of `KINDS` in front of `provider`, and wait until it is up.

    Raises:
        BenchmarkError: it does not come up.
    """
    launch_kind, wire = KINDS[name]
    port = free_port()
    launch = launch_kind(port=port, provider_url=f"http://127.0.0.1:{provider.port}", folder=folder)
    pid = processes.start(name, launch.argv, port=port, core=cores.server, env=launch.env)
    return Server(name, port, pid, wire)
