"""A provider that says, byte for byte, what a test tells it to: raw HTTP on a loopback socket."""

import json
import socket
import struct
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Final

import anyio
import anyio.abc


class Act(Enum):
    """What an answer may do beside writing bytes and waiting for events."""

    HOLD = auto()  # until the client hangs up, which sets `MockProvider.hung_up`
    RESET = auto()  # break the connection with a TCP reset
    CLOSE = auto()  # end the connection


Step = bytes | anyio.Event | Act


@dataclass(frozen=True)
class Received:
    """A request as it came; `connection` numbers the connections from 0."""

    method: str
    path: str
    headers: Mapping[str, str]  # names in lower case
    body: Any
    connection: int


@dataclass
class MockProvider:
    port: int
    answers: deque[Sequence[Step]] = field(default_factory=deque)
    received: list[Received] = field(default_factory=list)
    hung_up: anyio.Event = field(default_factory=anyio.Event)
    connections: int = 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def will_answer(self, *steps: Step) -> None:
        """Queue the answer to one more request; the last step should end it."""
        self.answers.append(steps)

    async def serve_connection(self, stream: anyio.abc.SocketStream) -> None:
        connection = self.connections
        self.connections += 1
        async with stream:
            try:
                while (request := await _read_request(stream, connection)) is not None:
                    self.received.append(request)
                    if await self._play(self.answers.popleft(), stream):
                        return
            except (anyio.BrokenResourceError, anyio.EndOfStream):
                pass
            self.hung_up.set()

    async def _play(self, steps: Sequence[Step], stream: anyio.abc.SocketStream) -> bool:
        """Play an answer; return whether the connection is to be closed."""
        for step in steps:
            if isinstance(step, bytes):
                await stream.send(step)
            elif isinstance(step, anyio.Event):
                await step.wait()
            elif step is Act.HOLD:
                while True:
                    await stream.receive()
            else:
                if step is Act.RESET:
                    raw: socket.socket = stream.extra(anyio.abc.SocketAttribute.raw_socket)
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return True
        return False


async def _read_request(stream: anyio.abc.SocketStream, connection: int) -> Received | None:
    data = b""
    while b"\r\n\r\n" not in data:
        try:
            data += await stream.receive()
        except anyio.EndOfStream:
            return None
        if data.startswith(b"\x16\x03"):  # a client that wants TLS, which is not spoken here
            await stream.send(answer(400))
            return None
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    while len(body) < int(headers.get("content-length", 0)):
        body += await stream.receive()
    return Received(method, path, headers, json.loads(body) if body else None, connection)


@asynccontextmanager
async def mock_provider() -> AsyncGenerator[MockProvider]:
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    provider = MockProvider(listener.extra(anyio.abc.SocketAttribute.local_port))
    async with listener, anyio.create_task_group() as tg:
        tg.start_soon(listener.serve, provider.serve_connection)
        yield provider
        tg.cancel_scope.cancel()


SSE_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
"""Begins an answer that ends with its connection."""
CHUNKED_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)
LAST_CHUNK: Final = b"0\r\n\r\n"
DONE: Final = b"data: [DONE]\n\n"


def http_chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def answer(status: int, body: Any = b"", *, headers: Mapping[str, str] | None = None) -> bytes:
    """Return a whole answer that keeps its connection; `body` is bytes, or becomes JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {
        "Content-Type": "application/json",
        "Content-Length": str(len(data)),
        **(headers or {}),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Whatever\r\n{lines}\r\n".encode() + data


def event(obj: Any, *, newline: bytes = b"\n") -> bytes:
    return b"data: " + json.dumps(obj).encode() + newline * 2


def delta(finish_reason: str | None = None, logprobs: Any = None, **fields: Any) -> bytes:
    """Return the event of one delta, e.g. `delta(content="Hi")`."""
    return event(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "choices": [
                {"index": 0, "delta": fields, "logprobs": logprobs, "finish_reason": finish_reason}
            ],
            "usage": None,
        }
    )


def usage(**fields: Any) -> bytes:
    return event({"choices": [], "usage": fields})
