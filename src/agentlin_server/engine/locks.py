"""One lock per task, kept while someone uses it."""

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import anyio

from agentlin_server.domain.ids import TaskPk


class TaskLocks:
    """The locks of this process."""

    def __init__(self) -> None:
        """Begin without any."""
        self._locks: Final[dict[TaskPk, tuple[anyio.Lock, int]]] = {}

    @asynccontextmanager
    async def of(self, pk: TaskPk) -> AsyncGenerator[None]:
        """Hold the task's lock while in the context."""
        with self._used(pk) as lock:
            async with lock:
                yield

    @contextmanager
    def _used(self, pk: TaskPk) -> Generator[anyio.Lock]:
        lock, users = self._locks.get(pk, (anyio.Lock(), 0))
        self._locks[pk] = (lock, users + 1)
        try:
            yield lock
        finally:
            lock, users = self._locks.pop(pk)
            if users > 1:
                self._locks[pk] = (lock, users - 1)
