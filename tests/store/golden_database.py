"""Makes the golden database of the current schema: `python -m tests.store.golden_database`.

Run once for each migration, when it is released; what is in `golden/` is never made anew after.
"""

import asyncio
import gzip
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio

from agentlin_server.domain.ids import TaskId
from agentlin_server.domain.records import TaskRow
from agentlin_server.models.script import Gate, Reasoning, Text, ToolCall
from agentlin_server.store.sqlite.schema import HEAD
from tests.engine.harness import LIMITS, Service, scripted, serving, with_tools
from tests.engine.tools import NotingTool
from tests.store.database import make_empty

GOLDEN = Path(__file__).parent / "golden"


async def make(path: Path) -> None:
    """Write a database with a task of every kind, and one free slot less than it needs."""
    gate = anyio.Event()
    tool = NotingTool(gate=gate)
    model = scripted([
        [Reasoning("Let me see.", 3), Text("A long answer. " * 100, "words")],
        [Text("Half an ans", 4), Gate(anyio.Event())],
        [ToolCall("ask", "{}", "call_1")],
        [ToolCall("note", "{}", "call_1")],
        [Text("It goes ", 4), ToolCall("look", "{}"), Gate(anyio.Event())],
    ])  # fmt: skip
    limits = replace(LIMITS, running_max=1)
    async with serving(model, path=make_empty(path), limits=limits, tools=[tool]) as service:
        done = await _submit(service, "done", session="s")
        await service.ended(done)
        canceled = await _submit(service, "canceled", session="s")
        await service.wait_for(canceled, "task.text.delta")
        await service.engine.cancel(canceled, actor="ann")
        asking = await _submit(service, "asking", session="u", spec=with_tools(client=["ask"]))
        await service.wait_for(asking, "task.input_required")
        paused = await _submit(service, "paused", session="v", spec=with_tools(tool))
        await tool.started.wait()
        await service.engine.pause(paused, actor="ann")
        gate.set()
        await service.wait_for(paused, "task.paused")
        running = await _submit(service, "running", session="t", timeout_s=3_600.0)
        await service.wait_for(running, "task.output_item.done")
        await _submit(service, "behind", session="t")
        await _submit(service, "waiting", session="w")
        await service.store.seal(finished_before=service.clock(), limit=1)


async def _submit(service: Service, name: str, **changes: Any) -> TaskRow:
    return await service.submit(name, task_id=TaskId(f"task_{name}"), **changes)


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "made.db"
        asyncio.run(make(made))
        (GOLDEN / f"{HEAD}.db.gz").write_bytes(gzip.compress(made.read_bytes(), mtime=0))
