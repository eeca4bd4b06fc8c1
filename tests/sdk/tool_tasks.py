"""Tasks that ask their client to run tools, without a server: logs, and a `tasks` to read them."""

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import Any, Self

import anyio
import anyio.lowlevel

from agentlin_client.lib import async_tool_run, tool_run
from agentlin_client.lib.task_run import TaskRun
from agentlin_client.types import AgentTaskEvent, TaskCreateResponse, TaskObject
from agentlin_client.types._adapters import decode_event
from agentlin_client.types.fold import TaskFold
from agentlin_client.types.order import OrderValidator
from tests.sdk.wire import TASK_ID, task

WAIT_S = 5.0
AT = "2026-11-23T18:00:00.000Z"
Event = dict[str, Any]


class TaskLog:
    """Writes the log of a task that calls tools; every log is one that a server may write.

    The methods return the events that they add.
    """

    def __init__(self) -> None:
        self._fold = TaskFold()
        self._order = OrderValidator()
        self._step = 0
        self._items = 0
        self._calls: dict[str, Event] = {}
        self._pending: list[str] = []

    @property
    def task(self) -> TaskObject:
        """The task as it is."""
        return TaskObject.model_validate(self._fold.snapshot())

    def begin(self) -> list[Event]:
        """Create the task and take it up."""
        return [
            self._add("task.created", timestamp=AT, task=task("created")),
            self._add("task.working", timestamp=AT),
            self._add("task.tools_updated", tools=[]),
        ]

    def say(self, text: str) -> list[Event]:
        """Let the model say something, in a call of its own."""
        self._step += 1
        part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        item = self._item("message", role="assistant", message_content=[])
        at = {"item_id": item["id"], "agent_step": self._step, "content_index": 0}
        whole = part | {"text": text}
        return [
            self._item_event("added", item | {"status": "in_progress"}),
            self._add("task.content_part.added", **at, part=part),
            self._add("task.text.delta", **at, delta=text, logprobs=[]),
            self._add("task.text.done", **at, text=text, logprobs=[]),
            self._add("task.content_part.done", **at, part=whole),
            self._item_event("done", item | {"message_content": [whole], "status": "completed"}),
        ]

    def ask(self, *calls: tuple[str, str, str]) -> list[Event]:
        """Let the model call tools, (call_id, name, arguments) each, and rest until they answer."""
        self._step += 1
        events: list[Event] = []
        for call_id, name, arguments in calls:
            item = self._item("tool_call", call_id=call_id, name=name, arguments="")
            at = {"item_id": item["id"], "agent_step": self._step, "call_id": call_id}
            done = self._calls[call_id] = item | {"arguments": arguments, "status": "completed"}
            events += [
                self._item_event("added", item | {"status": "in_progress"}),
                self._add("task.tool_call_arguments.delta", **at, delta=arguments),
                self._add("task.tool_call_arguments.done", **at, arguments=arguments),
                self._item_event("done", done),
            ]
        self._pending = [call_id for call_id, _, _ in calls]
        return [*events, self._rest()]

    def take(self, *call_ids: str) -> list[Event]:
        """Take the answers to calls, and go on, or rest again if others are still open."""
        events: list[Event] = []
        for call_id in call_ids:
            self._pending.remove(call_id)
            empty = {"message_content": [], "block_list": []}
            item = self._item("tool_result", call_id=call_id, **empty)
            at = {"item_id": item["id"], "agent_step": self._step, "call_id": call_id}
            events += [
                self._item_event("added", item | {"status": "in_progress"}),
                self._add("task.tool_result.done", **at, **empty),
                self._item_event("done", item | {"status": "completed"}),
            ]
        if self._pending:
            return [*events, self._rest()]
        return events + self.go_on()

    def go_on(self) -> list[Event]:
        """Let a resting task be taken up again."""
        return [
            self._add("task.queued", timestamp=AT),
            self._add("task.working", timestamp=AT),
        ]

    def end(self, status: str = "completed", **fields: Any) -> list[Event]:
        """End the task, or let it rest as paused."""
        return [self._status(f"task.{status}", **fields)]

    def _rest(self) -> Event:
        return self._status(
            "task.input_required",
            input_required=self._calls[self._pending[0]],
            input_required_call_ids=list(self._pending),
        )

    def _status(self, kind: str, **fields: Any) -> Event:
        return self._add(kind, timestamp=AT, task=True, **fields)

    def _item(self, kind: str, **fields: Any) -> Event:
        self._items += 1
        return {"type": kind, "id": f"item_{self._items}", **fields}

    def _item_event(self, what: str, item: Event) -> Event:
        return self._add(f"task.output_item.{what}", agent_step=self._step, item=item)

    def _add(self, kind: str, **fields: Any) -> Event:
        number = self._fold.sequence_number + 1
        event = {"type": kind, "task_id": TASK_ID, "sequence_number": number, **fields}
        self._fold.apply(event)
        if event.get("task") is True:
            event["task"] = self._fold.snapshot()
        self._order.check(event)
        return event


