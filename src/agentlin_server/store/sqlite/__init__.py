"""The store on SQLite: one thread and one connection write, query-only connections read."""

from agentlin_server.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
