"""Server-sent events, from bytes to data payloads: pure, incremental, no I/O.

Source: WHATWG HTML, "Server-sent events", section "Interpreting an event stream". Only
`data` matters to a model stream, so `event`, `id`, `retry` and comments are skipped.
"""

from typing import Final

EVENT_BYTES_MAX: Final = 8 * 1024 * 1024
_BOM: Final = b"\xef\xbb\xbf"


class SseLimitError(ValueError):
    """An event is larger than the decoder may hold."""


class SseDecoder:
    r"""Turns the bytes of one stream into the data payloads of its events.

    Line ends may be LF, CRLF or CR, also mixed; the bytes may be split anywhere. The work
    is linear in the bytes, however long an event is.

    >>> decoder = SseDecoder()
    >>> decoder.feed(b'data: {"a": 1}\n\n: ping\n\ndata: one\nda'), decoder.feed(b"ta: two\n\n")
    ([b'{"a": 1}'], [b'one\ntwo'])
    """

    __slots__ = ("_after_cr", "_event_bytes_max", "_head", "_rest")

    def __init__(self, *, event_bytes_max: int = EVENT_BYTES_MAX) -> None:
        self._event_bytes_max = event_bytes_max
        self._head: bytes | None = b""  # what may become a byte-order mark; None: decided
        self._after_cr = False  # the last byte was a CR: an LF that follows belongs to it
        self._rest = bytearray()  # the event that is not yet complete, line ends normalised

    def feed(self, data: bytes) -> list[bytes]:
        """Return the payloads of the events that `data` completes, oldest first.

        Raises:
            SseLimitError: an event exceeds `event_bytes_max`; the decoder is of no more use.
        """
        if not data:
            return []
        if self._head is not None:
            data = self._without_bom(data)
        if self._after_cr or b"\r" in data:
            data = self._with_lf_only(data)
        if self._rest:
            if not self._is_completed_by(data):
                self._keep(data)
                return []
            data = bytes(self._rest) + data
            self._rest.clear()
        end = data.rfind(b"\n\n")
        complete = data[:end] if end >= 0 else b""
        # Nearly always every event is the one line `data: ...`: then all line ends are those
        # between events, and one split is all there is to do.
        if (
            len(data) <= self._event_bytes_max
            and complete.startswith(b"data: ")
            and complete.count(b"\n\ndata: ") * 2 == complete.count(b"\n")
        ):
            self._rest += data[end + 2 :]
            return complete[6:].split(b"\n\ndata: ")
        blocks = data.split(b"\n\n")
        self._keep(blocks.pop())
        return self._payloads(blocks)

    def close(self) -> list[bytes]:
        """Return the payload of an event that lacks its blank line at the end, if there is one.

        The specification drops such an event; some servers forget the last line end.
        """
        payload = _payload(bytes(self._rest))
        self._rest.clear()
        return [] if payload is None else [payload]

    def _is_completed_by(self, data: bytes) -> bool:
        return b"\n\n" in data or (data.startswith(b"\n") and self._rest.endswith(b"\n"))

    def _keep(self, data: bytes) -> None:
        self._rest += data
        self._check(len(self._rest))

    def _payloads(self, blocks: list[bytes]) -> list[bytes]:
        payloads: list[bytes] = []
        for block in blocks:
            self._check(len(block))
            if (payload := _payload(block)) is not None:
                payloads.append(payload)
        return payloads

    def _check(self, size_bytes: int) -> None:
        if size_bytes > self._event_bytes_max:
            raise SseLimitError(f"an event of more than {self._event_bytes_max} bytes")

    def _without_bom(self, data: bytes) -> bytes:
        head = (self._head or b"") + data
        if len(head) < len(_BOM) and _BOM.startswith(head):
            self._head = head
            return b""
        self._head = None
        return head.removeprefix(_BOM)

    def _with_lf_only(self, data: bytes) -> bytes:
        """Return `data` with LF for CRLF and CR; a CRLF may be split between two reads."""
        if self._after_cr and data[:1] == b"\n":
            data = data[1:]
        self._after_cr = data[-1:] == b"\r"
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


class WholeBody:
    """Stands in for `SseDecoder` where the body is one payload, of at most `bytes_max`."""

    __slots__ = ("_body", "_bytes_max")

    def __init__(self, *, bytes_max: int = EVENT_BYTES_MAX) -> None:
        self._body = bytearray()
        self._bytes_max = bytes_max

    def feed(self, data: bytes) -> list[bytes]:
        """Keep `data`; there is nothing to return before the end.

        Raises:
            SseLimitError: the body exceeds `bytes_max`.
        """
        self._body += data
        if len(self._body) > self._bytes_max:
            raise SseLimitError(f"a body of more than {self._bytes_max} bytes")
        return []

    def close(self) -> list[bytes]:
        """Return the body."""
        return [bytes(self._body)]


def _payload(block: bytes) -> bytes | None:
    """Return the joined data lines of one event; None if it has none."""
    values: list[bytes] = []
    for line in block.split(b"\n"):
        name, _, value = line.partition(b":")
        if name == b"data":
            values.append(value.removeprefix(b" "))
    return b"\n".join(values) if values else None
