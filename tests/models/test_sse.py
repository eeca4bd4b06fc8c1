"""The SSE decoder gives the same payloads however the bytes come."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlin_server.models.sse import SseDecoder, SseLimitError, WholeBody


def decode(*pieces: bytes) -> list[bytes]:
    decoder = SseDecoder()
    return [payload for piece in pieces for payload in decoder.feed(piece)] + decoder.close()


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    at = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(at)]


newlines = st.sampled_from([b"\n", b"\r\n", b"\r"])
values = st.lists(
    st.sampled_from([b"a", b"{}", b" ", b":", b"\xc3\xa9", b"data: "]), max_size=4
).map(b"".join)


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """Return the bytes of a stream and the payloads in it."""
    data, payloads = draw(st.sampled_from([b"", b"\xef\xbb\xbf"])), []
    for lines in draw(st.lists(st.lists(values, max_size=3), max_size=5)):
        newline = draw(newlines)
        for line in lines:
            noise = draw(
                st.sampled_from([b"", b": ping\n", b"event: x\r\n", b"id\r", b"\xef\xbb\xbf: no\n"])
            )
            data += noise + b"data: " + line + newline
        data += newline
        if lines:
            payloads.append(b"\n".join(lines))
    return data, payloads


@given(streams(), st.lists(st.integers(min_value=0), max_size=12))
def test_any_split_gives_the_payloads(stream: tuple[bytes, list[bytes]], cuts: list[int]) -> None:
    data, payloads = stream
    assert decode(*split(data, cuts)) == payloads


@given(
    st.lists(
        st.sampled_from([b"data: x", b"data", b"\n", b"\r", b"\n\n", b":", b"da"]), max_size=20
    )
)
def test_any_bytes_one_by_one_give_what_they_give_at_once(tokens: list[bytes]) -> None:
    data = b"".join(tokens)
    assert decode(*(data[i : i + 1] for i in range(len(data)))) == decode(data)


@pytest.mark.parametrize(
    ("data", "payloads"),
    [
        (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data:a\n\n", [b"a"]),
        (b"data:  a\n\n", [b" a"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data\n\n", [b""]),
        (b"\n\n\ndata: a\n\n\n\n\ndata: b\n\n", [b"a", b"b"]),
        (b": comment\n\n", []),
        (b"event: x\nid: 1\nretry: 5\n\n", []),
        (b"database: x\n\n", []),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"data: a", [b"a"]),
        (b"data: a\r\n\r\ndata: b\r\rdata: c\n\n", [b"a", b"b", b"c"]),
        (b"", []),
    ],
)
def test_the_forms_of_the_specification(data: bytes, payloads: list[bytes]) -> None:
    assert decode(data) == payloads
    assert decode(*(data[i : i + 1] for i in range(len(data)))) == payloads


def test_an_event_is_given_as_soon_as_its_blank_line_begins() -> None:
    decoder = SseDecoder()
    assert decoder.feed(b"data: a\r\n\r") == [b"a"]
    assert decoder.feed(b"\ndata: b\r\n\r\n") == [b"b"]


def test_an_endless_line_is_refused() -> None:
    decoder = SseDecoder(event_bytes_max=1000)
    for _ in range(1000):
        assert decoder.feed(b"x") == []
    with pytest.raises(SseLimitError, match="more than 1000 bytes"):
        decoder.feed(b"x")


@pytest.mark.parametrize("size", [1000, 1001])
def test_the_limit_holds_for_an_event_that_comes_whole(size: int) -> None:
    block = b"data: " + b"x" * (size - 6)
    data = b"data: a\n\n" * 100 + block + b"\n\n"
    decoder = SseDecoder(event_bytes_max=1000)
    if size > 1000:
        with pytest.raises(SseLimitError):
            decoder.feed(data)
    else:
        assert decoder.feed(data) == [b"a"] * 100 + [block[6:]]


def test_a_whole_body_is_given_at_its_end() -> None:
    body = WholeBody(bytes_max=10)
    assert [*body.feed(b"12345"), *body.feed(b"67890")] == []
    assert body.close() == [b"1234567890"]
    with pytest.raises(SseLimitError, match="more than 10 bytes"):
        body.feed(b"!")
