"""The contract suite runs on a file and in memory."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from agentlin_server.store.sqlite import SqliteStore
from tests.store.database import make_empty


@pytest.fixture(params=["file", "memory"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[SqliteStore]:
    """An open, empty store."""
    path = ":memory:" if request.param == "memory" else make_empty(tmp_path / "tasks.db")
    opened = await SqliteStore.open(path)
    yield opened
    await opened.close()


@pytest.fixture
async def file_store(tmp_path: Path) -> AsyncGenerator[SqliteStore]:
    """An open, empty store on the file `tasks.db` in `tmp_path`."""
    opened = await SqliteStore.open(make_empty(tmp_path / "tasks.db"))
    yield opened
    await opened.close()


@pytest.fixture(params=["file", "memory"], scope="module")
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """One database for all examples of a property: each writes a task of its own."""
    if request.param == "memory":
        return ":memory:"
    return str(make_empty(tmp_path_factory.mktemp("store") / "tasks.db"))
