"""Real server processes: started, watched, killed."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final, Self

import psutil

START_S: Final = 60
STOP_S: Final = 30
_ADDRESS: Final = re.compile(r"listens on (http://\S+) ")


@dataclass(slots=True)
class ServerProcess:
    """A server on a free port, for use in a `with`; killed at its end if it still runs."""

    db: str
    settings: Mapping[str, object] = field(default_factory=dict[str, object])
    address: str = ""
    _process: "subprocess.Popen[str] | None" = None

    def __enter__(self) -> Self:
        own = {"DB": self.db, "PORT": 0, "MODEL": "scripted/m", "LOG_LEVEL": "warning"}
        settings = {f"AGENTLIN_{k.upper()}": str(v) for k, v in (own | {**self.settings}).items()}
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("AGENTLIN_")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "agentlin_server.cli", "serve"],
            env=inherited | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.address = _announced(self._process)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.kill()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def rss_bytes(self) -> int:
        """Memory that the process holds now."""
        return psutil.Process(self.pid).memory_info().rss

    def kill(self) -> None:
        """End it at once, as a crash would; it gets no chance to clean up."""
        assert self._process is not None
        self._process.kill()
        self._process.communicate(timeout=STOP_S)

    def ask_to_stop(self) -> None:
        """Send SIGTERM; see `wait_stopped`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)

    def wait_stopped(self) -> tuple[int, str]:
        """Wait for its end; return exit status and what it said on standard error."""
        assert self._process is not None
        _, said = self._process.communicate(timeout=STOP_S)
        return self._process.returncode, said


def refused(db: str, **settings: object) -> str:
    """Start a server that must not come up; return what it says on standard error."""
    server = ServerProcess(db, settings)
    try:
        with server:
            raise AssertionError("the server came up")
    except NoServerError as exc:
        return str(exc)


class NoServerError(Exception):
    """The process ended without having listened; the message is what it said."""


def _announced(process: "subprocess.Popen[str]") -> str:
    """Wait, but not for ever, for the line that names the address."""
    lines: SimpleQueue[str] = SimpleQueue()
    stdout = process.stdout
    assert stdout is not None
    Thread(target=lambda: lines.put(stdout.readline()), daemon=True).start()
    try:
        line = lines.get(timeout=START_S).strip()
    except Empty:
        line = ""
    found = _ADDRESS.search(line)
    if found is None:
        process.kill()
        raise NoServerError(process.communicate(timeout=STOP_S)[1])
    return found[1]
