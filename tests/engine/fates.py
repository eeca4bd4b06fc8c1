"""What may become of a task, each as a function that makes one and sees it through."""

from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
import anyio.abc

from agentlin_server.domain.model import ModelRequest
from agentlin_server.domain.records import OnBusy, TaskRow
from agentlin_server.domain.tool import Effect, ToolInvocation
from agentlin_server.engine.answers import ToolAnswer
from agentlin_server.models.script import (
    Answer,
    Fail,
    Gate,
    Step,
    Text,
    ToolCall,
    last_user_text,
    results_since_user,
)
from agentlin_server.models.scripted import ScriptedModel
from tests.engine.harness import Service, says, with_tools

TIMEOUT_S: Final = 60.0
REST_MAX_S: Final = 1_000.0
_DEAF_MAX_S: Final = 5.0


class WaitingTool:
    """A tool that runs until its task's gate opens; a deaf one also if it is canceled."""

    effect = Effect.READ
    description = "Waits."
    parameters: Mapping[str, Any] = {"type": "object"}

    def __init__(self, name: str, stage: "Stage", *, is_deaf: bool = False) -> None:
        self.name = name
        self._stage = stage
        self._is_deaf = is_deaf

    async def run(self, call: ToolInvocation) -> Sequence[Mapping[str, Any]]:
        """Say that it has begun, then wait."""
        cue = call.arguments["cue"]
        self._stage.begun[cue].set()
        with anyio.move_on_after(_DEAF_MAX_S, shield=self._is_deaf):
            await self._stage.gates[cue].wait()
        return [{"type": "text", "text": "waited"}]


@dataclass
class Stage:
    """The model and the tools; the first word of a task's message is its role.

    The whole message is the name of the task's gate: what waits, waits for it to open.
    """

    gates: dict[str, anyio.Event] = field(default_factory=lambda: defaultdict(anyio.Event))
    begun: dict[str, anyio.Event] = field(default_factory=lambda: defaultdict(anyio.Event))

    def __post_init__(self) -> None:
        """Make what depends on the gates."""
        self.model = ScriptedModel(self._answer)
        self.tools = (WaitingTool("wait", self), WaitingTool("sleep", self, is_deaf=True))
        self.spec = with_tools(*self.tools, client=["ask"])

    def _answer(self, request: ModelRequest) -> Answer:
        cue = last_user_text(request)
        gate, arguments = Gate(self.gates[cue].wait), f'{{"cue": "{cue}"}}'
        roles: dict[str, list[Step]] = {
            "speaks": [Text("So "), gate, ToolCall("ask", "{}", "call_1")],
            "waits": [ToolCall("wait", arguments)],
            "sleeps": [ToolCall("sleep", arguments)],
            "asks": [ToolCall("ask", "{}", "call_1")],
            "fails": [Fail("request")],
            "breaks": [Text("So "), Fail("stream")],
        }
        role = roles.get(cue.partition(" ")[0])
        return says("One ", "two") if role is None or results_since_user(request) else Answer(role)


@dataclass
class Play:
    """A service, its stage, and an audience: every task has readers that come and go."""

    service: Service
    stage: Stage
    audience: anyio.abc.TaskGroup
    seen_to_the_end: int = 0

    async def submit(self, cue: str, **changes: Any) -> TaskRow:
        """Create a task with three readers: one stays, one leaves, one is cut off."""
        task = await self.service.submit(cue, spec=self.stage.spec, **changes)
        for read in (self._stays, self._leaves, self._is_cut_off):
            self.audience.start_soon(read, task)
        return task

    async def wait_for(self, task: TaskRow, event_type: str) -> TaskRow:
        """Wait until the task's log has an event of a type; return its row as it is then."""
        await self.service.wait_for(task, event_type)
        return await self.service.row(task)

    async def speaking(self, name: str, **changes: Any) -> TaskRow:
        """Create a task, and wait until it is in the middle of an answer."""
        return await self.wait_for(
            await self.submit(f"speaks {name}", **changes), "task.text.delta"
        )

    async def asking(self, name: str, **changes: Any) -> TaskRow:
        """Create a task, and wait until it waits for an answer."""
        task = await self.submit(f"asks {name}", **changes)
        return await self.wait_for(task, "task.input_required")

    async def paused(self, name: str) -> TaskRow:
        """Create a task, and wait until it is paused: after the results of its first step."""
        task = await self.working(f"waits {name}")
        await self.service.engine.pause(task, actor="ann")
        self.stage.gates[f"waits {name}"].set()
        return await self.wait_for(task, "task.paused")

    async def working(self, cue: str) -> TaskRow:
        """Create a task, and wait until its tool has begun."""
        task = await self.submit(cue)
        with anyio.fail_after(5):
            await self.stage.begun[cue].wait()
        return await self.service.row(task)

    async def pass_s(self, seconds: float) -> None:
        """Let time pass, and the engine look at the clock."""
        self.service.clock.now += seconds
        await self.service.engine._deadlines.look()

    async def _stays(self, task: TaskRow) -> None:
        batches = self.service.reader.follow(task.pk, after_seq=-1, until_final=True, idle_s=5)
        async with aclosing(batches):
            async for _ in batches:
                pass
        self.seen_to_the_end += 1

    async def _leaves(self, task: TaskRow) -> None:
        batches = self.service.reader.follow(task.pk, after_seq=-1, until_final=True, idle_s=5)
        async with aclosing(batches):
            async for _ in batches:
                break

    async def _is_cut_off(self, task: TaskRow) -> None:
        batches = self.service.reader.follow(task.pk, after_seq=-1, until_final=True, idle_s=5)
        with anyio.CancelScope() as scope:
            async with aclosing(batches):
                async for _ in batches:
                    scope.cancel()


