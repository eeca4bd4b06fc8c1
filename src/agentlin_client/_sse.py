"""Server-sent events: bytes in, frames out, no I/O.

Follows the WHATWG HTML standard, "Server-sent events", but keeps the data as bytes, which is what
a JSON decoder wants. A frame that the stream ends in the middle of is not dispatched.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

_BOM: Final = b"\xef\xbb\xbf"


class Frame(NamedTuple):
    r"""One dispatched event of the stream.

    Attributes:
        data: The `data` lines, joined by `\n`; UTF-8.
        event: The `event` field, "" if the frame has none.
        id: The last `id` seen up to and with this frame, "" if there was none yet.
    """

    data: bytes
    event: str = ""
    id: str = ""


class FrameDecoder:
    r"""Turns the chunks of one stream into frames, however the chunks are cut.

    Input without a line end is kept as a list and joined once when its end arrives, so that a
    long line in small chunks costs linear time.

    >>> decoder = FrameDecoder()
    >>> list(decoder.feed(b'id: 7\nda')), list(decoder.feed(b'ta: {}\n\n'))
    ([], [Frame(data=b'{}', event='', id='7')])
    """

    __slots__ = ("_at_start", "_data", "_event", "_id", "_pieces", "_skip_lf")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []  # of the line that has no end yet
        self._at_start = True  # a byte order mark may still come
        self._skip_lf = False  # the last chunk ended in CR: an LF now belongs to it
        self._data: list[bytes] = []
        self._event = ""
        self._id = ""

    def feed(self, chunk: bytes) -> Iterator[Frame]:
        """Yield the frames that `chunk` completes; exhaust the iterator before the next call."""
        for line in self._lines(chunk):
            if line:
                self._take(line)
            elif self._data:
                yield self._dispatch()
            else:
                self._event = ""

    def _lines(self, chunk: bytes) -> list[bytes]:
        """Return the lines that `chunk` completes, without their ends; keep the rest of it."""
        if self._skip_lf and chunk:
            self._skip_lf = False
            chunk = chunk.removeprefix(b"\n")
        if b"\n" not in chunk and b"\r" not in chunk:
            self._pieces.append(chunk)
            return []
        self._skip_lf = chunk.endswith(b"\r")
        lines = chunk.splitlines()
        rest = b"" if chunk.endswith((b"\n", b"\r")) else lines.pop()
        self._pieces.append(lines[0])
        lines[0] = b"".join(self._pieces)
        self._pieces = [rest]
        if self._at_start:
            self._at_start = False
            lines[0] = lines[0].removeprefix(_BOM)
        return lines

    def _take(self, line: bytes) -> None:
        name, _, value = line.partition(b":")  # a comment has an empty name: no case below
        if value[:1] == b" ":
            value = value[1:]
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        elif name == b"id" and b"\0" not in value:
            self._id = value.decode("utf-8", "replace")

    def _dispatch(self) -> Frame:
        frame = Frame(b"\n".join(self._data), self._event, self._id)
        self._data.clear()
        self._event = ""
        return frame
