"""Runs the tool calls of one step: at once, each recorded before it starts and when it ends."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
import msgspec

from agentlin_server.agent.decide import ToolCall
from agentlin_server.agent.reply import DoneItem, Drafts
from agentlin_server.agent.spec import AgentSpec
from agentlin_server.agent.toolresult import (
    OpenResult,
    bad_arguments,
    no_such_tool,
    outcome_unknown,
    text_blocks,
    tool_failed,
    whole_result,
)
from agentlin_server.domain.events import Json, encode_json
from agentlin_server.domain.records import ItemRow, ToolCallRow, ToolCallState
from agentlin_server.domain.tool import Effect, Tool, ToolInvocation, idempotency_key
from agentlin_server.engine.log import Rows, TaskLog
from agentlin_server.engine.recorder import Recorder

_decode: Final = msgspec.json.Decoder().decode


@dataclass(slots=True)
class _Running:
    """A call whose tool has been started, and whose result is still open."""

    call: ToolCall
    tool: Tool
    effect: Effect
    arguments: Mapping[str, Any]
    result: OpenResult


@dataclass(slots=True)
class _Plan:
    """What becomes of the calls of a step.

    Attributes:
        drafts: The first events: whole results, and the openings of those to come.
        items: Results that are there without running anything, by call id.
        rows: Rows of the drafts.
        item_ids: Ids of the items that the drafts open, in their order.
        to_run: The calls to run.
    """

    drafts: Drafts = field(default_factory=Drafts)
    items: dict[str, Json] = field(default_factory=dict[str, Json])
    rows: list[ToolCallRow] = field(default_factory=list[ToolCallRow])
    item_ids: list[str] = field(default_factory=list[str])
    to_run: list[_Running] = field(default_factory=list[_Running])


class ToolRunner:
    """Runs a task's tool calls, one step at a time."""

    def __init__(
        self,
        *,
        log: TaskLog,
        spec: AgentSpec,
        recorder: Recorder,
        tools: Mapping[str, Tool],
        at_once_max: int,
    ) -> None:
        """Prepare for one task.

        Args:
            log: Where events go.
            spec: The task's agent: which tools it has, with which effects.
            recorder: Makes the rows.
            tools: What this server can run.
            at_once_max: Most tools that run at once.
        """
        self._log = log
        self._spec = spec
        self._recorder = recorder
        self._tools = tools
        self._at_once_max = at_once_max
        self._open: list[_Running] = []
        self._left = 0
        self._step = 0

    async def run(
        self,
        calls: Sequence[ToolCall],
        *,
        step: int,
        interrupted: Collection[str],
        closing: Drafts,
        rows: Rows,
    ) -> list[Json]:
        """Run the calls; return their tool_result items, in the order of the calls.

        Args:
            calls: Calls of tools that run here, or that do not exist.
            step: The `agent_step`.
            interrupted: Ids of calls that were running when an earlier process died.
            closing: Events that end the model call, committed together with the start.
            rows: Rows that belong to them.
        """
        self._step = step
        plan = self._plan(calls, interrupted)
        own = [DoneItem(item) for item in plan.items.values()]
        starts = [*rows.items, *self._recorder.items(own, step=step, added=plan.item_ids)]
        # Before the commit: it is done even if we are stopped now.
        self._open = plan.to_run[: self._at_once_max]
        self._left = len(plan.to_run)
        await self._log.append(
            closing + plan.drafts,
            rows=Rows(items=starts, tool_calls=plan.rows, rollout=rows.rollout),
            barrier=bool(plan.to_run),  # a started tool must be known to have been, come what may
        )
        results = plan.items
        await self._run_all(plan.to_run, results)
        return [results[call.call_id] for call in calls]

    def abandon(self) -> tuple[Drafts, Rows]:
        """Return events and rows that close the results of tools that were stopped."""
        drafts: Drafts = []
        items: list[Json] = []
        rows: list[ToolCallRow] = []
        for one in self._open:
            closing, item = one.result.cut_off()
            drafts += closing
            items.append(item)
            can_repeat = one.effect.is_repeatable
            state = ToolCallState.INTERRUPTED if can_repeat else ToolCallState.UNKNOWN
            rows.append(self._row(one.call, one.effect, state))
        self._open = []
        return drafts, Rows(items=self._item_rows(items), tool_calls=rows)

    def _plan(self, calls: Sequence[ToolCall], interrupted: Collection[str]) -> _Plan:
        plan = _Plan()
        for call in calls:
            spec, tool = self._spec.tool(call.name), self._tools.get(call.name)
            effect = Effect.UNSAFE if spec is None or spec.effect is None else spec.effect
            can_run = tool is not None and spec is not None and spec.effect is not None
            if call.call_id in interrupted and not (can_run and effect.is_repeatable):
                self._answer(plan, call, outcome_unknown(call.name))
                plan.rows.append(self._row(call, effect, ToolCallState.UNKNOWN))
            elif tool is None or not can_run:
                self._answer(plan, call, no_such_tool(call.name, self._names()))
            elif isinstance(arguments := _arguments_of(call), str):
                self._answer(plan, call, bad_arguments(call.name, arguments))
            else:
                result = OpenResult(call.call_id, step=self._step)
                plan.to_run.append(_Running(call, tool, effect, arguments, result))
        for one in plan.to_run[: self._at_once_max]:  # those beyond are opened when they start
            plan.drafts.append(one.result.opening())
            plan.item_ids.append(one.result.item["id"])
            plan.rows.append(self._row(one.call, one.effect, ToolCallState.STARTED))
        return plan

    def _names(self) -> list[str]:
        """Return the tools that can be called."""
        offered = self._spec.tools
        return [one.name for one in offered if one.effect is None or one.name in self._tools]

    def _answer(self, plan: _Plan, call: ToolCall, text: str) -> None:
        drafts, item = whole_result(call.call_id, text, step=self._step)
        plan.drafts += drafts
        plan.item_ids.append(item["id"])
        plan.items[call.call_id] = item

    async def _run_all(self, to_run: Sequence[_Running], results: dict[str, Json]) -> None:
        limiter = anyio.CapacityLimiter(self._at_once_max)
        errors: list[Exception] = []
        async with anyio.create_task_group() as group:

            async def run_one(one: _Running) -> None:
                try:
                    async with limiter:
                        results[one.call.call_id] = await self._run_one(one)
                except Exception as exc:  # noqa: BLE001 - raised below, as itself
                    errors.append(exc)
                    group.cancel_scope.cancel()

            for one in to_run:
                group.start_soon(run_one, one)
        if errors:
            raise errors[0]

    async def _run_one(self, one: _Running) -> Json:
        task_id, call = self._log.task.id, one.call
        if one not in self._open:
            await self._open_result(one)
        invocation = ToolInvocation(task_id=task_id, call_id=call.call_id, arguments=one.arguments)
        try:
            content = list(await one.tool.run(invocation))
            encode_json(content)  # found out here, not when it is too late to say so
        except Exception as exc:  # noqa: BLE001 - whatever a tool does, its task goes on
            content = text_blocks(tool_failed(call.name, exc))
        drafts, item = one.result.end(content, content)
        self._open.remove(one)
        self._left -= 1
        rows = Rows(
            items=self._item_rows([item]),
            tool_calls=[self._row(call, one.effect, ToolCallState.DONE)],
        )
        # Progress, which counts against the suspicion that this task kills its process: only
        # with the last result, as one of its tools may be what does.
        attempts = None if self._left else 0
        # Synced, so that not even a power cut has a tool run again that had ended.
        await self._log.append(drafts, rows=rows, attempts=attempts, barrier=True)
        return item

    async def _open_result(self, one: _Running) -> None:
        """Write that a tool starts, which had to wait for others to end."""
        self._open.append(one)
        item_id = one.result.item["id"]
        rows = Rows(
            items=self._recorder.items([], step=self._step, added=[item_id]),
            tool_calls=[self._row(one.call, one.effect, ToolCallState.STARTED)],
        )
        await self._log.append([one.result.opening()], rows=rows, barrier=True)

    def _item_rows(self, items: Sequence[Json]) -> Sequence[ItemRow]:
        return self._recorder.items([DoneItem(item) for item in items], step=self._step)

    def _row(self, call: ToolCall, effect: Effect, state: ToolCallState) -> ToolCallRow:
        return ToolCallRow(
            call_id=call.call_id,
            step=self._step,
            name=call.name,
            effect=effect,
            state=state,
            idempotency_key=idempotency_key(self._log.task.id, call.call_id),
        )


def _arguments_of(call: ToolCall) -> Mapping[str, Any] | str:
    """Return the decoded arguments, or what is wrong with them."""
    try:
        value = _decode(call.arguments or "{}")
    except msgspec.DecodeError as exc:
        return f"they are no valid JSON ({exc})"
    return value if isinstance(value, dict) else f"they are a JSON {type(value).__name__}"  # pyright: ignore[reportUnknownVariableType]
