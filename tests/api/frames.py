"""Reads a stream of server-sent events byte for byte, and lets the order validator see it all.

Every stream in the tests of the server passes through a `CheckedStream`.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from agentlin_client.types.order import OrderValidator

PING: Final = b": ping\n"
_FRAME: Final = re.compile(rb"id: (\d+)-(\d+)\nevent: ([a-z_.]+)\ndata: ([^\r\n]+)\n\n")
_END: Final = re.compile(r"task\.(completed|canceled|expired|failed|paused|input_required)")


@dataclass(frozen=True, slots=True)
class Frame:
    """One event as it came: its SSE id, its envelope, and its bytes."""

    seq: int
    generation: int
    type: str
    envelope: dict[str, Any]
    raw: bytes

    @property
    def event(self) -> dict[str, Any]:
        return self.envelope["result"]

    @property
    def id(self) -> str:
        return f"{self.seq}-{self.generation}"


class CheckedStream:
    """The frames of one stream so far; whatever the contract forbids fails at once."""

    def __init__(self, *, resumed_after: int | None = None) -> None:
        self.frames: list[Frame] = []
        self.pings = 0
        self._rest = b""
        self._order = OrderValidator(resumed_after=resumed_after)

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes; return the frames that they complete."""
        data, position, new = self._rest + data, 0, []
        while position < len(data):
            if data.startswith(PING, position):
                self.pings += 1
                position += len(PING)
            elif found := _FRAME.match(data, position):
                new.append(self._checked(found))
                position = found.end()
            else:
                rest = data[position:]
                assert b"\n\n" not in rest, f"no frame: {rest[:300]!r}"
                assert PING.startswith(rest) or rest.startswith(b"id: "[: len(rest)]), rest[:300]
                break
        self._rest = data[position:]
        self.frames += new
        return new

    def _checked(self, found: "re.Match[bytes]") -> Frame:
        seq, generation, kind, data = found.groups()
        envelope = json.loads(data)
        frame = Frame(int(seq), int(generation), kind.decode(), envelope, found[0])
        event = frame.event
        assert list(envelope)[:3] == ["jsonrpc", "id", "result"], envelope
        assert envelope["jsonrpc"] == "2.0"
        assert (event["sequence_number"], event["type"]) == (frame.seq, frame.type)
        assert list(event)[:3] == ["type", "task_id", "sequence_number"]
        if frame.type == "task.failed":
            assert envelope["error"] == event["error"]
        else:
            assert "error" not in envelope
        self._order.check(event)
        return frame

    def close(self) -> list[Frame]:
        """The stream has ended: at a final or resting event, and with a whole frame."""
        assert self._rest == b"", f"cut in the middle: {self._rest[:300]!r}"
        assert self.frames
        assert _END.fullmatch(self.frames[-1].type), self.frames[-1].type
        return self.frames

    @property
    def events(self) -> list[dict[str, Any]]:
        return [frame.event for frame in self.frames]

    @property
    def text(self) -> str:
        """All message text so far."""
        return "".join(e["delta"] for e in self.events if e["type"] == "task.text.delta")


def read_frames(body: bytes, *, resumed_after: int | None = None) -> list[Frame]:
    """Return the frames of a stream that came whole."""
    stream = CheckedStream(resumed_after=resumed_after)
    stream.feed(body)
    return stream.close()
