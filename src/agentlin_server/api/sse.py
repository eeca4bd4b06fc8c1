"""Server-sent events: an event's frame, and the response that streams them.

A frame holds the envelope, whose request id differs from reader to reader. So frames are
made once for all readers with a NUL byte in its place (JSON never contains one), and each
reader puts its own envelope in with one replace per batch.
"""

import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from itertools import chain
from typing import Final

from starlette.types import Receive, Scope, Send

from agentlin_server.api.connection import LOOK_EVERY_S, is_gone
from agentlin_server.api.envelope import envelope_prefix, id_header
from agentlin_server.domain.events import FINAL_TYPES, encode_json
from agentlin_server.engine.encode import decode_event, type_of
from agentlin_server.engine.hub import Published

HEARTBEAT_S: Final = 15.0
PING: Final = b": ping\n"
"""A lone comment line: a blank line after it would be an empty event to published clients."""

_ENVELOPE: Final = b"\x00"
_FRAME_END: Final = b"\n\n"
_FRAME_CLOSE: Final = b"}" + _FRAME_END
_PIECE_BYTES: Final = 64 * 1024
_HEADERS: Final = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
)


def frames(segment: Published) -> bytes:
    """Return the frames of a segment, with a mark where the envelope goes; made once."""
    if segment.frames is None:
        parts: list[bytes] = []
        beginning, middle, end = b"\n", b"", b""  # no line begins with a newline
        for seq, line in enumerate(segment.lines, segment.first_seq):
            if not line.startswith(beginning):  # another type than the line before
                kind = type_of(line).encode()
                beginning = b'{"type":"%b"' % kind
                middle = b"-%d\nevent: %b\ndata: \x00" % (segment.generation, kind)
                end = _end_of_frame(line) if kind == b"task.failed" else _FRAME_CLOSE
            parts.append(b"id: %d%b%b%b" % (seq, middle, line, end))
        segment.frames = b"".join(parts)
    return segment.frames


def lone_frame(line: bytes, seq: int, generation: int) -> bytes:
    """Return one event's frame, with a mark where the envelope goes."""
    return frames(Published(rev=0, generation=generation, first_seq=seq, lines=[line]))


def _end_of_frame(failed: bytes) -> bytes:
    """Close the envelope of task.failed, which has the error beside the result too."""
    error = encode_json(decode_event(failed).get("error"))
    return b',"error":' + error + _FRAME_CLOSE


def addressed(batch: Sequence[Published], envelope: bytes) -> Iterator[bytes]:
    """Yield the frames of a batch for the reader whose envelope this is.

    In pieces, each made when it is its turn: a reader that stops in the middle of a large
    batch (the last events of a long answer) holds a piece of it, and shares the rest.
    """
    gathered: list[bytes] = []
    size = 0
    for piece in chain.from_iterable(map(_pieces, map(frames, batch))):
        if size + len(piece) > _PIECE_BYTES and gathered:
            yield b"".join(gathered).replace(_ENVELOPE, envelope)
            gathered, size = [], 0
        gathered.append(piece)
        size += len(piece)
    yield b"".join(gathered).replace(_ENVELOPE, envelope)


def _pieces(whole: bytes) -> Iterator[bytes]:
    """Cut frames into pieces, between two frames where one is not larger than a piece."""
    start = 0
    while len(whole) - start > _PIECE_BYTES:
        cut = whole.rfind(_FRAME_END, start, start + _PIECE_BYTES)
        end = start + _PIECE_BYTES if cut < 0 else cut + len(_FRAME_END)
        yield whole[start:end]
        start = end
    yield whole[start:] if start else whole


class EventStream:
    """The response that sends batches of events as they come; empty batches become pings."""

    def __init__(
        self,
        batches: AsyncGenerator[Sequence[Published]],
        *,
        request_id: str,
        heartbeat_s: float = HEARTBEAT_S,
        first: bytes = b"",
    ) -> None:
        """Stream `batches`, after the frame `first` that no log holds.

        Empty batches must come every `LOOK_EVERY_S` or so; one becomes a ping if nothing was
        sent for `heartbeat_s`.
        """
        self._batches = batches
        self._request_id = request_id
        self._first = first
        self._heartbeat_s = heartbeat_s

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the batches end or the client is found to be gone."""
        extra = [(k.lower().encode(), v.encode()) for k, v in id_header(self._request_id).items()]
        headers = [*_HEADERS, *extra]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        envelope = envelope_prefix(self._request_id)
        if self._first:
            await _send_part(send, self._first.replace(_ENVELOPE, envelope))
        looked_at = sent_at = time.monotonic()
        try:
            async for batch in self._batches:
                now = time.monotonic()
                if batch:
                    is_last = batch[-1].last_type in FINAL_TYPES
                    await _send_pieces(send, addressed(batch, envelope), is_last=is_last)
                    if is_last:
                        return
                    sent_at = now
                elif now - sent_at >= self._heartbeat_s:
                    await _send_part(send, PING)
                    sent_at = now
                if now - looked_at >= LOOK_EVERY_S:
                    if await is_gone(receive):
                        break
                    looked_at = now
        finally:
            await self._batches.aclose()  # suspends nowhere, so it needs no shield
        await _send_part(send, b"", is_last=True)


async def _send_pieces(send: Send, pieces: Iterator[bytes], *, is_last: bool) -> None:
    piece = next(pieces)
    for following in pieces:
        await _send_part(send, piece)
        piece = following
    await _send_part(send, piece, is_last=is_last)


async def _send_part(send: Send, body: bytes, *, is_last: bool = False) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": not is_last})
