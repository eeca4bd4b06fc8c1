"""Is the schema the one that this code needs? Migrations run only if it is behind."""

import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Final

from agentlin_server.domain.errors import StorageError
from agentlin_server.store.sqlite.connection import MEMORY

HEAD: Final = "0002"
"""The newest migration in `store/migrations/versions`; a test holds the two together."""


def ensure_schema(db: sqlite3.Connection, path: Path | str) -> None:
    """Bring the database to `HEAD`.

    Raises:
        StorageError: a newer agentlin made it, or a migration failed (nothing is half-done:
            each migration is one transaction).
    """
    version = current(db)
    if version == HEAD:
        return
    if version is not None and version > HEAD:
        raise StorageError(
            f"the database {path} is of a newer agentlin (its schema is {version}, this one knows "
            f"{HEAD}): upgrade agentlin, or name another database"
        )
    if str(path) == MEMORY:
        # Alembic and SQLAlchemy cost 30 MB and half a second: loaded only here (ADR-0002).
        from agentlin_server.store.migrations.run import upgrade

        upgrade(db, to=HEAD)
    else:
        _upgrade_apart(path)


def _upgrade_apart(path: Path | str) -> None:
    """Migrate in a process of its own, which takes the memory that this needs with it."""
    command = [sys.executable, "-m", "agentlin_server.store.migrations", str(path), HEAD]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = done.stderr.strip().rpartition("\n")[2]
        raise StorageError(f"the database {path} could not be migrated: {reason}")


def current(db: sqlite3.Connection) -> str | None:
    """Return the schema's version; None for an empty database."""
    known = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
    if known is None:
        return None
    row = db.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else row["version_num"]
