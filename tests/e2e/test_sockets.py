"""What only a real socket shows: headers, bodies that are too large, broken requests."""

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from tests.api.frames import read_frames
from tests.e2e.processes import ServerProcess


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    db = str(tmp_path_factory.mktemp("sockets") / "agentlin.db")
    with ServerProcess(db, {"model": "scripted/echo", "body_size_max": 200_000}) as server:
        yield server


def _raw(server: ServerProcess, request: bytes) -> bytes:
    """Send bytes; return all that comes back until the server closes."""
    host, _, port = server.address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        while data := connection.recv(65536):
            answer += data
    return answer


def test_a_stream_over_a_socket_is_whole_and_the_connection_is_used_again(
    server: ServerProcess,
) -> None:
    address = server.address.removeprefix("http://")
    with closing(http.client.HTTPConnection(address, timeout=10)) as connection:
        _stream_three_times(connection)


def _stream_three_times(connection: http.client.HTTPConnection) -> None:
    body = json.dumps({"user_message_content": "a b c", "stream": True})
    for _ in range(3):
        connection.request("POST", "/v1/tasks", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.getheader("Content-Type") == "text/event-stream; charset=utf-8"
        assert answer.getheader("Server") is None
        last = read_frames(answer.read())[-1]
        assert last.type == "task.completed", last.event


def test_a_body_over_the_limit_is_refused_and_the_next_request_answered(
    server: ServerProcess,
) -> None:
    large = b'{"user_id":"large","user_message_content":"' + b"x" * 400_000 + b'"}'
    json_type = {"content-type": "application/json"}
    with httpx.Client(base_url=server.address) as client:
        declared = client.post("/tasks", content=large, headers=json_type)
        assert (declared.status_code, declared.json()["error"]["code"]) == (413, -32013)
        pieces = iter([large[n : n + 9_999] for n in range(0, len(large), 9_999)])
        chunked = client.post("/tasks", content=pieces, headers=json_type)
        assert (chunked.status_code, chunked.json()["error"]["code"]) == (413, -32013)
        assert client.get("/v1/tasks?user_id=large").json()["result"] == []


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"NONSENSE\r\n\r\n",
        b"GET /v1/tasks HTTP/1.1\r\n\r\n",  # without a Host
        b"GET /v1/tasks HTTP/1.0\r\n\r\n",
        b"POST /tasks HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: "
        + b"9" * 5000
        + b"\r\n\r\n{}",
        b"GET /v1/tasks/\xff\xfe HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
        b"GET /v1/tasks/%2e%2e%2f%2e%2e HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
        b"GET /v1/tasks?limit=%ff%00 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
    ],
    ids=lambda raw: repr(raw[:40]),
)
def test_a_broken_request_is_a_4xx_and_harms_nobody(
    server: ServerProcess, request_bytes: bytes
) -> None:
    answer = _raw(server, request_bytes)
    assert answer.startswith(b"HTTP/1.1 4"), answer
    assert b"Traceback" not in answer
    with httpx.Client(base_url=server.address) as client:
        assert client.get("/readyz").status_code == 200
