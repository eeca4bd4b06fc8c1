"""`agentlin demo crash`: the run. Follow, kill, restart, follow on, then check all of it."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.to_thread

from agentlin_server.cli.demo_plan import TOOL, Plan
from agentlin_server.cli.demo_proof import Proof, prove
from agentlin_server.cli.demo_screen import Screen
from agentlin_server.cli.demo_server import DemoServer, demo_server
from agentlin_server.cli.demo_wire import Wire
from agentlin_server.cli.exits import ExitCode, complain
from agentlin_server.cli.interrupt import Interrupt
from agentlin_server.cli.terminal import write_data
from agentlin_server.cli.waiting import Waiting
from agentlin_server.domain.errors import AgentlinError
from agentlin_server.tools.ledger import Ledger

if TYPE_CHECKING:
    from agentlin_client import AsyncClient, AsyncStream
    from agentlin_client.types import AgentTaskEvent

_LIMIT_S: Final = 900.0
"""Longest demo; a real model may have to be fetched first."""
_TOOL_S: Final = 30.0
_POLL_S: Final = 0.01
_REQUEST_ID: Final = "demo"
"""The same in every request: it is part of each frame, and those are compared."""


class DemoError(AgentlinError):
    """The demo could not be given; says nothing about what it was to show."""


class CrashDemo:
    """One run of the demo."""

    def __init__(self, plan: Plan, folder: Path, *, as_json: bool) -> None:
        self._plan = plan
        self._folder = folder
        self._as_json = as_json
        self._wire = Wire()
        self._screen = Screen(is_quiet=as_json)
        self._waiting = Waiting(None if plan.has_tool else "waiting for the model")
        self._ledger = Ledger(plan.ledger_dir or folder)
        self._killed_at: float | None = None
        self._back_after_s: float | None = None
        self._task_id = ""

    async def go(self) -> ExitCode:
        """Run it; Ctrl-C ends it, and the server with it."""
        interrupt = Interrupt()
        code = ExitCode.CANCELED
        async with anyio.create_task_group() as group:
            await group.start(interrupt.watch)
            group.start_soon(_cancel_at, interrupt.first, group.cancel_scope)
            with anyio.move_on_after(_LIMIT_S) as limit:
                try:
                    code = await self._run()
                finally:
                    self._screen.end_line()
            if limit.cancelled_caught:
                raise DemoError(f"the demo did not end within {_LIMIT_S:.0f} s")
            group.cancel_scope.cancel()
        return code

    async def _run(self) -> ExitCode:
        self._screen.note(f"task: {self._plan.prompt}")
        last_id = await self._until_killed()
        if last_id is None:
            self._screen.end_line()
            complain("the task ended before the server was killed: ask for a longer answer")
            return ExitCode.FAILED
        seen = len(self._wire.frames)
        self._screen.note(f"server killed (-9) after {seen} events", style="red")
        async with self._server() as server:
            self._screen.note("started again, on the same database")
            async with self._client(server, self._wire) as client:
                await self._follow(await self._events(client, after=last_id), None)
            proof = await self._prove(server)
        self._report(proof, seen)
        return ExitCode.OK if proof.holds else ExitCode.FAILED

    async def _until_killed(self) -> str | None:
        """Run a task until its server is killed; one that is too short for that is run anew.

        Returns:
            The id after which to go on; None if every try was too short.
        """
        for n in range(self._plan.tries):
            if n:
                self._screen.note("the task ended before the server was killed: once more")
            self._killed_at = None
            self._wire.frames.clear()
            async with self._server() as server, self._client(server, self._wire) as client:
                last_id = await self._follow(await self._create(client), server)
            if last_id is not None:
                return last_id
        return None

    async def _follow(
        self, events: "AsyncStream[AgentTaskEvent]", server: DemoServer | None
    ) -> str | None:
        """Show events until the task ends, or until the server was killed at the kill point.

        Args:
            events: The stream.
            server: What to kill; None follows to the end.

        Returns:
            The id after which to go on; None if the task ended.
        """
        from agentlin_client import APIConnectionError

        with self._waiting:
            async with events:
                try:
                    async for event in events:
                        self._show(event)
                        if server is not None and self._plan.kill_point(event):
                            await self._kill(server)
                except APIConnectionError:
                    if server is None or self._killed_at is None:
                        raise
                    return events.last_event_id
        return None

    def _show(self, event: "AgentTaskEvent") -> None:
        self._task_id = event.task_id
        if self._killed_at is not None and self._back_after_s is None:
            self._back_after_s = perf_counter() - self._killed_at
        if event.type.endswith(".delta"):
            self._waiting.stop()
        self._screen.show(event)

    async def _kill(self, server: DemoServer) -> None:
        if self._killed_at is not None:
            return  # its last events are still in the pipe
        if self._plan.waits_for_tool:
            await self._wait_tool_begun()
        await server.kill()
        self._killed_at = perf_counter()

    async def _wait_tool_begun(self) -> None:
        with anyio.move_on_after(_TOOL_S):
            while not await anyio.to_thread.run_sync(self._ledger.entries):  # noqa: ASYNC110 # the ledger is another process's file: nobody here could set an event
                await anyio.sleep(_POLL_S)
            return
        raise DemoError("the tool did not begin")

    async def _prove(self, server: DemoServer) -> Proof:
        wire = Wire()
        async with self._client(server, wire) as client:
            async for _ in await self._events(client, after=None):
                pass
        return prove(
            shown=self._wire.frames,
            log=wire.frames,
            ledger=await anyio.to_thread.run_sync(self._ledger.entries),
            tool=TOOL,
            tool_calls_expected=self._plan.tool_calls,
        )

    def _report(self, proof: Proof, seen: int) -> None:
        if self._as_json:
            figures: dict[str, Any] = {
                "task_id": self._task_id,
                "model": self._plan.model,
                "events_before_kill": seen,
                "back_after_s": round(self._back_after_s or 0.0, 3),
            }
            write_data(json.dumps(figures | proof.to_dict()) + "\n")
            return
        if proof.status != "completed":
            self._screen.note(f"the task is {proof.status}", style="red")
        if proof.fault is not None:
            self._screen.note(proof.fault, style="red")
        self._screen.end(proof.line(), is_good=proof.holds)

    def _server(self) -> Any:
        return demo_server(self._folder, {"MODEL": self._plan.model} | self._plan.settings)

    @asynccontextmanager
    async def _client(self, server: DemoServer, wire: Wire) -> AsyncGenerator["AsyncClient"]:
        import httpx

        from agentlin_client import AsyncClient

        async with (
            httpx.AsyncClient(transport=wire) as http,
            AsyncClient(
                base_url=f"{server.address}/v1", api_key="none", http_client=http, max_retries=0
            ) as one,
        ):
            yield one

    async def _create(self, client: "AsyncClient") -> "AsyncStream[AgentTaskEvent]":
        from agentlin_client import omit

        return await client.tasks.create(
            stream=True,
            user_message_content=self._plan.prompt,
            inference_args=self._plan.sampling or omit,
            request_id=_REQUEST_ID,
        )

    async def _events(
        self, client: "AsyncClient", *, after: str | None
    ) -> "AsyncStream[AgentTaskEvent]":
        from agentlin_client import omit

        return await client.tasks.events(
            self._task_id,
            starting_after=omit if after is None else after,
            extra_headers={"X-Request-ID": _REQUEST_ID},
        )


async def _cancel_at(event: anyio.Event, scope: anyio.CancelScope) -> None:
    await event.wait()
    scope.cancel()
