"""Plays a script: steps in, the events of model calls and tools out, one at a time. No I/O."""

from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, Final, TypeAlias

from agentlin_client.types.fold import OpenItem

from . import _drafts as drafts
from ._content import text_of
from ._drafts import BrokenOffError, Building, Draft, EndedError, Moment
from .steps import (
    Call,
    Cut,
    Delay,
    End,
    Hang,
    Parallel,
    RawEvent,
    Say,
    ScriptError,
    Step,
    Steps,
    TaskSoFar,
    Think,
    Tokens,
)

_PREFIXES: Final = {"message": "msg", "reasoning": "rs", "tool_call": "tc", "tool_result": "tr"}


class Mark(Enum):
    """A place in a script that is no event."""

    MODEL_CALL = "a model call begins: a pause takes effect here"


Played: TypeAlias = "Moment | Mark"


class Player:
    """The run of one task, from its first `working` to its end.

    Args:
        steps: The script.
        task: What steps that are functions may look at.
        tools: That the model is offered, in wire form.
        open_items: Tells the items of the log that are open now.
    """

    def __init__(
        self,
        steps: Steps,
        task: TaskSoFar,
        *,
        tools: Sequence[Mapping[str, Any]],
        open_items: Callable[[], list[OpenItem]],
    ) -> None:
        self._steps: deque[Steps] = deque([steps])
        self._task = task
        self._tools = tools
        self._open_items = open_items
        self._numbers: Counter[str] = Counter()
        self._step = 0
        self._attempt = 1
        self._begun: list[str] = []  # ids of the items of this model call
        self._superseded: list[str] = []  # those of the attempt before
        self._done: list[Draft] = []  # items of this model call that have ended

    def play(self) -> Generator[Played]:
        """Yield what comes next, up to the task's end; the caller logs it before it asks again."""
        yield {"type": "task.tools_updated", "tools": [dict(tool) for tool in self._tools]}
        try:
            while (step := self._next()) is not None:
                self._steps.appendleft(step)
                yield Mark.MODEL_CALL
                try:
                    yield from self._model_call()
                except BrokenOffError:
                    yield from self._break_off()
        except EndedError as ended:
            yield from drafts.closings(self._open_items())
            yield ended.draft
            return
        yield drafts.status("task.completed")

    def item_id(self, item_type: str) -> str:
        """Return the id of the next item of a type: `msg_1`, `msg_2`, ..."""
        prefix = _PREFIXES[item_type]
        self._numbers[prefix] += 1
        return f"{prefix}_{self._numbers[prefix]}"

    def _next(self) -> Step | None:
        """Take the next step; functions and lists give theirs when it is their turn."""
        while self._steps:
            match self._steps.popleft():
                case None:
                    continue
                case str() as text:
                    return Say((text,))
                case Say() | Think() | Call() | Parallel() | Tokens() | RawEvent() as step:
                    return step
                case Delay() | Hang() | Cut() | End() as step:
                    return step
                case Sequence() as several:
                    self._steps.extendleft(reversed(several))
                case function if callable(function):
                    self._steps.appendleft(function(self._task))
                case other:
                    raise ScriptError(f"a {type(other).__name__} is no step of a script")
        return None

    def _take_call(self) -> list[Step]:
        """Take the steps of one model call: up to its calls, or to the end of the script."""
        taken: list[Step] = []
        while (step := self._next()) is not None:
            taken.append(step)
            if isinstance(step, Call | Parallel):
                break
        return taken

    def _model_call(self) -> Iterator[Played]:
        steps = self._take_call()
        if self._attempt == 1:
            self._step += 1
        self._begun, self._done = [], []
        of_items = [n for n, s in enumerate(steps) if isinstance(s, Say | Think | Call | Parallel)]
        last = max(of_items, default=-1)
        usage = next((step.usage for step in steps if isinstance(step, Tokens)), None)
        for position, step in enumerate(steps):
            try:
                yield from self._put_out(step, usage, is_last=position == last)
            except BrokenOffError:
                self._steps.extendleft(reversed(steps[position + 1 :]))
                raise
            if position == last:
                self._attempt, self._superseded = 1, []
        made = steps[-1] if steps else None
        if isinstance(made, Call | Parallel):
            calls = made.calls if isinstance(made, Parallel) else (made,)
            yield from self._run_tools(list(zip(calls, self._done[-len(calls) :], strict=True)))

    def _put_out(
        self, step: Step, usage: Mapping[str, Any] | None, *, is_last: bool
    ) -> Iterator[Moment]:
        match step:
            case Say():
                building = drafts.message(self._begin("message"), step, step=self._step)
                yield from self._finish(building, usage, is_last=is_last)
            case Think():
                building = drafts.reasoning(self._begin("reasoning"), step, step=self._step)
                yield from self._finish(building, usage, is_last=is_last)
            case Call():
                yield from self._call_tools((step,), usage)
            case Parallel(calls):
                yield from self._call_tools(calls, usage)
            case RawEvent(type, fields):
                yield {"type": type, **fields}
            case Tokens():
                pass
            case Delay() | Hang() | Cut() | End():
                yield from drafts.happen(step)

    def _begin(self, item_type: str, **fields: Any) -> Draft:
        item: Draft = {"type": item_type, "id": self.item_id(item_type), "status": "in_progress"}
        if item_type == "message":
            item |= {"role": "assistant", "message_content": []}
        if item_type == "reasoning":
            item |= {"summary": [], "content": []}
        if self._attempt > 1:
            item["attempt"] = self._attempt
            if self._superseded:
                item["supersedes"] = self._superseded.pop(0)
        self._begun.append(item["id"])
        return item | fields

    def _finish(
        self, building: Building, usage: Mapping[str, Any] | None, *, is_last: bool
    ) -> Iterator[Moment]:
        item = yield from building
        self._done.append(item)
        cost = self._cost("stop", usage) if is_last else {}
        yield drafts.item_done(item, step=self._step, **cost)

    def _call_tools(
        self, calls: Sequence[Call], usage: Mapping[str, Any] | None
    ) -> Iterator[Moment]:
        made: list[Draft] = []
        for one in calls:
            begun = self._begin(
                "tool_call", call_id=one.call_id or self._call_id(), name=one.name, arguments=""
            )
            made.append((yield from drafts.tool_call(begun, one, step=self._step)))
        self._done += made
        # The calls of a model call become final together with it.
        for n, item in enumerate(made, start=1):
            cost = self._cost("tool_calls", usage) if n == len(made) else {}
            yield [
                drafts.arguments_done(item, step=self._step),
                drafts.item_done(item, step=self._step, **cost),
            ]

    def _run_tools(self, calls: Sequence[tuple[Call, Draft]]) -> Iterator[Played]:
        """Run the server's tools, then ask the client for the results of the others."""
        asked: list[Draft] = []
        for made, item in calls:
            if made.result is None:
                asked.append(item)
                continue
            begun = self.result_begun(item["call_id"])
            building = drafts.tool_result(begun, made.result, made.blocks, step=self._step)
            try:
                done = yield from building
            except BrokenOffError:
                raise ScriptError("a cut breaks off a model call; a tool can only fail") from None
            yield drafts.item_done(done, step=self._step)
        if asked:
            ids = [item["call_id"] for item in asked]
            yield drafts.status(
                "task.input_required", input_required=asked[0], input_required_call_ids=ids
            )

    def result_begun(self, call_id: str, **fields: Any) -> Draft:
        """Return the tool_result item with which the answer to a call begins."""
        return {
            "type": "tool_result",
            "id": self.item_id("tool_result"),
            "call_id": call_id,
            "message_content": [],
            "block_list": [],
            "status": "in_progress",
            **fields,
        }

    def _break_off(self) -> Iterator[Draft]:
        """End what the model call put out as incomplete; it is made anew."""
        for item in self._done:
            yield drafts.item_done(item | {"status": "incomplete"}, step=self._step)
        yield from drafts.closings(self._open_items())
        if self._begun:
            self._superseded, self._attempt = self._begun, self._attempt + 1
        else:
            self._step -= self._attempt == 1

    def _call_id(self) -> str:
        self._numbers["call"] += 1
        return f"call_{self._numbers['call']}"

    def _cost(self, finish_reason: str, usage: Mapping[str, Any] | None) -> Draft:
        return {"usage": dict(usage or self._estimate()), "finish_reason": finish_reason}

    def _estimate(self) -> Mapping[str, Any]:
        """Count words, roughly: what matters to a test is that the numbers are there."""
        read = _words(self._task.body.get("user_message_content"))
        written = sum(_words(_said(item)) for item in self._done)
        return {"input_tokens": read, "output_tokens": written, "estimated": True}


def _said(item: Mapping[str, Any]) -> Any:
    return item.get("message_content") or item.get("content") or item.get("arguments")


def _words(content: Any) -> int:
    return len(text_of(content).split())
