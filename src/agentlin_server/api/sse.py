"""Server-sent events: an event's frame, and the response that streams them.

A frame holds the envelope, whose request id differs from reader to reader. So frames are
made once for all readers with a NUL byte in its place (JSON never contains one), and each
reader puts its own envelope in with one replace per batch.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Final

import anyio
from starlette.types import Receive, Scope, Send

from agentlin_server.api.connection import while_connected
from agentlin_server.api.envelope import envelope_prefix, id_header
from agentlin_server.domain.events import encode_json
from agentlin_server.engine.encode import decode_event, type_of
from agentlin_server.engine.hub import Published

HEARTBEAT_S: Final = 15.0
PING: Final = b": ping\n"
"""A lone comment line: a blank line after it would be an empty event to published clients."""

_ENVELOPE: Final = b"\x00"
_HEADERS: Final = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
)


def frames(segment: Published) -> bytes:
    """Return the frames of a segment, with a mark where the envelope goes; made once."""
    if segment.frames is None:
        numbered = enumerate(segment.lines, segment.first_seq)
        segment.frames = b"".join(
            lone_frame(line, seq, segment.generation) for seq, line in numbered
        )
    return segment.frames


def lone_frame(line: bytes, seq: int, generation: int) -> bytes:
    """Return one event's frame, with a mark where the envelope goes."""
    kind = type_of(line)
    end = b"}\n\n"
    if kind == "task.failed":
        end = b',"error":' + encode_json(decode_event(line).get("error")) + end
    return b"id: %d-%d\nevent: %b\ndata: \x00%b%b" % (seq, generation, kind.encode(), line, end)


def addressed(batch: Sequence[Published], envelope: bytes) -> bytes:
    """Return the frames of a batch for the reader whose envelope this is."""
    return b"".join(map(frames, batch)).replace(_ENVELOPE, envelope)


class EventStream:
    """The response that sends batches of events as they come; empty batches become pings."""

    def __init__(
        self,
        batches: AsyncIterator[Sequence[Published]],
        *,
        request_id: str,
        first: bytes = b"",
    ) -> None:
        """Stream `batches`, after the event lines `first` that no log holds."""
        self._batches = batches
        self._request_id = request_id
        self._first = first

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the batches end or the client goes."""
        extra = [(k.lower().encode(), v.encode()) for k, v in id_header(self._request_id).items()]
        headers = [*_HEADERS, *extra]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await while_connected(receive, lambda: self._send_all(send))

    async def _send_all(self, send: Send) -> None:
        envelope = envelope_prefix(self._request_id)
        if self._first:
            body = self._first.replace(_ENVELOPE, envelope)
            await send({"type": "http.response.body", "body": body, "more_body": True})
        try:
            async for batch in self._batches:
                body = addressed(batch, envelope) if batch else PING
                await send({"type": "http.response.body", "body": body, "more_body": True})
        finally:
            with anyio.CancelScope(shield=True):
                await self._batches.aclose()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType] # an async generator
        await send({"type": "http.response.body", "body": b"", "more_body": False})
