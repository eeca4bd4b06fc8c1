"""A real HTTP/1.1 server on loopback that answers each request as the test says, bytes and all.

It can do what a framework never would: cut an answer in the middle of a chunk, close without a
word, fall silent. Threads, so that blocking and async clients are tested in the same way.
"""

import contextlib
import socket
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Self

WAIT_S = 5.0
"""No wait in the server is longer, whatever goes wrong."""


@dataclass(frozen=True, slots=True)
class Request:
    """What came in; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What goes out.

    Attributes:
        status: HTTP status.
        headers: Besides those that frame the body.
        body: Sent with a Content-Length, unless there are `chunks`.
        chunks: Sent chunk by chunk (Transfer-Encoding: chunked), each in a packet of its own.
        ending: `whole`; or `cut`, the connection closed before the end of the body; or `hang`,
            silence until the client gives up.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    chunks: tuple[bytes, ...] | None = None
    ending: Literal["whole", "cut", "hang"] = "whole"


DROP = Answer(status=0, ending="cut")
"""Close the connection without a word."""
SILENCE = Answer(status=0, ending="hang")
"""Take the request and say nothing."""


class Server:
    """Answers from a script, one answer per request, and remembers the requests.

    A request without an answer left in the script gets 599, which no client retries for long:
    the test sees it as one request too many.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._script: deque[Answer] = deque()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self.connections_accepted = 0
        self.client_left = threading.Event()

    @property
    def origin(self) -> str:
        host, port = self._listener.getsockname()
        return f"http://{host}:{port}"

    @property
    def base_url(self) -> str:
        return f"{self.origin}/v1"

    def script(self, *answers: Answer) -> None:
        self._script.extend(answers)

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *exc: object) -> None:
        # shutdown() wakes a thread that is blocked in accept() or recv(); close() would not.
        for sock in (self._listener, *self._connections):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(WAIT_S)
            assert not thread.is_alive()
        self._listener.close()

    def _start(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections_accepted += 1
            self._connections.add(connection)
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            for request in _requests(connection):
                self.requests.append(request)
                answer = self._script.popleft() if self._script else Answer(status=599)
                for packet in _packets(answer):
                    connection.sendall(packet)
                if answer.ending == "hang":
                    while connection.recv(65536):
                        pass
                if answer.ending != "whole":
                    break
        self._connections.discard(connection)
        self.client_left.set()


def _requests(connection: socket.socket) -> Iterator[Request]:
    with connection.makefile("rb") as stream:
        while line := stream.readline():
            method, target, _ = line.decode("ascii").split(" ", 2)
            headers: dict[str, str] = {}
            while (header := stream.readline().strip()) != b"":
                name, _, value = header.decode("latin-1").partition(":")
                headers[name.strip().lower()] = value.strip()
            body = stream.read(int(headers.get("content-length", "0")))
            yield Request(method, target, headers, body)


def _packets(answer: Answer) -> Iterator[bytes]:
    if answer.status == 0:
        return
    headers = dict(answer.headers)
    if answer.chunks is not None:
        headers["Transfer-Encoding"] = "chunked"
    elif answer.ending == "whole":
        headers["Content-Length"] = str(len(answer.body))
    else:
        headers["Content-Length"] = str(len(answer.body) + 1)  # one more than will ever come
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    yield f"HTTP/1.1 {answer.status} Scripted\r\n{head}\r\n".encode("latin-1")
    if answer.chunks is None:
        yield answer.body
        return
    for chunk in answer.chunks:
        yield b"%x\r\n%b\r\n" % (len(chunk), chunk)
    if answer.ending == "whole":
        yield b"0\r\n\r\n"
