"""The server that a demo kills: a real process, on files of its own."""

import os
import re
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Final

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from agentlin_server.domain.errors import AgentlinError

_START_S: Final = 60.0
_STOP_S: Final = 10.0
_LINE_BYTES_MAX: Final = 64 * 1024
_ADDRESS: Final = re.compile(r"listens on (http://\S+) ")
_TOLD_MAX: Final = 2000
"""How much of the server's last words an error repeats, in characters."""


class DemoServerError(AgentlinError):
    """The server did not come up."""


class DemoServer:
    """A running server.

    Attributes:
        address: Where it listens.
    """

    def __init__(self, process: Process, address: str) -> None:
        self._process = process
        self.address = address

    async def kill(self) -> None:
        """End it with SIGKILL, as a crash would, and wait until it has ended."""
        self._process.kill()
        await self._process.wait()


@asynccontextmanager
async def demo_server(folder: Path, settings: Mapping[str, str]) -> AsyncGenerator[DemoServer]:
    """Run a server on a free port while in the context; at its end it is stopped.

    Args:
        folder: Where its database and its log are; the same folder again is a restart.
        settings: By name, without prefix; they win over the environment.

    Raises:
        DemoServerError: it did not come up.
    """
    own = {
        "HOST": "127.0.0.1",
        "PORT": "0",
        "DB": str(folder / "agentlin.db"),
        "STOP_GRACE_S": "0",  # Ctrl-C waits for no task
    }
    wanted = {f"AGENTLIN_{name}": value for name, value in (own | dict(settings)).items()}
    environment = os.environ | wanted
    log = folder / "server.log"
    with log.open("ab") as words:
        process = await anyio.open_process(
            [sys.executable, "-m", "agentlin_server.cli", "serve"],
            env=environment,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=words,
        )
    try:
        yield DemoServer(process, await _address_of(process, log))
    finally:
        with anyio.CancelScope(shield=True):
            await _stop(process)


async def _address_of(process: Process, log: Path) -> str:
    assert process.stdout is not None
    line = b""
    try:
        with anyio.fail_after(_START_S):
            stream = BufferedByteReceiveStream(process.stdout)
            line = await stream.receive_until(b"\n", _LINE_BYTES_MAX)
    except (TimeoutError, anyio.IncompleteRead, anyio.EndOfStream):
        pass
    found = _ADDRESS.search(line.decode(errors="replace"))
    if found is None:
        told = await anyio.Path(log).read_text(errors="replace")
        raise DemoServerError(f"the server did not come up:\n{told[-_TOLD_MAX:].strip()}")
    return found[1]


async def _stop(process: Process) -> None:
    """End it in order, so that its own children end too; else by force."""
    if process.returncode is None:
        process.terminate()
        with anyio.move_on_after(_STOP_S):
            await process.wait()
    if process.returncode is None:
        process.kill()
    await process.aclose()