async def completes(play: Play, name: str) -> None:
    await play.wait_for(await play.submit(f"says {name}"), "task.completed")


async def fails(play: Play, name: str) -> None:
    await play.wait_for(await play.submit(f"fails {name}"), "task.failed")


async def fails_after_its_retries(play: Play, name: str) -> None:
    await play.wait_for(await play.submit(f"breaks {name}"), "task.failed")


async def is_canceled_in_its_answer(play: Play, name: str) -> None:
    await play.service.engine.cancel(await play.speaking(name), actor="ann")


async def is_canceled_in_its_tool(play: Play, name: str) -> None:
    await play.service.engine.cancel(await play.working(f"waits {name}"), actor="ann")


async def is_canceled_in_a_deaf_tool(play: Play, name: str) -> None:
    """It is fenced off: its run goes on for a while, and can write no more."""
    await play.service.engine.cancel(await play.working(f"sleeps {name}"), actor="ann")
    play.stage.gates[f"sleeps {name}"].set()


async def is_canceled_in_the_queue(play: Play, name: str) -> None:
    first = await play.speaking(name, session=name)
    second = await play.submit(f"says {name}", session=name)
    await play.service.engine.cancel(second, actor="ann")
    await play.service.engine.cancel(first, actor="ann")


async def is_canceled_before_its_pause(play: Play, name: str) -> None:
    task = await play.working(f"waits {name}")
    await play.service.engine.pause(task, actor="ann")
    await play.service.engine.cancel(task, actor="ann")


async def is_interrupted(play: Play, name: str) -> None:
    first = await play.speaking(name, session=name)
    second = await play.submit(f"says {name}", session=name, on_busy=OnBusy.INTERRUPT)
    await play.wait_for(first, "task.canceled")
    await play.wait_for(second, "task.completed")


async def is_paused_and_resumed(play: Play, name: str) -> None:
    task = await play.paused(name)
    await play.service.engine.resume(task, actor="ann")
    await play.wait_for(task, "task.completed")


async def is_not_paused_after_all(play: Play, name: str) -> None:
    task = await play.working(f"waits {name}")
    await play.service.engine.pause(task, actor="ann")
    await play.service.engine.resume(task, actor="ann")
    play.stage.gates[f"waits {name}"].set()
    await play.wait_for(task, "task.completed")


async def asks_instead_of_pausing(play: Play, name: str) -> None:
    """What it asks comes first; the pause that was asked for is deleted with it."""
    task = await play.speaking(name)
    await play.service.engine.pause(task, actor="ann")
    play.stage.gates[f"speaks {name}"].set()
    await play.service.engine.delete(await play.wait_for(task, "task.input_required"), actor="ann")


async def is_paused_and_deleted(play: Play, name: str) -> None:
    await play.service.engine.delete(await play.paused(name), actor="ann")


async def is_deleted_in_its_answer(play: Play, name: str) -> None:
    await play.service.engine.delete(await play.speaking(name), actor="ann")


async def is_deleted_at_its_end(play: Play, name: str) -> None:
    task = await play.wait_for(await play.submit(f"says {name}"), "task.completed")
    await play.service.engine.delete(task, actor="ann")


async def is_answered(play: Play, name: str) -> None:
    task = await play.asking(name)
    answer = ToolAnswer(call_id="call_1", message_content="yes")
    await play.service.engine.answer(task, [answer], actor="ann")
    await play.wait_for(task, "task.completed")


async def is_never_answered(play: Play, name: str) -> None:
    await play.asking(name, session=name)
    await play.wait_for(await play.submit(f"says {name}", session=name), "task.completed")


async def loses_its_creator(play: Play, name: str) -> None:
    """Who creates it leaves in the middle: it is there, or it is not."""
    for ticks in range(8):
        async with anyio.create_task_group() as group:
            group.start_soon(play.submit, f"says {name} {ticks}")
            for _ in range(ticks):
                await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()


async def expires_in_its_answer(play: Play, name: str) -> None:
    task = await play.speaking(name, timeout_s=TIMEOUT_S)
    await play.pass_s(TIMEOUT_S + 1)
    await play.wait_for(task, "task.expired")


async def expires_in_the_queue(play: Play, name: str) -> None:
    first = await play.speaking(name, session=name)
    second = await play.submit(f"says {name}", session=name, timeout_s=TIMEOUT_S)
    await play.pass_s(TIMEOUT_S + 1)
    await play.wait_for(second, "task.expired")
    await play.service.engine.cancel(first, actor="ann")


async def rests_too_long(play: Play, name: str) -> None:
    asking, paused = await play.asking(name), await play.paused(name)
    await play.pass_s(REST_MAX_S + 1)
    await play.wait_for(asking, "task.expired")
    await play.wait_for(paused, "task.expired")


Fate = Callable[[Play, str], Coroutine[Any, Any, None]]

FATES: Final[Sequence[Fate]] = (
    completes,
    fails,
    fails_after_its_retries,
    is_canceled_in_its_answer,
    is_canceled_in_its_tool,
    is_canceled_in_a_deaf_tool,
    is_canceled_in_the_queue,
    is_canceled_before_its_pause,
    is_interrupted,
    is_paused_and_resumed,
    is_not_paused_after_all,
    asks_instead_of_pausing,
    is_paused_and_deleted,
    is_deleted_in_its_answer,
    is_deleted_at_its_end,
    is_answered,
    is_never_answered,
    loses_its_creator,
)
"""Those that tasks of one service can have side by side."""

FATES_BY_TIME: Final[Sequence[Fate]] = (
    expires_in_its_answer,
    expires_in_the_queue,
    rests_too_long,
)
"""Those for which time passes, for all tasks of the service."""
