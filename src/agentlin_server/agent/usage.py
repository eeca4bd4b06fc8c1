"""What a model call cost, in the contract's form; estimated where the provider is silent."""

from collections.abc import Sequence
from typing import Final

from agentlin_server.domain.events import Json, encode_json
from agentlin_server.domain.model import ChatMessage, Usage

_BYTES_PER_TOKEN: Final = 4
"""A rule of thumb for English text; wrong by a factor of two at worst, and flagged."""


def to_wire(usage: Usage) -> Json:
    """Return the `usage` object of one model call (tokens)."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "estimated": usage.estimated,
    }


def estimate(messages: Sequence[ChatMessage], *, output_bytes: int) -> Usage:
    """Return a guess from the sizes of context and answer."""
    return Usage(
        input_tokens=_tokens(len(encode_json(messages))),
        output_tokens=_tokens(output_bytes),
        estimated=True,
    )


def _tokens(size_bytes: int) -> int:
    return -(-size_bytes // _BYTES_PER_TOKEN)
