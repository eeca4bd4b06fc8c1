"""Migrates a database file: `python -m agentlin_server.store.migrations FILE VERSION`."""

import sys
from contextlib import closing

from agentlin_server.domain.errors import StorageError
from agentlin_server.store.migrations.run import upgrade
from agentlin_server.store.sqlite.connection import open_writer

if __name__ == "__main__":
    file, version = sys.argv[1:]
    try:
        with closing(open_writer(file)) as db:
            upgrade(db, to=version)
    except StorageError as exc:
        sys.exit(str(exc))
