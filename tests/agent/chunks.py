"""Chunks of a model's answer, as hypothesis strategies."""

from hypothesis import strategies as st

from agentlin_server.domain.model import (
    ProviderState,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)

_text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5)
_logprobs = st.lists(
    st.builds(lambda t: {"token": t, "logprob": -1.0, "bytes": [], "top_logprobs": []}, _text),
    max_size=2,
).map(tuple)
_chunk = st.one_of(
    st.builds(TextDelta, _text, _logprobs),
    st.builds(TextDelta, _text),
    st.builds(ReasoningDelta, _text),
    st.builds(RefusalDelta, _text),
    st.builds(ToolCallDelta, st.integers(0, 3), st.sampled_from(["", "a", "b"]), _text, _text),
    st.builds(Usage, st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)),
    st.builds(ProviderState, st.just({"signature": "x"})),
)
batches = st.lists(st.lists(_chunk, min_size=1, max_size=6), max_size=5)
USAGE = {"total_tokens": 3, "input_tokens": 1, "output_tokens": 2}
