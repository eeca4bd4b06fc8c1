"""A killed process: what was appended is there."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from agentlin_server.store.sqlite import SqliteStore
from tests.requirements import requirement
from tests.store.database import make_empty
from tests.store.rows import log_of

pytestmark = pytest.mark.anyio

WRITER = """
import asyncio, sys
from tests.store.rows import delta, started
from agentlin_server.store.sqlite import SqliteStore

async def main():
    store = await SqliteStore.open(sys.argv[1])
    writer = await started(store)
    while True:
        await writer.append_deltas(3)
        print(writer.seq, flush=True)

asyncio.run(main())
"""


def _write_and_kill(path: Path) -> int:
    """Kill a writer in the middle; return how many events it said were appended."""
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)],
        stdout=subprocess.PIPE,
        cwd=root,
        env=environment,
    ) as writer:
        assert writer.stdout is not None
        line = b"0"
        for line in writer.stdout:
            if int(line) > 100:
                break
        writer.kill()
        rest = writer.stdout.read().split(b"\n")[:-1]
        assert writer.wait(10) == -signal.SIGKILL
    return max(int(line), *map(int, rest), 0)


@requirement("journal.durable")
async def test_all_that_an_append_had_returned_for_outlives_a_kill(tmp_path: Path) -> None:
    path = make_empty(tmp_path / "tasks.db")
    told = await anyio.to_thread.run_sync(_write_and_kill, path)
    store = await SqliteStore.open(path)
    (pk,) = await store.adopt(owner="heir")
    lines = await log_of(store, pk)
    assert told <= len(lines) <= told + 3
    claimed = await store.claim(pk, owner="heir", take_over=True)
    assert claimed is not None
    assert claimed.next_seq == len(lines)
    await store.close()
