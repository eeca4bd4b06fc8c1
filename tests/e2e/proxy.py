"""A TCP proxy between a client and a server that does to connections what networks do.

It cuts connections (with a reset, with a polite FIN, in the middle of anything), forges the end of
a chunked body, delays, splits what it passes on into segments of any size, and sends whole HTTP
chunks twice. What befalls a connection is drawn from a seed and its number.
"""

import contextlib
import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final, Literal, NamedTuple, Self

WAIT_S: Final = 10.0
"""No wait is longer, whatever goes wrong."""

_RESET: Final = struct.pack("ii", 1, 0)  # linger for no time: close() sends RST
_LAST_CHUNK: Final = b"0\r\n\r\n"
_NEVER: Final = threading.Event()  # waiting for it is a pause


class Piece(NamedTuple):
    """A part of an answer that belongs together.

    Attributes:
        data: The bytes, as they are on the wire.
        is_chunk: Whether it is one whole chunk of a chunked body.
    """

    data: bytes
    is_chunk: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What befalls one connection.

    Attributes:
        cut_after: How many bytes of answers pass; None for all.
        ending: How the connection ends then: `reset`, `fin`, or `forged`, with the last chunk of a
            body that is not over, at the next chance for it.
        eats_request: Cut before the first request has reached the server.
        segment_max: Size of the segments, at most, in bytes; None leaves them as they come.
        twice: How probable it is that a chunk comes twice.
        pause_s: The longest pause before a segment; there are few.
        rng: Draws what is left open.
    """

    cut_after: int | None = None
    ending: Literal["reset", "fin", "forged"] = "fin"
    eats_request: bool = False
    segment_max: int | None = None
    twice: float = 0.0
    pause_s: float = 0.0
    rng: random.Random = field(default_factory=lambda: random.Random(0))

    @classmethod
    def drawn(cls, seed: str, *, bytes_max: int) -> Self:
        """Return the fault that belongs to a seed; it cuts within `bytes_max`, if at all."""
        rng = random.Random(seed)
        return cls(
            cut_after=rng.choice([None, rng.randrange(2_000), *[rng.randrange(bytes_max)] * 4]),
            ending=rng.choice(["reset", "fin", "forged"]),
            eats_request=rng.random() < 0.08,
            segment_max=rng.choice([None, None, 11, 300, 5_000]),
            twice=rng.choice([0.0, 0.3, 1.0]),
            pause_s=rng.choice([0.0, 0.0, 0.002]),
            rng=rng,
        )

    @property
    def is_reset(self) -> bool:
        """Whether the connection ends with a RST."""
        return self.cut_after is not None and self.ending == "reset"

    def spoil(self, pieces: Iterator[Piece]) -> Iterator[bytes]:
        """Yield the segments that reach the client, of what the server sent."""
        left = self.cut_after
        for data, is_chunk in pieces:
            if is_chunk and data != _LAST_CHUNK and self.rng.random() < self.twice:
                data *= 2  # noqa: PLW2901 - the piece that comes twice
            if left is not None and len(data) > left:
                if self.ending != "forged":
                    yield from self._segments(data[:left])
                    return
                if is_chunk and data != _LAST_CHUNK:
                    yield from self._segments(_LAST_CHUNK)
                    return
            yield from self._segments(data)
            left = None if left is None else max(0, left - len(data))

    def _segments(self, data: bytes) -> Iterator[bytes]:
        at = 0
        while at < len(data):
            end = len(data)
            if self.segment_max is not None:
                end = at + self.rng.randint(1, self.segment_max)
            if self.pause_s and self.rng.random() < 0.05:
                _NEVER.wait(self.rng.uniform(0.0, self.pause_s))
            yield data[at:end]
            at = end


class ChaosProxy:
    """Passes connections on to a server, each with its fault; for use in a `with`.

    Args:
        origin: Of the server, `http://127.0.0.1:1234`.

    Attributes:
        fault_of: From the number of a connection, from 0, to what befalls it; may be changed.
        connections: How many there were.
    """

    def __init__(self, origin: str) -> None:
        host, _, port = origin.removeprefix("http://").rpartition(":")
        self._server = host, int(port)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._threads: set[threading.Thread] = set()
        self._is_closed = False
        self.fault_of: Callable[[int], Fault] = lambda _: Fault()
        self.connections = 0

    @property
    def base_url(self) -> str:
        """Where clients connect to."""
        host, port = self._listener.getsockname()
        return f"http://{host}:{port}/v1"

    def play(self, seed: int, *, bytes_max: int, spoiled_max: int = 12) -> None:
        """Begin anew with the faults of a seed; after `spoiled_max` connections there are none."""
        first = self.connections

        def fault_of(number: int) -> Fault:
            number -= first
            if number >= spoiled_max:
                return Fault()
            return Fault.drawn(f"{seed}/{number}", bytes_max=bytes_max)

        self.fault_of = fault_of

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._is_closed = True
            sockets = [self._listener, *self._sockets]
        for sock in sockets:
            _shut(sock)
        self._listener.close()
        for thread in list(self._threads):
            thread.join(WAIT_S)
            assert not thread.is_alive()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            fault = self.fault_of(self.connections)
            self.connections += 1
            if self._adopt(client):
                self._start(lambda client=client, fault=fault: self._serve(client, fault))

    def _serve(self, client: socket.socket, fault: Fault) -> None:
        with client, contextlib.suppress(OSError):
            if fault.eats_request:
                client.recv(1)
            else:
                self._relay(client, fault)
            if fault.is_reset:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._forget(client)

    def _relay(self, client: socket.socket, fault: Fault) -> None:
        with socket.create_connection(self._server, timeout=WAIT_S) as server:
            server.settimeout(None)
            if not self._adopt(server):
                return
            up = self._start(lambda: _pass_on(client, server))
            try:
                with server.makefile("rb") as answers:
                    for segment in fault.spoil(_pieces(answers)):
                        client.sendall(segment)
            finally:
                _shut(server)  # it learns at once that its client has gone
                # For a reset the client must not be told of an end, only our other thread.
                _shut(client, socket.SHUT_RD if fault.is_reset else socket.SHUT_RDWR)
                up.join(WAIT_S)
                self._forget(server)

    def _adopt(self, sock: socket.socket) -> bool:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            if self._is_closed:
                sock.close()
                return False
            self._sockets.add(sock)
            return True

    def _forget(self, sock: socket.socket) -> None:
        with self._lock:
            self._sockets.discard(sock)

    def _start(self, target: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            try:
                target()
            finally:
                self._threads.discard(threading.current_thread())

        thread = threading.Thread(target=run, daemon=True)
        self._threads.add(thread)
        thread.start()
        return thread


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    _shut(target)


def _shut(sock: socket.socket, how: int = socket.SHUT_RDWR) -> None:
    # Wakes a thread that is blocked in the socket; close() would not.
    with contextlib.suppress(OSError):
        sock.shutdown(how)


def _pieces(answers: BinaryIO) -> Iterator[Piece]:
    """Yield heads, whole chunks, and bodies of known length, of one answer after the other."""
    while head := _head(answers):
        yield Piece(head, is_chunk=False)
        lowered = head.lower()
        if b"\r\ntransfer-encoding: chunked\r\n" in lowered:
            yield from _chunks(answers)
        elif b"\r\ncontent-length: " in lowered:
            length = int(lowered.partition(b"\r\ncontent-length: ")[2].partition(b"\r")[0])
            yield Piece(answers.read(length), is_chunk=False)


def _head(answers: BinaryIO) -> bytes:
    lines: list[bytes] = []
    while line := answers.readline():
        lines.append(line)
        if line == b"\r\n":
            break
    return b"".join(lines)


def _chunks(answers: BinaryIO) -> Iterator[Piece]:
    while (line := answers.readline()).endswith(b"\r\n"):
        size = int(line, 16)
        yield Piece(line + answers.read(size + 2), is_chunk=True)
        if size == 0:
            return
