"""Migrates a database file: `python -m agentlin_server.store.migrations FILE VERSION`."""

import sqlite3
import sys
from contextlib import closing

from agentlin_server.domain.errors import StorageError
from agentlin_server.store.migrations.run import upgrade

if __name__ == "__main__":
    file, version = sys.argv[1:]
    try:
        with closing(sqlite3.connect(file, isolation_level=None)) as db:
            upgrade(db, to=version)
    except StorageError as exc:
        sys.exit(str(exc))
