"""All parts of a running service, wired together, without a socket."""

import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import anyio

from agentlin_server.agent.spec import AgentSpec, tool_spec
from agentlin_server.api.guard import Guard, is_loopback_name
from agentlin_server.api.meta import MetaRoutes
from agentlin_server.api.routes import build
from agentlin_server.api.tasks import TaskRoutes
from agentlin_server.app import secret
from agentlin_server.app.providers import Models, open_models
from agentlin_server.domain.errors import ModelNotFoundError
from agentlin_server.domain.model import Model
from agentlin_server.domain.ports import Store
from agentlin_server.domain.tool import Tool
from agentlin_server.engine.engine import Engine
from agentlin_server.engine.hub import Hub
from agentlin_server.engine.limits import EngineLimits
from agentlin_server.engine.reader import TaskReader
from agentlin_server.models.choice import ModelChoice
from agentlin_server.models.local.weights import Progress
from agentlin_server.models.redact import Redactor
from agentlin_server.settings import Settings, SettingsError
from agentlin_server.store.lock import DatabaseLock
from agentlin_server.store.sqlite import SqliteStore
from agentlin_server.tools.registry import build_tools


def agentlin_version() -> str:
    """Return the installed version; `0` when run from a tree that is not installed."""
    try:
        return version("agentlin")
    except PackageNotFoundError:
        return "0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service that runs.

    Attributes:
        asgi: Its HTTP application.
        engine: Runs its tasks.
        choice: The default model.
        lock: Held while it runs; None for a database in memory.
    """

    asgi: Guard
    engine: Engine
    choice: ModelChoice
    lock: DatabaseLock | None


@asynccontextmanager
async def running(
    settings: Settings, *, progress: Progress | None = None
) -> AsyncGenerator[Service]:
    """Run the service, without a listening socket, while in the context.

    Args:
        settings: The settings.
        progress: Told how far a fetch of weights is, should the first call need one.

    Raises:
        SettingsError: settings that don't fit together.
        DatabaseInUseError: another server uses the database.
        StorageError: the database can't be opened.
        ModelError: the default model can't be chosen.
    """
    _check(settings)
    async with AsyncExitStack() as stack:
        lock = None if settings.is_in_memory else DatabaseLock(Path(settings.db))
        if lock is not None:
            lock.acquire()
            stack.callback(lock.release)
        models = await open_models(settings, progress=progress)
        stack.push_async_callback(models.registry.aclose)
        store = await SqliteStore.open(settings.db)
        stack.push_async_callback(store.close)
        hub = Hub()
        reader = TaskReader(store, hub)
        tools = build_tools(ledger_dir=settings.ledger_dir)
        engine = _engine(settings, store, hub, reader, models, tools=tools)
        group = await stack.enter_async_context(anyio.create_task_group())
        stack.callback(group.cancel_scope.cancel)
        await group.start(_serve, engine)
        asgi = _asgi(settings, engine, reader, store, models, tools=tools)
        yield Service(asgi=asgi, engine=engine, choice=models.choice, lock=lock)


async def _serve(engine: Engine, *, task_status: anyio.abc.TaskStatus[None]) -> None:
    await engine.serve(task_status=task_status)


def _engine(
    settings: Settings,
    store: Store,
    hub: Hub,
    reader: TaskReader,
    models: Models,
    *,
    tools: Mapping[str, Tool],
) -> Engine:
    def resolve(name: str) -> tuple[Model, str]:
        resolved = models.registry.resolve(name)
        return resolved.model_port, resolved.name

    key = secret.one_time()
    if not settings.is_in_memory:
        key = secret.load_or_make(Path(f"{settings.db}.key"))
    return Engine(
        store=store,
        hub=hub,
        reader=reader,
        resolve_model=resolve,
        redact=Redactor(settings.secrets).redact,
        clock=time.time,
        secret=key,
        tools=tools,
        limits=EngineLimits(
            running_max=settings.running_max,
            waiting_max=settings.waiting_max,
            stop_grace_s=settings.stop_grace_s,
            timeout_s=settings.timeout_s,
            paused_max_s=settings.paused_max_s,
            input_required_max_s=settings.input_required_max_s,
            seal_after_s=settings.seal_after_s,
            keep_s=settings.keep_s,
        ),
    )


def _asgi(
    settings: Settings,
    engine: Engine,
    reader: TaskReader,
    store: Store,
    models: Models,
    *,
    tools: Mapping[str, Tool],
) -> Guard:
    tasks = TaskRoutes(
        engine=engine,
        reader=reader,
        store=store,
        default_agent=AgentSpec(
            model=models.choice.name,
            developer_prompt=settings.developer_prompt,
            step_max=settings.step_max,
            tools=tuple(map(tool_spec, tools.values())),
        ),
        full_model_name=partial(_full_model_name, models),
        body_size_max=settings.body_size_max,
        keep_alive_s=settings.keep_alive_s,
        heartbeat_s=settings.heartbeat_s,
    )
    return Guard(
        build(
            tasks,
            MetaRoutes(
                store=store, version=agentlin_version(), is_stopping=lambda: engine.is_stopping
            ),
        ),
        allowed_hosts=settings.allowed_hosts,
        allowed_origins=settings.allowed_origins,
    )


def _full_model_name(models: Models, name: str) -> str:
    try:
        return models.registry.resolve(name).full_name
    except ModelNotFoundError:
        return name  # the task will fail, and say so


def _check(settings: Settings) -> None:
    if not is_loopback_name(settings.host):
        raise SettingsError(
            f"host {settings.host!r}: there are no keys yet, so the server listens on this machine "
            "only; use 127.0.0.1, and put a reverse proxy with authentication in front of it"
        )
