"""Makes the golden database of the current schema: `python -m tests.store.golden_database`.

Run once for each migration, when it is released; what is in `golden/` is never made anew after.
"""

import asyncio
import gzip
import tempfile
from pathlib import Path

import anyio

from agentlin_server.domain.ids import TaskId
from agentlin_server.models.script import Gate, Reasoning, Text, ToolCall
from agentlin_server.store.sqlite.schema import HEAD
from tests.engine.harness import scripted, serving
from tests.store.database import make_empty

GOLDEN = Path(__file__).parent / "golden"


async def make(path: Path) -> None:
    """Write a database with a completed, a canceled and a running task."""
    model = scripted([
        [Reasoning("Let me see.", 3), Text("A long answer. " * 100, "words")],
        [Text("Half an ans", 4), Gate(anyio.Event())],
        [Text("It goes ", 4), ToolCall("look", "{}"), Gate(anyio.Event())],
    ])  # fmt: skip
    async with serving(model, path=make_empty(path)) as service:
        done = await service.submit("1", session="s", task_id=TaskId("task_done"))
        await service.ended(done)
        canceled = await service.submit("2", session="s", task_id=TaskId("task_canceled"))
        await service.wait_for(canceled, "task.text.delta")
        await service.engine.cancel(canceled, actor="ann")
        running = await service.submit("3", session="t", task_id=TaskId("task_running"))
        await service.wait_for(running, "task.output_item.done")


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "made.db"
        asyncio.run(make(made))
        (GOLDEN / f"{HEAD}.db.gz").write_bytes(gzip.compress(made.read_bytes(), mtime=0))
