"""Writing to a task that nobody runs, or whose runner is gone or silent: fence it off first."""

import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from agentlin_server.agent.closing import close_open, finished_items_of_unfinished_calls
from agentlin_server.agent.items import INCOMPLETE
from agentlin_server.agent.reply import Drafts
from agentlin_server.agent.usage import estimate, to_wire
from agentlin_server.domain import events
from agentlin_server.domain.events import AnyDraft, Draft, Json, encode_json
from agentlin_server.domain.ids import TaskPk
from agentlin_server.domain.ports import Store
from agentlin_server.domain.records import ItemRow, TaskRow
from agentlin_server.domain.status import Signal, Status
from agentlin_server.engine.hub import Hub
from agentlin_server.engine.locks import TaskLocks
from agentlin_server.engine.log import Logs, Rows, TaskLog
from agentlin_server.engine.reader import Past, TaskReader
from agentlin_server.engine.recorder import item_row
from agentlin_server.engine.shield import shielded

log = logging.getLogger(__name__)

LastEvent = Callable[[TaskRow], Draft | None]
"""Makes the event that ends a task, of its row as claimed; None to leave the task as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A task that was claimed, for one write."""

    task: TaskRow
    past: Past
    log: TaskLog

    def closing(self) -> tuple[Drafts, list[ItemRow]]:
        """Return the events that end, as incomplete, what an unfinished call left, and the rows."""
        fold = self.past.fold
        drafts: Drafts = []
        ended: list[tuple[int, Json]] = []
        for step, item in finished_items_of_unfinished_calls(self.past.events):
            undone = item | {"status": INCOMPLETE}
            drafts.append(events.item_done(dict(undone), step=step))
            ended.append((step, undone))
        for open_item in fold.open_items():
            closing, item = close_open(open_item)
            drafts += closing
            ended.append((open_item.agent_step, item))
        if ended and ended[-1][1]["type"] != "tool_result":
            drafts[-1] = self._with_usage(drafts[-1], [item for _, item in ended])
        places = {item["id"]: n for n, item in enumerate(fold.snapshot()["output"])}
        return drafts, [item_row(places[item["id"]], step, item) for step, item in ended]

    def _with_usage(self, last: AnyDraft, ended: Sequence[Json]) -> AnyDraft:
        """Say what the call that was cut off may have cost: nobody is left who was told."""
        assert isinstance(last, Draft)
        seen: list[Json] = [dict(self.past.request), *self.past.fold.snapshot()["output"]]
        usage = to_wire(estimate(seen, output_bytes=len(encode_json(ended))))
        return Draft(last.type, last.body | {"usage": usage})


@dataclass(frozen=True, slots=True, kw_only=True)
class Takeover:
    """Claims tasks from whoever has them, and ends them or puts them back.

    Whatever is begun goes on even if the caller is canceled: the runner is fenced off by then.
    """

    store: Store
    reader: TaskReader
    hub: Hub
    logs: Logs
    owner: str
    attempts_max: int
    _locks: TaskLocks = field(default_factory=TaskLocks, init=False)

    @asynccontextmanager
    async def hold(
        self, pk: TaskPk, *, only_if: Status | None = None
    ) -> AsyncGenerator[Held | None]:
        """Be the only writer of a task while in the context; None if it is final or gone.

        Args:
            pk: The task.
            only_if: Also None, and no runner is fenced off, if it has another status than this
                one, in which it rests: only who holds a task ends its rest.
        """
        async with self._locks.of(pk):  # two claims of one task would fence each other off
            if only_if is not None:
                row = await self.store.get_by_pk(pk)
                if row is None or row.status is not only_if:
                    yield None
                    return
            claimed = await self.store.claim(pk, owner=self.owner, take_over=True)
            if claimed is None:
                yield None
                return
            task = claimed.task
            past = await self.reader.past(task)
            with self.hub.tail(pk) as tail:
                log = self.logs.open(task, rev=claimed.last_rev, fold=past.fold, tail=tail)
                yield Held(task=task, past=past, log=log)

    async def end(self, pk: TaskPk, signal: Signal, last: LastEvent) -> None:
        """Close what is open as incomplete, and append the final event that `last` makes."""
        await shielded(partial(self._end, pk, signal, last))

    async def requeue(self, pk: TaskPk, *, give_up: Json) -> None:
        """Put a task back that nobody runs any more; one that was begun too often fails.

        Args:
            pk: The task.
            give_up: The error of a task that has been begun `attempts_max` times.
        """
        await shielded(partial(self._requeue, pk, give_up))

    async def resume(self, pk: TaskPk) -> None:
        """Put a paused task back into the queue; nothing happens if it is not paused."""
        await shielded(partial(self._resume, pk))

    async def _end(self, pk: TaskPk, signal: Signal, last: LastEvent) -> None:
        row = await self.store.get_by_pk(pk)
        if row is None or last(row) is None:
            return  # found out before a runner is fenced off for nothing
        async with self.hold(pk) as held:
            if held is None:
                return
            drafts, items = held.closing()
            final, rows = last(held.task), Rows(items=items)
            if final is not None:
                await held.log.append([*drafts, final], signal=signal, rows=rows)
            elif held.log.status is Status.WORKING:  # it got more time, and lost its runner to us
                queued = [*drafts, events.queued()]
                await held.log.append(queued, signal=Signal.YIELD, rows=rows, attempts=0)

    async def _requeue(self, pk: TaskPk, give_up: Json) -> None:
        async with self.hold(pk) as held:
            if held is None:
                return
            if held.log.status is Status.QUEUED:  # claimed, but not begun
                await held.log.append([events.working()], signal=Signal.CLAIM)
            if held.log.status is not Status.WORKING:
                return
            drafts, items = held.closing()
            rows = Rows(items=items)
            if held.task.attempts >= self.attempts_max:
                reason: str = give_up["message"]
                log.error(
                    "task %s is given up, at attempt %d: %s",
                    held.task.id,
                    held.task.attempts,
                    reason,
                )
                await held.log.append(
                    [*drafts, events.failed(give_up)], signal=Signal.FAIL, rows=rows
                )
            else:
                await held.log.append([*drafts, events.queued()], signal=Signal.YIELD, rows=rows)

    async def _resume(self, pk: TaskPk) -> None:
        async with self.hold(pk, only_if=Status.PAUSED) as held:
            if held is not None:
                await held.log.append(
                    [events.queued()], signal=Signal.RESUME, attempts=0, barrier=True
                )
