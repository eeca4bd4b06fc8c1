"""Server-sent events: bytes in, frames out, no I/O.

Follows the WHATWG HTML standard, "Server-sent events", but for three things: the data stay bytes,
which is what a JSON decoder wants; the `event` field is passed over, as our events say their type
themselves; and a frame whose data are empty is dropped. Like there, a frame that the stream ends
in the middle of is not dispatched.
"""

import re
from collections.abc import Callable
from typing import Final, TypeAlias

RawFrame: TypeAlias = tuple[bytes, bytes, bytes]
"""A frame: its id, its data (UTF-8), and nothing: the third group of `_PLAIN`."""

_PLAIN: Final[Callable[[bytes], list[RawFrame]]] = re.compile(
    rb"id: ([^\n\0]*)\n(?:event: .*\n)?data: (.+)\n\n|((?s:.+))"
).findall
"""The frames at the start of a text that are written as most servers write them: (id, data, "").

What begins where the next one is not, or not yet, of that form comes last: ("", "", the rest).
"""

_PLAIN_CRLF: Final[Callable[[bytes], list[RawFrame]]] = re.compile(
    rb"id: ([^\r\n\0]*)\r\n(?:event: [^\r\n]*\r\n)?data: (.+)\r\n\r\n|((?s:.+))"
).findall
"""The same with CRLF. The data may still hold a CR: to rule that out here would cost more."""

_BARE: Final[Callable[[bytes], list[tuple[bytes, bytes]]]] = re.compile(
    rb"(?:event: .*\n)?data: (.+)\n\n|((?s:.+))"
).findall
"""The same without ids: (data, "")."""

_BOM: Final = b"\xef\xbb\xbf"
_NUL: Final = 0  # `in` finds a number five times as fast as a byte string
_LF: Final = ord(b"\n")
_CR: Final = ord(b"\r")
_LINE_ENDS: Final = (_LF, _CR)


class Framer:
    r"""Turns the chunks of one stream into frames, however the chunks are cut and lines end.

    Line ends are made LF as they come in, so that a blank line is always two LF in a row. Input
    without a blank line is kept as a list and joined once, when the blank line has come: a long
    event in small chunks costs linear time. Frames in the usual form are then found by one
    regular expression, and whatever else the standard allows line by line.

    >>> framer = Framer()
    >>> framer.feed(b"id: 7-1\nevent: a\nda"), framer.feed(b"ta: {}\n\n: ping\n")
    ([], [(b'7-1', b'{}', b'')])
    """

    __slots__ = ("_at_start", "_id", "_is_odd", "_pieces", "_skip_lf")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []  # what came after the last blank line
        self._id = b""
        self._at_start = True  # a byte order mark may still come
        self._skip_lf = False  # the last chunk ended in CR: an LF now belongs to it
        self._is_odd = True  # one of the two above, in one look

    def feed(self, chunk: bytes) -> list[RawFrame]:
        """Return the frames that `chunk` completes, but those whose data are empty.

        A frame's id is the last one seen up to and with the frame, b"" if there was none yet.
        """
        pieces = self._pieces
        if self._is_odd or _CR in chunk:
            if not (self._is_odd or pieces) and (frames := self._all_crlf(chunk)):
                return frames
            chunk = self._with_lf(chunk)
        if pieces:
            if chunk:
                pieces.append(chunk)
            if not (_LF in chunk and (b"\n\n" in chunk or _is_blank_line(*pieces[-2:]))):
                return []
            chunk = b"".join(pieces)
            pieces.clear()
        frames = _PLAIN(chunk)
        if frames:
            if rest := frames[-1][2]:
                del frames[-1]
                self._id = frames[-1][0] if frames else self._id
                frames += self._others(rest)
            else:
                self._id = frames[-1][0]
        return frames

    def _all_crlf(self, chunk: bytes) -> list[RawFrame]:
        """Return the frames of a chunk that is nothing but plain frames with CRLF, else none."""
        frames = _PLAIN_CRLF(chunk)
        for _, data, rest in frames:
            if rest or _CR in data:
                return []
        self._id = frames[-1][0]
        return frames

    def _others(self, text: bytes) -> list[RawFrame]:
        """Return the frames in a text that begins outside of any; keep what follows them."""
        end = text.rfind(b"\n\n") + len(b"\n\n")
        if end < len(b"\n\n"):
            self._pieces.append(text)
            return []
        if end < len(text):
            self._pieces.append(text[end:])
        bare = _BARE(text[:end])
        rest = bare.pop()[1] if bare[-1][1] else b""
        frames = [(self._id, data, b"") for data, _ in bare]
        return frames + self._by_line(rest) if rest else frames

    def _by_line(self, text: bytes) -> list[RawFrame]:
        frames: list[RawFrame] = []
        data: list[bytes] = []
        for line in text.split(b"\n"):
            if line[:6] == b"data: ":
                data.append(line[6:])
            elif line:
                self._take(line, data)
            elif data:
                if joined := b"\n".join(data):
                    frames.append((self._id, joined, b""))
                data.clear()
        return frames

    def _take(self, line: bytes, data: list[bytes]) -> None:
        name, _, value = line.partition(b":")  # a comment has an empty name: neither of these
        if name == b"data":
            data.append(value.removeprefix(b" "))
        elif name == b"id" and _NUL not in value:
            self._id = value.removeprefix(b" ")

    def _with_lf(self, chunk: bytes) -> bytes:
        """Return `chunk` with LF for every line end, and without the stream's byte order mark."""
        if self._skip_lf and chunk:
            self._skip_lf = False
            chunk = chunk.removeprefix(b"\n")
        if _CR in chunk:
            self._skip_lf = chunk[-1] == _CR
            lines = chunk.splitlines()
            if chunk[-1] in _LINE_ENDS:
                lines.append(b"")
            chunk = b"\n".join(lines)
        if self._at_start:
            chunk = b"".join((*self._pieces, chunk))
            self._pieces.clear()
            self._at_start = len(chunk) < len(_BOM) and _BOM.startswith(chunk)
            if not self._at_start:
                chunk = chunk.removeprefix(_BOM)
        self._is_odd = self._at_start or self._skip_lf
        return chunk


def _is_blank_line(before: bytes, after: bytes) -> bool:
    """Whether two pieces in a row meet in the middle of a blank line."""
    return before.endswith(b"\n") and after.startswith(b"\n")
