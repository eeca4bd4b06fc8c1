"""One run: a task's stream beside the signals."""

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import anyio

from agentlin_server.cli.connect import Connection, connect
from agentlin_server.cli.exits import ExitCode
from agentlin_server.cli.follow import Printer, new_tally, report
from agentlin_server.cli.interrupt import Interrupt
from agentlin_server.cli.resting import explain
from agentlin_server.cli.terminal import drop_stdout, say
from agentlin_server.cli.waiting import Waiting

if TYPE_CHECKING:
    from agentlin_client import AsyncStream
    from agentlin_client.types import AgentTaskEvent
    from agentlin_server.settings import Settings

_SMALL_MODEL: Final = "local/smollm2"
_SMALL_MODEL_NOTE: Final = (
    "This was SmolLM2: a real model, but a very small one. For better answers set OPENAI_API_KEY "
    "or OPENAI_BASE_URL (e.g. of Ollama), or run 'agentlin models pull FILE.gguf' and use --model."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to run: the task's parameters that the options name."""

    prompt: str
    max_tokens: int | None
    temperature: float | None
    session: str | None


def load_settings(**given: Any) -> "Settings":
    """Read the settings; logs stay quiet unless a level was asked for, as the answer comes here."""
    from agentlin_server.app.logs import configure_logging
    from agentlin_server.settings import Settings

    settings = Settings.load(**given)
    level = settings.log_level if "log_level" in settings.model_fields_set else "error"
    configure_logging(level, secrets=settings.secrets)
    return settings


class TaskRun:
    """One run: the task's stream beside the signals."""

    def __init__(
        self, request: Request, settings: "Settings", *, options: str, as_json: bool
    ) -> None:
        """Prepare; `options` lead other commands to the same server (see `address_options`)."""
        self._request = request
        self._options = options
        self._settings = settings
        self._interrupt = Interrupt()
        self._waiting = Waiting("waiting for the model")
        self._printer = Printer(as_json=as_json, on_first=self._waiting.stop)
        self._as_json = as_json
        self._tally = new_tally()
        self._is_created = anyio.Event()

    async def go(self, server: str | None) -> ExitCode:
        """Run to the end, or until the second signal."""
        async with anyio.create_task_group() as group:
            await group.start(self._interrupt.watch)
            with self._interrupt.scope, self._waiting:
                async with connect(
                    self._settings, server=server, progress=self._waiting.progress
                ) as connection:
                    await self._run(connection)
            group.cancel_scope.cancel()
        if self._interrupt.scope.cancelled_caught:
            say("left before the task had stopped", style="yellow")
            return ExitCode.CANCELED
        return self._tally.exit_code

    async def _run(self, connection: Connection) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(self._cancel_when_interrupted, connection)
            await self._follow(connection)
            group.cancel_scope.cancel()
        if not self._as_json:
            report(self._tally)
            if self._tally.task is not None:
                explain(self._tally.task, options=self._options)
            is_small = _SMALL_MODEL in (self._settings.model, connection.model)
            if is_small and self._tally.exit_code is ExitCode.OK:
                say(_SMALL_MODEL_NOTE, style="dim")

    async def _follow(self, connection: Connection) -> None:
        from agentlin_client import APIConnectionError

        if self._interrupt.first.is_set():  # before there was a task
            self._tally.status = "canceled"
            return
        self._tally.began_at = perf_counter()
        async with await self._create(connection) as events:
            try:
                async for event in events:
                    self._tally.note(event, perf_counter())
                    self._is_created.set()
                    self._printer.show(event)
            except APIConnectionError:
                self._printer.end()
                command = f"agentlin tasks show {self._tally.task_id}{self._options}"
                say(f"the task is not lost: {command}", style="yellow")
                raise
            except BrokenPipeError:  # nobody reads any more, e.g. `| head -1`
                drop_stdout()
                await self._cancel(connection)
                self._tally.status = "canceled"
            finally:
                self._printer.end()

    async def _create(self, connection: Connection) -> "AsyncStream[AgentTaskEvent]":
        from agentlin_client import omit
        from agentlin_client.types import AgentConfig

        request, settings = self._request, self._settings
        config: AgentConfig | None = None
        if settings.model or settings.developer_prompt:
            # An empty model is the server's default one.
            config = {
                "model": settings.model or "",
                "developer_prompt": settings.developer_prompt,
            }
        wanted = {"max_tokens": request.max_tokens, "temperature": request.temperature}
        sampling = {name: value for name, value in wanted.items() if value is not None}
        return await connection.client.tasks.create(
            stream=True,
            user_message_content=request.prompt,
            agent_config=config or omit,
            inference_args=sampling or omit,
            session_id=request.session or omit,
        )

    async def _cancel_when_interrupted(self, connection: Connection) -> None:
        await self._interrupt.first.wait()
        await self._is_created.wait()
        self._printer.end()
        say("canceling the task; Ctrl-C again leaves at once", style="yellow")
        await self._cancel(connection)

    async def _cancel(self, connection: Connection) -> None:
        from agentlin_client import ConflictError

        assert self._tally.task_id is not None, "it came with the first event"
        try:
            await connection.client.tasks.cancel(self._tally.task_id)
        except ConflictError:
            return  # it ended by itself just before
