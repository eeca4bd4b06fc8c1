"""Puts the fragments of streamed tool calls in order, whatever the provider leaves out."""

from typing import Any

import msgspec

from agentlin_server.domain.model import ToolCallDelta


class ToolCallFunction(msgspec.Struct, gc=False):
    """The `function` of a fragment. `arguments` is JSON text; some servers send an object."""

    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class ToolCallFragment(msgspec.Struct, gc=False):
    """One entry of a delta's `tool_calls`."""

    index: int | None = None
    id: str | None = None
    function: ToolCallFunction | None = None


class ToolCallTracker:
    """Numbers the calls of one answer, 0, 1, 2, ..., in the order of their first fragments.

    The provider's `index` tells the calls apart. Where it is missing, or the same for two calls,
    a new id begins a new call; a fragment with neither belongs to the last one. Id and name go
    out once per call, though some providers repeat them.
    """

    __slots__ = ("_calls", "_last", "_named")

    def __init__(self) -> None:
        self._calls: list[tuple[int | None, str]] = []  # (provider's index, id), by our index
        self._named: set[int] = set()
        self._last: dict[int, int] = {}  # provider's index -> the last of our calls under it

    @property
    def has_calls(self) -> bool:
        """Whether the answer has called a tool."""
        return bool(self._calls)

    def feed(self, fragment: ToolCallFragment) -> ToolCallDelta | None:
        """Return the fragment in our form; None if it says nothing new."""
        function = fragment.function
        name = (function.name if function else None) or ""
        arguments = _to_text(function.arguments if function else None)
        index, is_new = self._place(fragment)
        if name and index in self._named:
            name = ""
        if name:
            self._named.add(index)
        if not (is_new or name or arguments):
            return None
        call_id = self._calls[index][1] if is_new else ""
        return ToolCallDelta(index=index, call_id=call_id, name=name, arguments=arguments)

    def _place(self, fragment: ToolCallFragment) -> tuple[int, bool]:
        """Return our index of the fragment's call, and whether this is its first fragment."""
        given, call_id = fragment.index, fragment.id or ""
        if given is None and not call_id and self._calls:
            return len(self._calls) - 1, False
        known = self._last.get(given) if given is not None else None
        if known is None and given is None:
            known = next((i for i, (_, seen) in enumerate(self._calls) if seen == call_id), None)
        if known is not None and call_id in {"", self._calls[known][1]}:
            return known, False
        self._calls.append((given, call_id))
        index = len(self._calls) - 1
        if given is not None:
            self._last[given] = index
        return index, True


def _to_text(arguments: str | dict[str, Any] | None) -> str:
    if isinstance(arguments, dict):
        return msgspec.json.encode(arguments).decode()
    return arguments or ""
