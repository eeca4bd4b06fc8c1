"""A small HTTP client: one connection, one request at a time, and the instants of what arrives.

Instants are those of `time.perf_counter_ns`, which processes of one machine share.
"""

import asyncio
import json
import re
import time
from collections.abc import Mapping
from typing import Any, Final, Self

from benchmarks.processes import BenchmarkError

TIMEOUT_S: Final = 60.0
CONNECT_TIMEOUT_S: Final = 30.0
_READ_BYTES: Final = 256 * 1024
_RETRY_S: Final = 0.005
_LENGTH: Final = re.compile(rb"(?i)\r\ncontent-length:\s*(\d+)")
_OK: Final = b"HTTP/1.1 200"


class Link:
    """A kept-alive connection to 127.0.0.1."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Use `open` instead."""
        self._reader = reader
        self._writer = writer
        self.sent_ns = 0
        self.answered_ns = 0

    @classmethod
    async def open(cls, port: int) -> Self:
        """Connect; a server that is about to listen is waited for.

        Raises:
            TimeoutError: nobody listens.
        """
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            while True:
                try:
                    return cls(*await asyncio.open_connection("127.0.0.1", port))
                except ConnectionRefusedError:
                    await asyncio.sleep(_RETRY_S)

    @property
    def took_ms(self) -> float:
        """From sending the last request to the whole answer, in milliseconds."""
        return (self.answered_ns - self.sent_ns) / 1e6

    async def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Send a request, and return the JSON of its answer; `took_ms` tells how long it took.

        Raises:
            BenchmarkError: it was answered with another status than 200.
            TimeoutError: there was no answer.
        """
        async with asyncio.timeout(TIMEOUT_S):
            self._send(method, path, body)
            head = await self._head(method, path)
            length = _LENGTH.search(head)
            if length is not None:
                content = await self._reader.readexactly(int(length[1]))
            else:
                content = await self._chunks()
        self.answered_ns = time.perf_counter_ns()
        return json.loads(content)

    async def stream(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> "Stream":
        """Send a request whose answer is a stream, to which this connection belongs from then on.

        Raises:
            BenchmarkError: it was answered with another status than 200.
            TimeoutError: there was no answer.
        """
        async with asyncio.timeout(TIMEOUT_S):
            self._send(method, path, body)
            await self._head(method, path)
        return Stream(self._reader, self._writer)

    def close(self) -> None:
        """Hang up."""
        self._writer.close()

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n"
        if method != "GET":
            head += f"content-type: application/json\r\ncontent-length: {len(content)}\r\n"
        self.sent_ns = time.perf_counter_ns()
        self._writer.write(head.encode() + b"\r\n" + content)

    async def _head(self, method: str, path: str) -> bytes:
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            raise BenchmarkError(f"{method} {path}: the server hung up") from error
        if not head.startswith(_OK):
            rest = await self._reader.read(_READ_BYTES)
            shown = (head + rest)[:600].decode(errors="replace")
            raise BenchmarkError(f"{method} {path}: {shown}")
        return head

    async def _chunks(self) -> bytes:
        """Return the body of an answer in chunks."""
        content = b""
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            content += (await self._reader.readexactly(size + 2))[:-2]
        await self._reader.readexactly(2)
        return content


class Stream:
    """What arrives of a stream of events, and when."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Use `Link.stream` instead."""
        self._reader = reader
        self._writer = writer
        self._unread = b""
        self._arrived_ns = 0
        self.size_bytes = 0

    async def wait_for(self, mark: str) -> int:
        """Return when the next piece that holds a mark arrived; all before it is forgotten.

        Raises:
            BenchmarkError: the stream ended without it.
            TimeoutError: it did not come.
        """
        wanted = mark.encode()
        async with asyncio.timeout(TIMEOUT_S):
            while (at := self._unread.find(wanted)) < 0:
                self._unread = self._unread[-len(wanted) :]
                data = await self._reader.read(_READ_BYTES)
                if not data:
                    raise BenchmarkError(f"the stream ended without {mark!r}")
                self._arrived_ns = time.perf_counter_ns()
                self.size_bytes += len(data)
                self._unread += data
        self._unread = self._unread[at + len(wanted) :]
        return self._arrived_ns

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


def event(kind: str) -> str:
    r"""Return what the frame of an event of that kind holds, and nothing else does.

    >>> event("task.paused")
    'event: task.paused\n'
    """
    return f"event: {kind}\n"
