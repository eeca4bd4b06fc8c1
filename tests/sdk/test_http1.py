"""Requests on the wire: exactly what was asked for, and never more than one."""

import httpx
import pytest

from agentlin_client._http1 import BodyFrames, Head, encode_head


def request(method: str = "POST", **options: object) -> httpx.Request:
    return httpx.Request(method, "http://127.0.0.1:9999/v1/tasks", **options)  # type: ignore[arg-type]


def head_of(request: httpx.Request) -> Head:
    return encode_head(request, request.url.raw_path, request.headers.raw)


def test_headers_go_out_in_their_order_and_spelling_and_nothing_is_added() -> None:
    headers = {"X-One": "1", "accept": "*/*", "X-Empty": ""}
    assert head_of(request(headers=headers, content=b"{}")) == Head(
        b"POST /v1/tasks HTTP/1.1\r\nHost: 127.0.0.1:9999\r\nX-One: 1\r\n"
        b"accept: */*\r\nX-Empty: \r\nContent-Length: 2\r\n\r\n",
        2,
    )


def test_a_request_without_a_body_ends_with_its_head() -> None:
    head = encode_head(request("GET"), b"/v1", [(b"Host", b"a")])
    assert head == Head(b"GET /v1 HTTP/1.1\r\nHost: a\r\n\r\n", 0)
    assert BodyFrames(head, request("GET")).end() == b""


@pytest.mark.parametrize(
    "header",
    [
        (b"X-Key", b"a\r\nX-Admin: 1"),
        (b"X-Key", b"a\n"),
        (b"X-Key", b"\ra"),
        (b"X-Key", b"a\0b"),
        (b"X-Key: 1\r\nX-Admin", b"1"),
        (b"X Key", b"1"),
        (b"X-Key:", b"1"),
        (b"", b"1"),
        (b"Content-Length", b"-1"),
        (b"Content-Length", b"1, 2"),
        (b"Transfer-Encoding", b"identity"),
    ],
)
def test_a_header_that_could_pass_for_something_else_is_refused(
    header: tuple[bytes, bytes],
) -> None:
    asked = request()
    with pytest.raises(httpx.LocalProtocolError) as caught:
        encode_head(asked, b"/", [(b"Host", b"a"), header])
    assert caught.value.request is asked


def test_a_method_that_is_no_word_is_refused() -> None:
    with pytest.raises(httpx.LocalProtocolError, match="GET / HTTP"):
        head_of(request("GET / HTTP/1.1\r\nX: "))


def test_a_body_of_the_announced_length_goes_out_as_it_is() -> None:
    frames = BodyFrames(Head(b"", 5), request())
    assert [frames.frame(b"abc"), frames.frame(b"de"), frames.end()] == [b"abc", b"de", b""]


def test_a_body_that_is_longer_or_shorter_than_announced_is_refused() -> None:
    with pytest.raises(httpx.LocalProtocolError, match="longer"):
        BodyFrames(Head(b"", 2), request()).frame(b"abc")
    frames = BodyFrames(Head(b"", 4), request())
    frames.frame(b"abc")
    with pytest.raises(httpx.LocalProtocolError, match="shorter"):
        frames.end()


def test_chunks_are_framed_and_an_empty_one_does_not_end_them() -> None:
    async def pieces() -> object:
        yield b""

    head = head_of(request(content=pieces()))
    assert b"Transfer-Encoding: chunked\r\n" in head.data
    frames = BodyFrames(head, request())
    sent = frames.frame(b"a" * 17) + frames.frame(b"") + frames.frame(b"b") + frames.end()
    assert sent == b"11\r\n" + b"a" * 17 + b"\r\n1\r\nb\r\n0\r\n\r\n"


def test_chunks_win_over_a_length_as_the_standard_says() -> None:
    headers = [(b"Transfer-Encoding", b"Chunked"), (b"content-length", b"5")]
    assert encode_head(request(), b"/", headers).size is None
    assert encode_head(request(), b"/", headers[::-1]).size is None
