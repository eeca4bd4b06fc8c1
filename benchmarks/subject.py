"""Our server as a patient: started, stopped, killed and started again on one database."""

import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.cpu_clock import cpu_s
from benchmarks.processes import (
    BenchmarkError,
    Cores,
    Processes,
    environment,
    free_port,
    run_to_end,
)
from benchmarks.wire import Link

STOP_TIMEOUT_S: Final = 60.0
COMMAND_TIMEOUT_S: Final = 300.0
_AGENTLIN: Final = (sys.executable, "-m", "agentlin_server.cli")


@dataclass(slots=True, kw_only=True)
class Subject:
    """A database in a folder of its own, and the server that serves it from time to time.

    Attributes:
        name: Of its folder, and of its processes' logs.
        script: What the model `scripted/m` plays, as YAML; it may change between two starts.
        settings: Settings of every start, e.g. `running_max`.
        begun_ns: When the process was last started.
    """

    name: str
    processes: Processes
    cores: Cores
    folder: Path
    provider_port: int = 0
    script: str = "- {repeat: true, text: Done.}"
    settings: Mapping[str, object] = field(default_factory=dict[str, object])
    port: int = 0
    begun_ns: int = 0
    _starts: int = 0
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def db(self) -> Path:
        """The database."""
        return self.folder / self.name / "tasks.db"

    @property
    def pid(self) -> int:
        """Of the server."""
        assert self._process is not None
        return self._process.pid

    @property
    def cpu_s(self) -> float:
        """CPU seconds of the server so far."""
        return cpu_s(self.pid)

    def start(self, **settings: object) -> None:
        """Start the server, and return at once; `wait_ready` waits for it."""
        home = self.db.parent
        home.mkdir(exist_ok=True)
        (home / "script.yaml").write_text(self.script)
        self.port, self._starts = free_port(), self._starts + 1
        given = {
            "db": self.db,
            "port": self.port,
            "model": "scripted/m",
            "script": home / "script.yaml",
            "ledger_dir": home / "ledger",
            "log_level": "warning",
            **self.settings,
            **settings,
        }
        env = {f"AGENTLIN_{name.upper()}": str(value) for name, value in given.items()}
        env |= {
            "OPENAI_BASE_URL": f"http://127.0.0.1:{self.provider_port}/v1",
            "OPENAI_API_KEY": "benchmark-no-secret",
        }
        argv = [*_AGENTLIN, "serve"]
        self.begun_ns = time.perf_counter_ns()
        self._process = self.processes.spawn(
            f"{self.name}-{self._starts}", argv, core=self.cores.server, env=env
        )

    async def wait_ready(self) -> float:
        """Wait until it is ready; return how long that took from its start, in seconds.

        Raises:
            BenchmarkError: it is not, or has ended.
        """
        try:
            link = await Link.open(self.port)
            await link.ask("GET", "/readyz")
        except (TimeoutError, OSError, BenchmarkError) as error:
            tail = self.processes.log_tail(f"{self.name}-{self._starts}")
            raise BenchmarkError(f"{self.name} did not come up: {error}\n{tail}") from error
        link.close()
        return (link.answered_ns - self.begun_ns) / 1e9

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> float:
        """Ask it to stop; return how long that took, in seconds.

        Raises:
            BenchmarkError: it did not stop in good order.
        """
        begun = time.monotonic()
        if code := self._end(signal.SIGTERM):
            tail = self.processes.log_tail(f"{self.name}-{self._starts}")
            raise BenchmarkError(f"{self.name} ended with code {code}\n{tail}")
        return time.monotonic() - begun

    def _end(self, with_signal: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(with_signal)
        try:
            return self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            raise BenchmarkError(f"{self.name} does not stop") from error

    def look(self, sql: str, values: Sequence[object] = ()) -> Sequence[Any]:
        """Return the first row of a query; for what no API tells, such as who holds which task."""
        with closing(sqlite3.connect(f"{self.db.as_uri()}?mode=ro", uri=True, timeout=5)) as db:
            return db.execute(sql, values).fetchone()

    def db_command(self, name: str) -> dict[str, Any]:
        """Run `agentlin db <name>` on the database, and return what it says.

        Raises:
            BenchmarkError: it failed.
        """
        argv = [*_AGENTLIN, "db", name, "--db", str(self.db), "--json"]
        env = environment({})
        core = self.cores.server
        return json.loads(run_to_end(argv, core=core, timeout_s=COMMAND_TIMEOUT_S, env=env))


NewSubject = Callable[[str], Subject]
"""Makes a subject of that name, with a database of its own."""


def task_body(task_id: str, text: str = "Hi", *, model: str | None = None) -> dict[str, Any]:
    """Return the body of a create that is answered at once; `model` is one of the provider's."""
    body: dict[str, Any] = {
        "task_id": task_id,
        "user_message_content": text,
        "stream": False,
        "background": True,
    }
    if model is not None:
        body["agent_config"] = {"model": f"openai/{model}"}
    return body
