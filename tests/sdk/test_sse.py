"""The frame decoder: the standard's rules, and the same frames however the bytes are cut."""

import time

from hypothesis import given
from hypothesis import strategies as st

from agentlin_client._sse import Frame, FrameDecoder


def decode(*chunks: bytes) -> list[Frame]:
    decoder = FrameDecoder()
    return [frame for chunk in chunks for frame in decoder.feed(chunk)]


def test_a_frame_has_its_data_event_and_id() -> None:
    assert decode(b'id: 7-1\nevent: task.working\ndata: {"a":1}\n\n') == [
        Frame(b'{"a":1}', "task.working", "7-1")
    ]


def test_line_ends_may_be_lf_cr_or_crlf() -> None:
    frames = [Frame(b"1\n2", "e", "i"), Frame(b"3", "", "i")]
    for end in (b"\n", b"\r", b"\r\n"):
        text = b"id: i\nevent: e\ndata: 1\ndata: 2\n\ndata: 3\n\n"
        assert decode(text.replace(b"\n", end)) == frames


def test_a_cr_ends_its_line_at_once_and_an_lf_in_the_next_chunk_belongs_to_it() -> None:
    decoder = FrameDecoder()
    assert list(decoder.feed(b"data: 1\r\n\r")) == [Frame(b"1")]
    assert list(decoder.feed(b"\ndata: 2\r\n\r\n")) == [Frame(b"2")]


def test_a_crlf_that_is_cut_in_two_is_one_line_end() -> None:
    assert decode(b"data: 1\r", b"\ndata: 2\r", b"\n\r", b"\n") == [Frame(b"1\n2")]


def test_comments_retries_and_unknown_fields_are_passed_over() -> None:
    assert decode(b": ping\nretry: 10\nfoo: bar\nbaz\ndata: 1\n: ping\n\n") == [Frame(b"1")]


def test_a_lone_comment_line_between_frames_makes_no_frame() -> None:
    assert decode(b"data: 1\n\n: ping\ndata: 2\n\n: ping\n\n") == [Frame(b"1"), Frame(b"2")]


def test_a_byte_order_mark_is_dropped_at_the_start_only() -> None:
    bom = b"\xef\xbb\xbf"
    text = bom + b"data: 1\n\ndata: " + bom + b"\n\n"
    expected = [Frame(b"1"), Frame(bom)]
    assert decode(text) == expected
    assert decode(*(bytes([byte]) for byte in text)) == expected


def test_only_one_space_after_the_colon_is_dropped() -> None:
    assert decode(b"data:1\n\ndata:  2\n\n") == [Frame(b"1"), Frame(b" 2")]


def test_an_id_stays_until_the_next_and_one_with_a_nul_is_refused() -> None:
    frames = decode(b"id: 1\ndata: a\n\ndata: b\n\nid: 2\0\ndata: c\n\nid\ndata: d\n\n")
    assert [frame.id for frame in frames] == ["1", "1", "1", ""]


def test_a_frame_without_data_is_none_and_its_event_does_not_leak() -> None:
    assert decode(b"event: a\n\ndata: 1\n\n") == [Frame(b"1", "", "")]


def test_an_empty_data_field_makes_a_frame_with_empty_data() -> None:
    assert decode(b"data\n\ndata:\n\ndata\ndata\n\n") == [Frame(b""), Frame(b""), Frame(b"\n")]


def test_a_frame_that_the_stream_ends_in_is_not_dispatched() -> None:
    assert decode(b"data: 1\n\ndata: 2\n") == [Frame(b"1")]


def test_line_separators_of_unicode_are_no_line_ends() -> None:
    data = "a\u2028b\u0085c\x0bd\x0ce\x1cf".encode()
    assert decode(b"data: " + data + b"\n\n") == [Frame(data)]


LINES = st.sampled_from(
    [b"", b"data: a", b"data:b", b"data", b"id: 1", b"id", b"event: e", b": ping", b"\xef\xbb\xbf"]
)
ENDS = st.sampled_from([b"\n", b"\r", b"\r\n"])
TEXTS = st.lists(LINES | ENDS | st.binary(max_size=3), max_size=30).map(b"".join) | st.lists(
    st.tuples(LINES, ENDS).map(b"".join), max_size=15
).map(b"".join)


@given(TEXTS, st.data())
def test_any_split_gives_the_same_frames(text: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    chunks = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert decode(*chunks) == decode(text)
    assert decode(*(bytes([byte]) for byte in text)) == decode(text)


def test_a_long_line_in_small_chunks_costs_linear_time() -> None:
    def cost_s(size: int) -> float:
        text = b"data: " + b"x" * size + b"\n\n"
        chunks = [text[at : at + 4096] for at in range(0, len(text), 4096)]
        started_at = time.process_time()
        assert len(decode(*chunks)[0].data) == size
        return time.process_time() - started_at

    small = min(cost_s(1 << 20) for _ in range(3))
    large = min(cost_s(1 << 24) for _ in range(3))
    assert large < 16 * small * 6 + 0.02  # quadratic would be 256 times
