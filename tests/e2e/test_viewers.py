"""Two hundred readers of one task over real sockets, half of whom never read."""

import hashlib
import socket
import sqlite3
from contextlib import ExitStack, closing
from typing import Final

import anyio
import httpx
import pytest

from tests.api.frames import CheckedStream
from tests.e2e.conftest import Serve
from tests.requirements import requirement

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

READING: Final = 100
STALLED: Final = 100
MIB: Final = 1024 * 1024
TEXT: Final = "x" * 800_000
"""Some 3.5 MB on the wire: 350 MB if the server kept them for each of the stalled ones."""
SCRIPT: Final = f"- steps: [{{delay_s: 1}}, {{text: {TEXT}, chunks: 2000, delay_s: 0.002}}]"
HEADERS: Final = {"X-Request-ID": "the same for all"}


class Seen:
    """What one reader got: all of it would not fit a test, so a digest."""

    def __init__(self) -> None:
        self._digest = hashlib.blake2b()
        self.size = 0

    def feed(self, data: bytes) -> None:
        self._digest.update(data)
        self.size += len(data)

    @property
    def digest(self) -> bytes:
        return self._digest.digest()


async def _read(client: httpx.AsyncClient, into: Seen | CheckedStream) -> None:
    async with client.stream("GET", "/v1/tasks/t/events", headers=HEADERS) as answer:
        assert answer.status_code == 200
        async for data in answer.aiter_raw():
            into.feed(data)


def _stall(address: str) -> socket.socket:
    """Ask for the stream over a small buffer, and never read."""
    host, _, port = address.removeprefix("http://").partition(":")
    stalled = socket.socket()
    stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stalled.connect((host, int(port)))
    stalled.sendall(b"GET /v1/tasks/t/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    return stalled


@requirement("events.slow-reader", "events.same-bytes")
async def test_half_of_two_hundred_viewers_never_read_and_the_others_miss_nothing(
    serve: Serve,
) -> None:
    checked, seen = CheckedStream(), [Seen() for _ in range(READING)]
    limits = httpx.Limits(max_connections=None)
    with anyio.fail_after(90), serve(SCRIPT) as server, ExitStack() as stack:
        async with httpx.AsyncClient(base_url=server.address, limits=limits, timeout=60) as client:
            body = {"user_message_content": "Hi", "task_id": "t", "background": True}
            assert (await client.post("/v1/tasks", json=body)).status_code == 200
            before = server.rss_bytes
            for _ in range(STALLED):
                stack.enter_context(closing(_stall(server.address)))
            async with anyio.create_task_group() as group:
                group.start_soon(_read, client, checked)
                for one in seen:
                    group.start_soon(_read, client, one)
            assert checked.close()[-1].type == "task.completed"
            assert checked.text == TEXT
            assert len({one.digest for one in seen}) == 1
            assert seen[0].size > 3 * len(TEXT)
            late = Seen()
            await _read(client, late)
            assert late.digest == seen[0].digest, "from the database: the same bytes"
        grown = server.rss_bytes - before
        assert grown < STALLED * MIB, f"grew by {grown / MIB:.0f} MiB"
        with closing(sqlite3.connect(server.db)) as db:
            busy, pages, _ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert (busy, pages) == (0, 0), "a reader holds a transaction"
