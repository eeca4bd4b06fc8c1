"""A `FakeServer` on a real port, so that a bare `Client()` and a socket of its own can reach it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from agentlin_client.testing import FakeServer, ScriptError

_OF_THE_CONNECTION = {"connection", "content-length", "host", "transfer-encoding"}
_JOIN_S = 5.0


@contextmanager
def bridged(fake: FakeServer) -> Iterator[str]:
    """Serve the fake server on loopback; give the base URL. A mistake of a script is raised here.

    Faults of the fake server's transport (`drop_connection`, `refuse_connections`) close the
    connection.
    """
    mistakes: list[ScriptError] = []
    with httpx.Client(transport=fake.transport, base_url="http://fake.test") as behind:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(behind, mistakes))
        server.daemon_threads = True  # connections that a client keeps would hold up the end
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()
            thread.join(_JOIN_S)
            server.server_close()
    if mistakes:
        raise mistakes[0]


def _handler(behind: httpx.Client, mistakes: list[ScriptError]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {n: v for n, v in self.headers.items() if n.lower() not in _OF_THE_CONNECTION}
            try:
                with behind.stream(
                    self.command, self.path, headers=headers, content=body
                ) as answer:
                    _send(answer, self)
            except ScriptError as mistake:
                mistakes.append(mistake)
                self.close_connection = True
            except (httpx.TransportError, ConnectionError):  # it is to break, or the client left
                self.close_connection = True

        do_GET = do_POST = do_DELETE = _pass_on  # noqa: N815 - the names that the server calls

        def log_message(self, format: str, *args: Any) -> None: ...

    return Handler


def _send(answer: httpx.Response, to: BaseHTTPRequestHandler) -> None:
    to.send_response_only(answer.status_code)
    for name, value in answer.headers.multi_items():
        if name not in _OF_THE_CONNECTION:
            to.send_header(name, value)
    if answer.status_code == httpx.codes.NO_CONTENT:
        to.end_headers()
        return
    to.send_header("Transfer-Encoding", "chunked")
    to.end_headers()
    for piece in answer.iter_bytes():
        to.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
    to.wfile.write(b"0\r\n\r\n")
