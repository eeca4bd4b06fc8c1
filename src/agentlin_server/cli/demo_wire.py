"""What a demo's client was really sent: the frames of its streams, byte for byte."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True, slots=True)
class Frame:
    """One event as it came over the wire.

    Attributes:
        raw: Its bytes, without comments.
        id: What it is resumed by.
        seq: Its sequence number.
        data: Its envelope.
    """

    raw: bytes
    id: str
    seq: int
    data: bytes


class Wire(httpx.AsyncBaseTransport):
    """A transport that keeps the frames of every event stream that passes through it.

    Args:
        inner: Does the sending.

    Attributes:
        frames: All of them, in the order in which they came.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport | None = None) -> None:
        self.frames: list[Frame] = []
        self._inner = inner or httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request; see `frames` for what came back."""
        response = await self._inner.handle_async_request(request)
        if response.headers.get("Content-Type", "").startswith("text/event-stream"):
            assert isinstance(response.stream, httpx.AsyncByteStream)
            response.stream = _Tee(response.stream, self.frames)
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


class _Tee(httpx.AsyncByteStream):
    """Hands the bytes of a stream on, and cuts them into frames beside that."""

    def __init__(self, stream: httpx.AsyncByteStream, frames: list[Frame]) -> None:
        self._stream = stream
        self._frames = frames

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pending = b""
        async for chunk in self._stream:
            *whole, pending = (pending + chunk).split(b"\n\n")
            self._frames.extend(map(_frame, whole))
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


def _frame(text: bytes) -> Frame:
    lines = [line for line in text.split(b"\n") if not line.startswith(b":")]
    fields: dict[str, Any] = {}
    for line in lines:
        name, _, value = line.partition(b": ")
        fields[name.decode()] = value
    frame_id: str = fields["id"].decode()
    return Frame(b"\n".join(lines), frame_id, int(frame_id.partition("-")[0]), fields["data"])
