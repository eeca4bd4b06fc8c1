"""One server per database: a lock file, and beside it where that server listens."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from agentlin_server.domain.errors import AgentlinError

_PATIENCE_S: Final = 0.2


class DatabaseInUseError(AgentlinError):
    """Another process serves this database."""


class DatabaseLock:
    """Held by the process that serves a database file; freed by the system when it dies."""

    def __init__(self, database: Path) -> None:
        """Prepare; nothing is locked yet."""
        self._database = database
        self._lock = FileLock(f"{database}.lock")
        self._address_file = Path(f"{database}.server")

    def acquire(self) -> None:
        """Become the database's only server.

        Raises:
            DatabaseInUseError: another process is; its address is named if it is known.
        """
        self._database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            # Whoever asks for the server's address holds the lock for a moment.
            self._lock.acquire(timeout=_PATIENCE_S, poll_interval=_PATIENCE_S / 10)
        except Timeout:
            at = self._read_address()
            where = f" at {at}" if at else ""
            raise DatabaseInUseError(
                f"another server{where} uses the database {self._database}: "
                "stop it, or name another one with --db"
            ) from None
        self._address_file.unlink(missing_ok=True)

    def publish(self, address: str) -> None:
        """Say where this server listens, e.g. `http://127.0.0.1:9999`."""
        temporary = Path(f"{self._address_file}.{os.getpid()}")
        temporary.write_text(json.dumps({"address": address, "pid": os.getpid()}), "utf-8")
        temporary.replace(self._address_file)

    def release(self) -> None:
        """Let others serve the database."""
        if self._lock.is_locked:
            self._address_file.unlink(missing_ok=True)
            self._lock.release()

    def server_address(self) -> str | None:
        """Return where the server of the database listens; None if none runs."""
        if not self._address_file.exists():
            return None
        try:
            with self._lock.acquire(timeout=0):
                return None  # nobody holds it: the file was left by a process that was killed
        except Timeout:
            return self._read_address()

    def _read_address(self) -> str | None:
        with suppress(OSError, ValueError, KeyError):
            address: str = json.loads(self._address_file.read_text("utf-8"))["address"]
            return address
        return None
