"""Empty databases without the cost of a migration each: migrated once, then copied."""

import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

from agentlin_server.store.migrations.run import upgrade
from agentlin_server.store.sqlite import SqliteStore
from agentlin_server.store.sqlite.connection import open_writer
from agentlin_server.store.sqlite.schema import HEAD


@cache
def _empty() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.db"
        db = open_writer(path)
        upgrade(db, to=HEAD)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
        return path.read_bytes()


def make_empty(path: Path) -> Path:
    """Make an empty database at `path`, unless there is one; return the path."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_empty())
    return path


@asynccontextmanager
async def opened(place: Path | str) -> AsyncGenerator[SqliteStore]:
    """Open a database while in the context."""
    store = await SqliteStore.open(place)
    try:
        yield store
    finally:
        await store.close()
