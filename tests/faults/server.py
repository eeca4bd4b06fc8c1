"""The server's process: `agentlin serve` as it is, but with faults built in.

It is forked from a process that has everything imported (`process.py`), so that a start takes
a tenth of a second. Its model plays the plan that each task's message holds (`screenplay.py`).
"""

import ctypes
import os
import resource
import signal
import sqlite3
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any, Final, Literal, NoReturn

from agentlin_server.app import providers
from agentlin_server.cli import main as agentlin
from agentlin_server.models.scripted import ScriptedModel
from agentlin_server.store.sqlite import store, writer
from tests.faults.power import Survivors
from tests.faults.screenplay import Screenplay

When = Literal["before", "after"]

_FULL: Final = 2
_SMALL_BYTES: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What goes wrong in a process, fixed at its start.

    Attributes:
        kill_at: Number of the commit at which the process kills itself, from 1; 0 for never.
        kill_when: Before that commit, or after it and before anyone hears of it.
        is_one_by_one: Every write is a commit of its own: so runs have the same commits.
        commits: A file that gets a line for each commit.
        survivors: A folder that gets copies of what a power cut can't take away.
        busy_timeout_ms: How long a write waits for another process's lock; None: as it is.
    """

    kill_at: int = 0
    kill_when: When = "before"
    is_one_by_one: bool = False
    commits: Path | None = None
    survivors: Path | None = None
    busy_timeout_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Levers:
    """Faults that are switched from outside while the process runs: shared memory.

    Attributes:
        clock_s: Added to the wall clock.
        is_disk_full: 1 while the database can't grow.
        kill_in: The process kills itself at this many commits from now; 0 for never.
    """

    clock_s: Any
    is_disk_full: Any
    kill_in: Any

    @classmethod
    def make(cls, context: ForkServerContext) -> "Levers":
        """Return levers at rest."""
        return cls(
            clock_s=context.Value(ctypes.c_double, 0.0, lock=False),
            is_disk_full=context.Value(ctypes.c_int, 0, lock=False),
            kill_in=context.Value(ctypes.c_int, 0, lock=False),
        )


def run(
    settings: Mapping[str, str], faults: Faults, levers: Levers, stdout: Connection, stderr: Path
) -> NoReturn:
    """Be the server; the process ends with it."""
    os.dup2(stdout.fileno(), 1)
    with stderr.open("ab") as file:
        os.dup2(file.fileno(), 2)
    for name in [name for name in os.environ if name.startswith("AGENTLIN_")]:
        del os.environ[name]
    os.environ.update(settings)
    real_time = time.time
    time.time = lambda: real_time() + levers.clock_s.value
    store.__dict__["GroupWriter"] = partial(FaultyWriter, faults=faults, levers=levers)
    providers.__dict__["ScriptedModel"] = lambda _: ScriptedModel(Screenplay())
    sys.argv = ["agentlin", "serve"]
    sys.exit(agentlin())


class FaultyWriter(writer.GroupWriter):
    """The server's writer, which counts its commits, and may not survive the next one."""

    def __init__(
        self, db: sqlite3.Connection, path: Path | str, *, faults: Faults, levers: Levers
    ) -> None:
        self._faults = faults
        self._levers = levers
        self._count = 0
        self._survivors = faults.survivors and Survivors(Path(path), faults.survivors)
        if faults.busy_timeout_ms is not None:
            db.execute(f"PRAGMA busy_timeout = {faults.busy_timeout_ms}")
        if self._survivors:
            self._survivors.note()
        super().__init__(db, path)

    def _next_group(self) -> tuple[list[Any], bool]:
        if not self._faults.is_one_by_one:
            return super()._next_group()
        only = self._queue.get()
        return ([], True) if only is None else ([only], False)

    def _commit(self, group: Sequence[Any]) -> None:
        self._count += 1
        is_last = self._is_last()
        if is_last and self._faults.kill_when == "before":
            _die()
        if self._levers.is_disk_full.value:
            self._commit_on_full_disk(group)
        else:
            super()._commit(group)
        if self._survivors:
            # SQLite itself is asked, rather than the writer believed.
            (level,) = self._db.execute("PRAGMA synchronous").fetchone()
            self._survivors.committed(is_synced=level >= _FULL)
        if self._faults.commits is not None:
            with self._faults.commits.open("a", encoding="utf-8") as file:
                file.write(f"{self._count} {' '.join(map(_name, group))}\n")
        if is_last:
            _die()

    def _commit_on_full_disk(self, group: Sequence[Any]) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (_SMALL_BYTES, hard))
        try:
            super()._commit(group)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    def _checkpoint(self, mode: str) -> None:
        super()._checkpoint(mode)
        if self._survivors:
            self._survivors.note()

    def _is_last(self) -> bool:
        armed = self._levers.kill_in
        if armed.value > 0:
            armed.value -= 1
            if armed.value == 0:
                return True
        return self._count == self._faults.kill_at


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _name(submitted: Any) -> str:
    """Return what a write is, for the list of commits."""
    job = submitted.job
    name = getattr(getattr(job, "func", job), "__qualname__", "rows")
    return f"{name}{'!' if submitted.barrier else ''}"
