"""The database grows with what is streamed, not faster."""

from pathlib import Path

import anyio
import pytest

from agentlin_server.store.sqlite import SqliteStore
from tests.requirements import requirement
from tests.store.database import make_empty
from tests.store.rows import added, done, item, started

pytestmark = pytest.mark.anyio


async def size_after(path: Path, *, deltas: int) -> int:
    """Return how long the file is after a task with as many deltas in commits of four."""
    store = await SqliteStore.open(make_empty(path))
    writer = await started(store)
    await writer.append(added(writer.seq))
    for _ in range(deltas // 4):
        await writer.append_deltas(4, text=" word")
    await writer.append(done(writer.seq), items=[item()])
    await writer.end()
    await store.close()
    return (await anyio.Path(path).stat()).st_size


@requirement("journal.size")
async def test_twice_the_deltas_are_at_most_2_2_times_the_database(tmp_path: Path) -> None:
    once = await size_after(tmp_path / "once.db", deltas=4_000)
    twice = await size_after(tmp_path / "twice.db", deltas=8_000)
    assert twice <= 2.2 * once
    assert once < 4_000 * 250, "a delta costs its line and little more"