class Events:
    """A stream of events, for both kinds of client; an error among them is raised when reached."""

    def __init__(self, events: Iterable[Event | Exception]) -> None:
        self._events = _decoded(events)
        self.is_closed = False

    def __iter__(self) -> Iterator[AgentTaskEvent]:
        return self._events

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.is_closed = True

    async def __aiter__(self) -> AsyncIterator[AgentTaskEvent]:
        for event in self._events:
            yield event

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.is_closed = True


def _decoded(events: Iterable[Event | Exception]) -> Iterator[AgentTaskEvent]:
    for event in events:
        if isinstance(event, Exception):
            raise event
        yield decode_event(event)


Answer = Sequence[Event | Exception] | TaskObject | BaseException


class FakeTasks:
    """`client.tasks` that answers from a script and remembers what it was asked."""

    def __init__(self, *script: Answer) -> None:
        self._script = deque(script)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.streams: list[Events] = []

    @property
    def names(self) -> list[str]:
        """The names of the methods that were called."""
        return [name for name, _ in self.asked]

    @property
    def left(self) -> int:
        """How many answers nobody has asked for."""
        return len(self._script)

    def results(self) -> list[dict[str, Any]]:
        """Return all results that were submitted: call_id -> content, per submission."""
        return [
            {item["call_id"]: item["message_content"] for item in asked["tool_results"]}
            for name, asked in self.asked
            if name == "submit_tool_results"
        ]

    def create(self, **asked: Any) -> Any:
        return self._answer("create", **asked)

    def retrieve(self, task_id: str, **asked: Any) -> Any:
        return self._answer("retrieve", task_id=task_id, **asked)

    def events(self, task_id: str, **asked: Any) -> Any:
        return self._answer("events", task_id=task_id, **asked)

    def cancel(self, task_id: str, **asked: Any) -> Any:
        return self._answer("cancel", task_id=task_id, **asked)

    def submit_tool_results(self, task_id: str, **asked: Any) -> Any:
        return self._answer("submit_tool_results", task_id=task_id, **asked)

    def _answer(self, name: str, **asked: Any) -> Any:
        self.asked.append((name, asked))
        answer = self._script.popleft()
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, TaskObject):
            return TaskCreateResponse(jsonrpc="2.0", id="req_1", result=answer)
        self.streams.append(Events(answer))
        return self.streams[-1]


class AsyncFakeTasks:
    """The async face of a `FakeTasks`."""

    def __init__(self, tasks: FakeTasks) -> None:
        self._tasks = tasks

    def __getattr__(self, name: str) -> Any:
        async def call(*args: Any, **asked: Any) -> Any:
            return getattr(self._tasks, name)(*args, **asked)

        return call


class Kit:
    """Both forms of `run` behind one face."""

    def __init__(self, kind: str) -> None:
        self.is_sync = kind == "sync"

    async def run(self, tasks: FakeTasks, **options: Any) -> TaskRun[Any]:
        given = {"user_message_content": "Weather?"} | options
        with anyio.fail_after(WAIT_S):
            if self.is_sync:
                return tool_run.run(tasks, **given)  # type: ignore[arg-type] - a fake
            return await async_tool_run.run(AsyncFakeTasks(tasks), **given)  # type: ignore[arg-type]

    def hook(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a hook as the kind may have it: async where that is possible."""
        if self.is_sync:
            return function

        async def hook(*args: Any) -> Any:
            await anyio.lowlevel.checkpoint()
            return function(*args)

        return hook


def get_weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"18 degrees in {city}"


def add(a: int, b: int) -> int:
    return a + b


CALL = ("call_1", "get_weather", '{"city": "Rome"}')
SUM = ("call_2", "add", '{"a": 1, "b": 2}')


def answered(*calls: tuple[str, str, str]) -> FakeTasks:
    """Return tasks with one that makes the calls and says `Done.` when they are answered."""
    log = TaskLog()
    first = log.begin() + log.ask(*calls)
    ids = [call_id for call_id, _, _ in calls]
    return FakeTasks(first, log.take(*ids) + log.say("Done.") + log.end())
