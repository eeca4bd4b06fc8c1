"""The sum of what the model calls of a task cost, in the contract's `usage` form."""

from collections.abc import Hashable, Mapping
from typing import Any


class UsageSum:
    """Adds up the usage of model calls; a call that reports twice counts once, as told last."""

    __slots__ = ("_base", "_calls")

    def __init__(self, base: Mapping[str, Any] | None = None) -> None:
        """Begin with nothing, or with the sum that a snapshot holds."""
        self._base = base
        self._calls: dict[Hashable, Mapping[str, Any]] = {}

    def add(self, call: Hashable, usage: Mapping[str, Any]) -> None:
        """Take the usage of one model call, known by `call`."""
        self._calls[call] = usage

    def render(self, *, tool_calls: int) -> dict[str, Any] | None:
        """Return the contract's usage object (tokens, calls), or None if no call reported.

        Args:
            tool_calls: How many calls of tools there were; taken as it is.
        """
        parts = list(self._calls.values())
        if self._base is not None:
            parts.append(self._base)
        if not parts:
            return None
        input_tokens = sum(_count(part, "input_tokens") for part in parts)
        output_tokens = sum(_count(part, "output_tokens") for part in parts)
        return {
            "input_tokens": input_tokens,
            "input_tokens_details": {
                "cached_tokens": sum(
                    _count(part.get("input_tokens_details"), "cached_tokens") for part in parts
                )
            },
            "output_tokens": output_tokens,
            "output_tokens_details": {
                "reasoning_tokens": sum(
                    _count(part.get("output_tokens_details"), "reasoning_tokens") for part in parts
                )
            },
            "total_tokens": sum(_total(part) for part in parts),
            "model_calls": len(self._calls) + _count(self._base, "model_calls"),
            "tool_calls": tool_calls,
            "estimated": any(part.get("estimated") for part in parts),
        }


def _count(usage: Mapping[str, Any] | None, field: str) -> int:
    return (usage or {}).get(field) or 0


def _total(usage: Mapping[str, Any]) -> int:
    if usage.get("total_tokens") is not None:
        return usage["total_tokens"]
    return _count(usage, "input_tokens") + _count(usage, "output_tokens")
