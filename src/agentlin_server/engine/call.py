"""One model call: streams it, writes its events as they come, makes it anew if it breaks."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from agentlin_server.agent import usage as usages
from agentlin_server.agent.context import Context
from agentlin_server.agent.decide import ToolCall
from agentlin_server.agent.reply import Drafts, Reply
from agentlin_server.agent.spec import AgentSpec
from agentlin_server.domain.errors import ModelStreamError
from agentlin_server.domain.events import Json
from agentlin_server.domain.model import Model, ModelRequest
from agentlin_server.engine.log import Rows, TaskLog
from agentlin_server.engine.recorder import Recorder

_MS_PER_S: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CallResult:
    """A call that finished; its closing events are not committed yet.

    Attributes:
        closing: The events that end its items, to be appended with what follows from them.
        rows: The rows that belong to them.
        items: The items it made, for the context.
        tool_calls: The calls that want a result.
    """

    closing: Drafts
    rows: Rows
    items: Sequence[Json]
    tool_calls: tuple[ToolCall, ...]


@dataclass(slots=True)
class _Attempt:
    """A call under way: its reply, and events of it that are not committed yet."""

    number: int
    reply: Reply
    refs: list[str]
    held: Drafts
    begun: float


class ModelCaller:
    """Makes a task's model calls, one at a time."""

    def __init__(
        self,
        *,
        log: TaskLog,
        spec: AgentSpec,
        recorder: Recorder,
        retries_max: int,
        used_call_ids: set[str],
    ) -> None:
        """Prepare for one task.

        Args:
            log: Where events go.
            spec: The task's agent.
            recorder: Makes the rows.
            retries_max: How often a call whose stream broke is made again.
            used_call_ids: The task's call ids so far; new ones are added.
        """
        self._log = log
        self._spec = spec
        self._recorder = recorder
        self._retries_max = retries_max
        self._used_call_ids = used_call_ids
        self._request = ModelRequest(model="", messages=())
        self._step = 0
        self._attempt: _Attempt | None = None

    async def call(
        self,
        model: Model,
        name: str,
        context: Context,
        *,
        step: int,
        attempt: int = 1,
        superseded: Sequence[str] = (),
    ) -> CallResult:
        """Ask the model and stream its answer; deltas are committed on the way.

        Args:
            model: The adapter.
            name: The provider's own name of the model.
            context: What the model sees.
            step: The `agent_step`.
            attempt: Higher than 1 if an earlier process was cut off in this call.
            superseded: Ids of the items that it had made by then.

        Raises:
            ModelError: the call failed for good. What it streamed is still open: see `abandon`.
        """
        self._step = step
        self._request = ModelRequest(
            model=name,
            messages=list(context.messages),  # the context grows, the request does not
            tools=self._spec.tool_definitions,
            sampling=self._spec.sampling,
            output_tokens_max=self._spec.output_tokens_max or None,
        )
        retries_left = self._retries_max
        while True:
            current = self._begin(attempt, superseded, list(context.refs))
            try:
                await self._stream(model, current)
                return self._finished(current)
            except ModelStreamError:
                if retries_left == 0:
                    raise
            closing, rows = self.abandon()
            await self._log.append(closing, rows=rows)
            superseded = [done.item["id"] for done in current.reply.done] or superseded
            retries_left -= 1
            attempt += 1

    def abandon(self) -> tuple[Drafts, Rows]:
        """Return events and rows that close a call which did not finish; empty if none runs."""
        attempt, self._attempt = self._attempt, None
        if attempt is None:
            return [], Rows()
        usage = self._usage(attempt.reply)
        closing = attempt.held + attempt.reply.abort(usage=usage)
        return closing, self._rows(attempt, usage)

    def _begin(self, number: int, superseded: Sequence[str], refs: list[str]) -> _Attempt:
        reply = Reply(
            step=self._step,
            attempt=number,
            superseded=superseded,
            used_call_ids=self._used_call_ids,
        )
        self._attempt = _Attempt(number, reply, refs, [], time.monotonic())
        return self._attempt

    async def _stream(self, model: Model, attempt: _Attempt) -> None:
        async with model.stream(self._request) as batches:
            async for batch in batches:
                drafts = attempt.reply.feed(batch)
                if attempt.reply.is_finished:
                    attempt.held = drafts  # committed together with what it leads to
                elif drafts:
                    await self._log.append(drafts)

    def _finished(self, attempt: _Attempt) -> CallResult:
        self._attempt = None
        reply = attempt.reply
        usage = self._usage(reply)
        ending = reply.end(usage=usage)
        return CallResult(
            closing=attempt.held + ending.drafts,
            rows=self._rows(attempt, usage),
            items=[done.item for done in reply.done],
            tool_calls=ending.tool_calls,
        )

    def _rows(self, attempt: _Attempt, usage: Json) -> Rows:
        """Return the rows of a call that ended, well or not."""
        rollout = self._recorder.rollout(
            refs=attempt.refs,
            request=self._request,
            reply=attempt.reply,
            model=self._spec.model,
            usage=usage,
            latency_ms=round((time.monotonic() - attempt.begun) * _MS_PER_S),
            step=self._step,
            attempt=attempt.number,
        )
        reply = attempt.reply
        items = self._recorder.items(reply.done, step=self._step, added=reply.item_ids)
        return Rows(items=items, rollout=rollout)

    def _usage(self, reply: Reply) -> Json:
        usage = reply.usage
        if usage is None:
            usage = usages.estimate(self._request.messages, output_bytes=reply.size_bytes)
        return usages.to_wire(usage)
