"""A service on a socket: listens, says where, and shuts down gracefully."""

import gc
import socket
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Final

import anyio
import uvicorn

from agentlin_server.app.service import Service, running
from agentlin_server.domain.errors import AgentlinError
from agentlin_server.models.choice import ModelChoice
from agentlin_server.models.local.weights import Progress
from agentlin_server.settings import Settings

if sys.platform != "win32":
    import resource

_BACKLOG: Final = 2048
_COLLECT_EVERY: Final = 20_000
_CLOSING_S: Final = 1.0
"""What connections get beyond the running tasks' own grace to end their streams."""
_FORCED_POLL_S: Final = 0.1
_OPEN_FILES: Final = 10_240
"""Each connection is an open file. Not more than this, for macOS takes no more."""


class PortInUseError(AgentlinError):
    """Something else listens at the address."""


@dataclass(frozen=True, slots=True)
class Listening:
    """A server that answers: its address, e.g. `http://127.0.0.1:9999`, and its default model."""

    address: str
    choice: ModelChoice


class _Server(uvicorn.Server):
    """Uvicorn's server, which drains the engine before it lets go of its connections."""

    def __init__(self, config: uvicorn.Config, service: Service, *, takes_signals: bool) -> None:
        super().__init__(config)
        self._service = service
        self._takes_signals = takes_signals

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        if not self._takes_signals:
            yield
            return
        with super().capture_signals():
            yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 # uvicorn's
        """Stop at the first signal, at once at the second.

        Unlike uvicorn's, it does not raise the signal anew once connections have ended: the
        engine, the models and the database are yet to be closed.
        """
        self.force_exit = self.should_exit
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(self._hurry_when_forced, group.cancel_scope)
            # Before the socket is closed: who asks meanwhile is answered, a create with 503.
            await self._service.engine.drain()
            await super().shutdown(sockets)
            group.cancel_scope.cancel()

    async def _hurry_when_forced(self, scope: anyio.CancelScope) -> None:
        while not self.force_exit:  # noqa: ASYNC110 # set by a signal handler, which can wake nobody
            await anyio.sleep(_FORCED_POLL_S)
        scope.cancel()


async def serve(
    settings: Settings,
    *,
    on_listening: Callable[[Listening], None],
    progress: Progress | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; then let what runs go on for a while, and return.

    Raises:
        PortInUseError: see there; and what `running` raises.
    """
    async with _listening(settings, progress, takes_signals=True) as (server, sock, listening):
        on_listening(listening)
        _calm_collector()
        raise_file_limit()
        await server.serve(sockets=[sock])


@asynccontextmanager
async def embedded(
    settings: Settings, *, progress: Progress | None = None
) -> AsyncGenerator[Listening]:
    """Serve from this process, on its event loop, while in the context; signals are left alone.

    Raises:
        PortInUseError: see there; and what `running` raises.
    """
    async with (
        _listening(settings, progress, takes_signals=False) as (server, sock, listening),
        anyio.create_task_group() as group,
    ):
        group.start_soon(server.serve, [sock])
        try:
            yield listening
        finally:
            server.should_exit = True


@asynccontextmanager
async def _listening(
    settings: Settings, progress: Progress | None, *, takes_signals: bool
) -> AsyncGenerator[tuple[_Server, socket.socket, Listening]]:
    with _bound(settings) as sock:
        async with running(settings, progress=progress) as service:
            server = _Server(_config(settings, service), service, takes_signals=takes_signals)
            listening = Listening(_address(settings, sock), service.choice)
            if service.lock is not None:
                service.lock.publish(listening.address)
            yield server, sock, listening


def _bound(settings: Settings) -> socket.socket:
    """Listen already, so that a client that knows the address can connect at once."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((settings.host, settings.port))
    except OSError as exc:
        sock.close()
        raise PortInUseError(
            f"can't listen on {settings.host}:{settings.port} ({exc.strerror}): "
            "choose another port with --port"
        ) from exc
    sock.listen(_BACKLOG)
    return sock


def _address(settings: Settings, sock: socket.socket) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{sock.getsockname()[1]}"


def _config(settings: Settings, service: Service) -> uvicorn.Config:
    return uvicorn.Config(
        service.asgi,
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,  # nobody may say where a request comes from but the socket
        timeout_graceful_shutdown=round(settings.stop_grace_s + _CLOSING_S),
        backlog=_BACKLOG,
    )


def _calm_collector() -> None:
    """Leave what was loaded at the start out of every garbage collection, and collect less often.

    Requests and tasks leave next to no cycles behind; with the default threshold the
    collector took 8 % of a busy server's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_EVERY)


def raise_file_limit() -> None:
    """Let this process have `_OPEN_FILES` open, or as many as it may; many systems say 1,024."""
    if sys.platform == "win32":  # it has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # then it stays as it is
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
