"""The framer: the standard's rules, and the same frames however the bytes are cut."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlin_client._sse import Framer

BOM = b"\xef\xbb\xbf"


def decode(*chunks: bytes) -> list[tuple[bytes, bytes]]:
    """Return id and data of each frame."""
    framer = Framer()
    return [frame[:2] for chunk in chunks for frame in framer.feed(chunk)]


def data_of(*chunks: bytes) -> list[bytes]:
    return [data for _, data in decode(*chunks)]


def reference(text: bytes) -> list[tuple[bytes, bytes]]:
    """Return what the standard says, from the whole text, with no thought of speed."""
    lines = text.removeprefix(BOM).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    frames: list[tuple[bytes, bytes]] = []
    last_id, data = b"", b""
    for line in lines[:-1]:
        if not line:
            if data[:-1]:  # ours: empty data make no frame
                frames.append((last_id, data[:-1]))
            data = b""
            continue
        name, _, value = line.partition(b":")
        value = value[1:] if value.startswith(b" ") else value
        if name == b"data":
            data += value + b"\n"
        elif name == b"id" and b"\0" not in value:
            last_id = value
    return frames


def bytewise(text: bytes) -> list[bytes]:
    return [bytes([byte]) for byte in text]


PLAIN = b'id: 7-1\nevent: task.working\ndata: {"a":1}\n\n'


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
@pytest.mark.parametrize("count", [1, 3])
def test_plain_frames_are_read_whatever_their_line_ends(count: int, end: bytes) -> None:
    text = (PLAIN * count).replace(b"\n", end)
    expected = [(b"7-1", b'{"a":1}')] * count
    assert decode(text) == expected
    assert decode(*bytewise(text)) == expected
    assert decode(text, text) == expected * 2
    assert decode(text[:20], text[20:] + text) == expected * 2


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_line_ends_may_be_lf_cr_or_crlf(end: bytes) -> None:
    text = b"id: i\nevent: e\ndata: 1\ndata: 2\n\ndata: 3\n\n".replace(b"\n", end)
    assert decode(text) == decode(*bytewise(text)) == [(b"i", b"1\n2"), (b"i", b"3")]


def test_a_cr_in_the_middle_of_plain_crlf_frames_ends_a_line_too() -> None:
    plain = b"id: 1\r\nevent: e\r\ndata: {}\r\n\r\n"
    broken = b"id: 2\r\nevent: e\r\ndata: {\r}\r\n\r\n"
    assert decode(plain, broken, plain) == [(b"1", b"{}"), (b"2", b"{"), (b"1", b"{}")]


def test_a_cr_ends_its_line_at_once_and_an_lf_in_the_next_chunk_belongs_to_it() -> None:
    framer = Framer()
    assert framer.feed(b"data: 1\r\n\r") == [(b"", b"1", b"")]
    assert framer.feed(b"\ndata: 2\r\n\r\n") == [(b"", b"2", b"")]


def test_a_crlf_that_is_cut_in_two_is_one_line_end() -> None:
    assert data_of(b"data: 1\r", b"\ndata: 2\r", b"\n\r", b"\n") == [b"1\n2"]


def test_a_blank_line_may_be_cut_in_two_and_empty_chunks_mean_nothing() -> None:
    assert data_of(b"", b"data: 1\n", b"", b"\ndata: 2\n\n", b"") == [b"1", b"2"]


def test_comments_retries_events_and_unknown_fields_are_passed_over() -> None:
    text = b": ping\nretry: 10\nevent: e\nfoo: bar\nbaz\ndata: 1\n: ping\n\n"
    assert data_of(text) == [b"1"]


def test_a_lone_comment_line_between_frames_makes_no_frame() -> None:
    assert decode(PLAIN + b": ping\n" + PLAIN + b": ping\n\n", b": ping\n", PLAIN) == (
        [(b"7-1", b'{"a":1}')] * 3
    )


@pytest.mark.parametrize("tail", [PLAIN, b"data: 1\n\n", b"\n" + PLAIN])
def test_a_byte_order_mark_is_dropped_at_the_start_only(tail: bytes) -> None:
    expected = reference(tail)
    assert len(expected) == 1
    for text in (BOM + tail, tail):
        assert decode(text) == decode(*bytewise(text)) == expected
    assert data_of(BOM + b"data: " + BOM + b"\n\n") == [BOM]
    assert data_of(BOM + BOM + b"data: 1\n\n") == []


def test_only_one_space_after_the_colon_is_dropped() -> None:
    assert data_of(b"data:1\n\ndata:  2\n\nid:  3\ndata: \n\n") == [b"1", b" 2"]
    assert decode(b"id:  3\nevent: e\ndata: x\n\n") == [(b" 3", b"x")]


def test_an_id_stays_until_the_next_and_one_with_a_nul_is_refused() -> None:
    frames = decode(
        b"id: 1\ndata: a\n\ndata: b\n\n",
        b"event: e\ndata: c\n\n",
        b"id: 2\0\ndata: d\n\nid: 3\n\ndata: e\n\nid\ndata: f\n\nid: 4\ndata: g\n\n",
        b"id: \nevent: e\ndata: h\n\n",
    )
    assert [frame[0] for frame in frames] == [b"1", b"1", b"1", b"1", b"3", b"", b"4", b""]


def test_a_frame_without_data_or_with_empty_data_is_dropped() -> None:
    text = b"event: a\n\nid: 1\n\ndata\n\ndata:\n\ndata: \n\nevent: e\ndata: \n\n"
    assert decode(text + b"data\ndata\n\n" + b"data: 1\n\n") == [(b"1", b"\n"), (b"1", b"1")]


def test_a_frame_that_the_stream_ends_in_is_not_dispatched() -> None:
    assert data_of(b"data: 1\n\ndata: 2\n") == [b"1"]


def test_line_separators_of_unicode_are_no_line_ends() -> None:
    data = "a\u2028b\u0085c\x0bd\x0ce\x1cf".encode()
    for end in (b"\n", b"\r\n"):
        assert data_of(b"data: " + data + end * 2) == [data]
        assert data_of(PLAIN.replace(b"{", data + b"{").replace(b"\n", end)) == [data + b'{"a":1}']


LINES = st.sampled_from(
    [
        *(b"", b"data: a", b"data:b", b"data", b"id: 1", b"id", b"id: ", b"id: 2\0", b"event: e"),
        *(b"data: {}", b": ping", b"retry: 1", b"datum: 1", b"i", b" data: c", BOM),
    ]
)
ENDS = st.sampled_from([b"\n", b"\r", b"\r\n"])
USUAL = st.builds(
    lambda blocks, end: b"".join(blocks).replace(b"\n", end),
    st.lists(
        st.sampled_from(
            [
                *(b"id: 3\nevent: e\ndata: {}\n\n", b"id: 4-1\ndata: x\n\n", b"data: y\n\n"),
                *(b": ping\n", b"event: f\ndata: z\n\n", b"\n", b"id: 5\ndata: 1\ndata: 2\n\n"),
                *(b"id: 6\nevent: e\nid: 7\ndata: v\n\n", b"id: 8\ndata: \n\n", b"data: a\rb\n\n"),
            ]
        ),
        max_size=8,
    ),
    ENDS,
)
ODD = st.lists(LINES | ENDS | st.binary(max_size=3), max_size=30).map(b"".join) | st.lists(
    st.tuples(LINES, ENDS).map(b"".join), max_size=15
).map(b"".join)
TEXTS = st.builds(
    bytes.__add__, st.sampled_from([b"", BOM]), USUAL | ODD | st.tuples(USUAL, ODD).map(b"".join)
)


@given(TEXTS, st.data())
def test_any_split_gives_the_frames_of_the_standard(text: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    chunks = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    expected = reference(text)
    assert decode(text) == expected
    assert decode(*chunks) == expected
    assert decode(*bytewise(text)) == expected


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_long_line_in_small_chunks_costs_linear_time(end: bytes) -> None:
    def cost_s(size: int) -> float:
        text = b"id: 1" + end + b"data: " + b"x" * size + end + end
        chunks = [text[at : at + 4096] for at in range(0, len(text), 4096)]
        started_at = time.process_time()
        assert len(data_of(*chunks)[0]) == size
        return time.process_time() - started_at

    small = min(cost_s(1 << 20) for _ in range(3))
    large = min(cost_s(1 << 24) for _ in range(3))
    assert large < 16 * small * 6 + 0.02  # quadratic would be 256 times


def test_many_lines_in_small_chunks_cost_linear_time() -> None:
    def cost_s(lines: int) -> float:
        text = b"data: 0123456789abcdef\n" * lines + b"\n"
        chunks = [text[at : at + 512] for at in range(0, len(text), 512)]
        started_at = time.process_time()
        assert len(data_of(*chunks)) == 1
        return time.process_time() - started_at

    small = min(cost_s(1 << 12) for _ in range(3))
    large = min(cost_s(1 << 16) for _ in range(3))
    assert large < 16 * small * 6 + 0.02
