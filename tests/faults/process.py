"""Server processes that are cheap to start: forked from one that has everything imported."""

import atexit
import multiprocessing
import os
import re
import shutil
import signal
import tempfile
from collections.abc import Mapping
from contextlib import closing, suppress
from functools import cache
from multiprocessing.connection import wait as wait_for
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Lock
from typing import Final

from agentlin_server.store.sqlite.connection import open_writer
from agentlin_server.store.sqlite.schema import ensure_schema
from tests.faults.server import Faults, Levers, run

START_S: Final = 30
STOP_S: Final = 30
_CHILDREN: Final = Lock()
"""Held to start or to bury a process: multiprocessing buries others' whenever it starts one."""
_ADDRESS: Final = re.compile(r"listens on (http://\S+) ")


class NoServerError(Exception):
    """The process ended before it listened; the message is what it said."""


@cache
def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.faults.zygote"])
    return context


class FaultyServer:
    """A server on a database of its own, on a free port; started, killed and started again.

    Args:
        folder: Where its files are.
        settings: Settings of agentlin, by their names without prefix.

    Attributes:
        address: Where it listens now, or listened last.
        levers: Faults to be switched while it runs.
    """

    def __init__(self, folder: Path, settings: Mapping[str, object] | None = None) -> None:
        self.folder = folder
        self.db = folder / "agentlin.db"
        self.survivors = folder / "survivors"
        self.stderr = folder / "stderr.txt"
        self.address = ""
        self.levers = Levers.make(_context())
        own = {"DB": self.db, "PORT": 0, "MODEL": "scripted/m", "LOG_LEVEL": "warning"}
        given = {name.upper(): value for name, value in (settings or {}).items()}
        self._settings = {f"AGENTLIN_{k}": str(v) for k, v in (own | given).items()}
        self._process: BaseProcess | None = None

    def start(self, faults: Faults | None = None) -> None:
        """Start it; return when it listens.

        Raises:
            NoServerError: it ended, or was killed, before that.
        """
        if not self.db.exists():
            shutil.copyfile(_template(), self.db)
        reading, writing = multiprocessing.Pipe(duplex=False)
        with reading:
            arguments = (self._settings, faults or Faults(), self.levers, writing, self.stderr)
            self._process = _context().Process(target=run, args=arguments, daemon=True)
            with _CHILDREN:
                self._process.start()
            writing.close()  # the process has its own: when it ends, so does the pipe
            said = os.read(reading.fileno(), 4096).decode() if reading.poll(START_S) else ""
        found = _ADDRESS.search(said)
        if found is None:
            self.kill()
            raise NoServerError(self.said())
        self.address = found[1]

    @property
    def sentinel(self) -> int:
        """A file descriptor that can be read once the process has ended."""
        assert self._process is not None
        return self._process.sentinel

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, if it still runs."""
        if self._process is not None and self._process.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    def kill(self) -> None:
        """End it at once, as a crash would; return when it is dead."""
        if self._process is not None:
            self.signal(signal.SIGKILL)
            self.wait_dead()

    def wait_dead(self, timeout_s: float = STOP_S) -> int:
        """Wait for its end, however it comes; return its exit status, or minus the signal.

        Raises:
            TimeoutError: it still runs.
        """
        assert self._process is not None
        if not wait_for([self._process.sentinel], timeout_s):
            raise TimeoutError(f"the server still runs after {timeout_s} s")
        with _CHILDREN:
            self._process.join()
            status = self._process.exitcode
        assert status is not None
        return status

    def said(self) -> str:
        """Return all that its processes have written on standard error."""
        return self.stderr.read_text("utf-8") if self.stderr.exists() else ""


@cache
def _template() -> Path:
    """Return an empty database with the schema: to make one takes a second."""
    folder = tempfile.mkdtemp(prefix="agentlin-faults-template-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = Path(folder) / "template.db"
    with closing(open_writer(path)) as db:
        ensure_schema(db, path)
    return path
