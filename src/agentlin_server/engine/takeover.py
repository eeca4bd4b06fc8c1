"""Ending a task whose runner is gone or silent: fence the runner off, then close the task."""

from dataclasses import dataclass, field
from functools import partial

import anyio

from agentlin_client.types.fold import TaskFold
from agentlin_server.agent.closing import close_open, finished_items_of_unfinished_calls
from agentlin_server.agent.items import INCOMPLETE
from agentlin_server.agent.reply import Drafts
from agentlin_server.domain import events
from agentlin_server.domain.events import Draft, Json
from agentlin_server.domain.ids import TaskPk
from agentlin_server.domain.ports import Clock, ItemRow, Store
from agentlin_server.domain.status import Signal, Status
from agentlin_server.engine.encode import decode_event
from agentlin_server.engine.hub import Hub
from agentlin_server.engine.log import Rows, TaskLog
from agentlin_server.engine.reader import TaskReader
from agentlin_server.engine.recorder import item_row
from agentlin_server.engine.shield import shielded


@dataclass(frozen=True, slots=True, kw_only=True)
class Takeover:
    """Claims a task from whoever has it, and ends it."""

    store: Store
    reader: TaskReader
    hub: Hub
    clock: Clock
    owner: str
    _lock: anyio.Lock = field(default_factory=anyio.Lock, init=False)

    async def end(self, pk: TaskPk, signal: Signal, final: Draft) -> bool:
        """Close what is open as incomplete and append `final`; False if it was final already.

        Once begun it goes on even if the caller is canceled: the runner is fenced off by then.
        """
        return await shielded(partial(self._end, pk, signal, final))

    async def _end(self, pk: TaskPk, signal: Signal, final: Draft) -> bool:
        async with self._lock:  # two claims of one task would fence each other off
            return await self._end_alone(pk, signal, final)

    async def _end_alone(self, pk: TaskPk, signal: Signal, final: Draft) -> bool:
        claimed = await self.store.claim(pk, owner=self.owner, take_over=True)
        if claimed is None:
            return False
        task = claimed.task
        fold = await self.reader.fold(task)
        drafts, rows = await self._closing(pk, fold)
        with self.hub.tail(pk) as tail:
            log = TaskLog(
                task=task,
                rev=claimed.last_rev,
                fold=fold,
                store=self.store,
                tail=tail,
                clock=self.clock,
            )
            if task.status is not Status.WORKING and signal is Signal.FAIL:
                await log.append([events.working()], signal=Signal.CLAIM)
            await log.append([*drafts, final], signal=signal, rows=Rows(items=rows))
        return True

    async def _closing(self, pk: TaskPk, fold: TaskFold) -> tuple[Drafts, list[ItemRow]]:
        segments = await self.store.read_fold(pk)
        log = [decode_event(line) for segment in segments for line in segment.lines]
        drafts: Drafts = []
        ended: list[tuple[int, Json]] = []
        for step, item in finished_items_of_unfinished_calls(log):
            undone = item | {"status": INCOMPLETE}
            drafts.append(events.item_done(dict(undone), step=step))
            ended.append((step, undone))
        for open_item in fold.open_items():
            closing, item = close_open(open_item)
            drafts += closing
            ended.append((open_item.agent_step, item))
        places = {item["id"]: n for n, item in enumerate(fold.snapshot()["output"])}
        return drafts, [item_row(places[item["id"]], step, item) for step, item in ended]
