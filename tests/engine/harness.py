"""An engine with a real store and a scripted model, and what a client does with it."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
from msgspec.structs import replace

from agentlin_server.agent.spec import AgentSpec, ToolSpec, tool_spec
from agentlin_server.domain.events import encode_json
from agentlin_server.domain.ids import LOCAL_TENANT, SessionId
from agentlin_server.domain.model import Model
from agentlin_server.domain.ports import Store
from agentlin_server.domain.records import TaskRow
from agentlin_server.domain.status import TERMINAL
from agentlin_server.domain.tool import Tool
from agentlin_server.engine.engine import Engine
from agentlin_server.engine.hub import Hub
from agentlin_server.engine.limits import EngineLimits
from agentlin_server.engine.reader import TaskReader
from agentlin_server.engine.submission import Submission
from agentlin_server.models.redact import Redactor
from agentlin_server.models.script import Answer, Step, Text
from agentlin_server.models.scripted import ScriptedModel
from agentlin_server.store.sqlite import SqliteStore
from tests.engine.streams import collect, validated
from tests.store.database import make_empty

SECRET = "hunter2hunter2"
SPEC = AgentSpec(model="scripted/m", developer_prompt="Be brief.")
LIMITS = EngineLimits(cancel_grace_s=1.0, stop_grace_s=5.0)


@dataclass
class Clock:
    """A wall clock that moves by a millisecond per look."""

    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        """Return the time."""
        self.now += 0.001
        return self.now


@dataclass
class Service:
    """A running engine, and everything around it."""

    engine: Engine
    store: Store
    reader: TaskReader
    hub: Hub
    model: Model
    clock: Clock
    group: anyio.abc.TaskGroup

    async def submit(
        self, content: Any = "Hi", *, session: str | None = None, **changes: Any
    ) -> TaskRow:
        """Create a task; return its row."""
        task, _ = await self.engine.submit(submission(content, session=session, **changes))
        return task

    async def ended(self, task: TaskRow) -> dict[str, Any]:
        """Wait for the task's end; return its TaskObject, whose whole stream was checked."""
        batches = await collect(self.reader, task.pk)
        snapshot = validated(batches)
        row = await self.row(task)
        assert row.status in TERMINAL
        assert snapshot["status"] == row.status
        assert await self.reader.snapshot(row) == snapshot
        return snapshot

    async def run(self, content: Any = "Hi", **changes: Any) -> dict[str, Any]:
        """Create a task and wait for its end."""
        return await self.ended(await self.submit(content, **changes))

    async def row(self, task: TaskRow) -> TaskRow:
        """Return the task's row as it is now."""
        row = await self.store.get_by_pk(task.pk)
        assert row is not None
        return row

    async def wait_for(self, task: TaskRow, event_type: str) -> int:
        """Wait until the task's log has an event of a type; return its number."""
        with anyio.fail_after(5):
            batches = self.reader.follow(task.pk, after_seq=-1, until_final=True, idle_s=5)
            async for batch in batches:
                for segment in batch:
                    for seq, line in enumerate(segment.lines, segment.first_seq):
                        if line.startswith(b'{"type":"%s"' % event_type.encode()):
                            await batches.aclose()
                            return seq
        raise AssertionError(f"{task.id} ended without {event_type}")


def submission(content: Any = "Hi", *, session: str | None = None, **changes: Any) -> Submission:
    """Return a create request."""
    fields: dict[str, Any] = {
        "tenant": LOCAL_TENANT,
        "task_id": None,
        "session_id": None if session is None else SessionId(session),
        "user_id": None,
        "client_id": None,
        "spec": SPEC,
        "user_message_content": content,
        "caller": "key of ann",
        "canonical_body": encode_json({"content": content, **_named(changes)}),
    }
    return Submission(**fields | changes)


def _named(changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: str(changes[name]) for name in ("task_id",) if name in changes}


def says(*words: str) -> Answer:
    """Return an answer of one message, one delta per word."""
    return Answer([Text(word) for word in words])


Script = Sequence[Answer | Sequence[Step]]


def scripted(answers: Script, **options: Any) -> ScriptedModel:
    """Return a model that gives these answers, in order."""
    return ScriptedModel(
        [one if isinstance(one, Answer) else Answer(list(one)) for one in answers], **options
    )


@asynccontextmanager
async def serving(
    model: Model,
    *,
    path: Path | str = ":memory:",
    limits: EngineLimits = LIMITS,
    wrap: Callable[[Store], Store] = lambda store: store,
    clock: Clock | None = None,
    tools: Sequence[Tool] = (),
    elapsed: Callable[[], float] | None = None,
) -> AsyncGenerator[Service]:
    """Run an engine while in the context; leaving it stops the engine as a kill would."""
    if isinstance(path, Path):
        make_empty(path)
    opened = await SqliteStore.open(path)
    store = wrap(opened)
    hub, clock = Hub(), clock or Clock()
    reader = TaskReader(store, hub)
    engine = Engine(
        store=store,
        hub=hub,
        reader=reader,
        resolve_model=lambda name: (model, name.partition("/")[2]),
        redact=Redactor([SECRET]).redact,
        clock=clock,
        secret=b"secret of the test",
        limits=limits,
        tools={tool.name: tool for tool in tools},
        elapsed=elapsed or clock,
    )
    try:
        async with anyio.create_task_group() as group:
            with anyio.fail_after(10):
                await group.start(_serve, engine)
            yield Service(engine, store, reader, hub, model, clock, group)
            group.cancel_scope.cancel()
    finally:
        await opened.close()


async def _serve(engine: Engine, *, task_status: anyio.abc.TaskStatus[None]) -> None:
    await engine.serve(task_status=task_status)


def with_tools(*tools: Tool, client: Sequence[str] = ()) -> AgentSpec:
    """Return an agent that has these tools, and lets the client run the others."""
    own = [tool_spec(tool) for tool in tools]
    asked = [ToolSpec(name=name, parameters={"type": "object"}) for name in client]
    return replace(SPEC, tools=(*own, *asked))


def results_of(task: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the texts of a task's completed tool results, by call id."""
    texts: dict[str, list[str]] = {}
    for item in task["output"]:
        if item["type"] == "tool_result" and item["status"] == "completed":
            text = "".join(part["text"] for part in item["message_content"])
            texts.setdefault(item["call_id"], []).append(text)
    return texts


def text_of(task: Mapping[str, Any]) -> str:
    """Return the text of a task's completed messages."""
    return "".join(
        part["text"]
        for item in task["output"]
        if item["type"] == "message" and item["status"] == "completed"
        for part in item["message_content"]
    )
