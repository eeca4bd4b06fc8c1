"""Which server a command talks to, always through HTTP and the SDK.

One that was named, else the one that runs on the database, else one of our own for as long as
the command takes.
"""

import ipaddress
import os
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import anyio

from agentlin_server.cli.terminal import say

if TYPE_CHECKING:
    from agentlin_client import AsyncClient, Retry
    from agentlin_server.models.local import Progress
    from agentlin_server.settings import Settings

_START_TRIES_S: Final = 5.0
"""How long to wait for a server that is just starting, or just ending, on the database."""
_RETRY_S: Final = 0.1
_NO_KEY: Final = "none"
"""What is sent as a key where none is needed: the SDK insists on one, our server ignores it."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A server that answers.

    Attributes:
        client: Talks to it.
        address: Where it is.
        model: Its default model; None if that isn't known, as it is not our own.
    """

    client: "AsyncClient"
    address: str
    model: str | None


@asynccontextmanager
async def connect(
    settings: "Settings", *, server: str | None = None, progress: "Progress | None" = None
) -> AsyncGenerator[Connection]:
    """Yield a connection; a server of our own is stopped in the end.

    Args:
        settings: Of the command: the database, and how to serve it if nobody does.
        server: URL of the server to use; None takes what `named_server` or the database says.
        progress: Told how far a fetch of weights is, if our own server needs one.

    Raises:
        ClientError: the URL can't be one, or needs a key.
        AgentlinError: no server runs, and none can be started.
    """
    from agentlin_client import AsyncClient

    async with AsyncExitStack() as stack:
        if server is not None:
            address, model, key = server, None, _key_of(server)
        else:
            address, model = await _local(stack, settings, progress)
            key = _NO_KEY
        base_url = address if server is not None else f"{address}/v1"
        client = await stack.enter_async_context(
            AsyncClient(base_url=base_url, api_key=key, on_retry=_tell)
        )
        yield Connection(client, address, model)


def named_server(server: str | None, *, db: str | None) -> str | None:
    """Return the URL of the server that the options or the environment name, None if none do.

    Args:
        server: The option `--server`.
        db: The option `--db`; it wins over `AGENTLIN_BASE_URL`, as it was given with the command.
    """
    if server or db:
        return server
    return os.environ.get("AGENTLIN_BASE_URL") or None


def _tell(retry: "Retry") -> None:
    """Say that a request, or a stream, is tried once more."""
    when = f"in {retry.delay_s:.1f} s" if retry.delay_s else "now"
    say(
        f"{retry.error.message} Trying again {when} ({retry.number} of {retry.retries_max}).",
        style="yellow",
    )


async def _local(
    stack: AsyncExitStack, settings: "Settings", progress: "Progress | None"
) -> tuple[str, str | None]:
    """Return the address of the database's server, and its default model if we started it."""
    from agentlin_server.store.lock import DatabaseInUseError, DatabaseLock

    lock = None if settings.is_in_memory else DatabaseLock(Path(settings.db))
    give_up_at = anyio.current_time() + _START_TRIES_S
    while True:
        address = None if lock is None else lock.server_address()
        if address is not None:
            return address, None
        try:
            return await _embed(stack, settings, progress)
        except DatabaseInUseError:
            if anyio.current_time() > give_up_at:
                raise
        await anyio.sleep(_RETRY_S)


async def _embed(
    stack: AsyncExitStack, settings: "Settings", progress: "Progress | None"
) -> tuple[str, str]:
    from agentlin_server.app.serve import embedded

    free = settings.model_copy(update={"host": "127.0.0.1", "port": 0})
    listening = await stack.enter_async_context(embedded(free, progress=progress))
    return listening.address, listening.choice.name


def _key_of(server: str) -> str | None:
    """Return the key to send to a named server; None lets the SDK find it, or say it's missing."""
    if os.environ.get("AGENTLIN_API_KEY") or not _is_loopback(urlsplit(server).hostname or ""):
        return None
    return _NO_KEY


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
