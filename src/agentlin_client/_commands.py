"""What the core asks its shells to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any, TypeAlias, TypeVar

    import httpx

    T = TypeVar("T")

    Command: TypeAlias = "Send | Read | Sleep"
    Steps: TypeAlias = Generator[Command, Any, T]
    """A conversation: yields commands, is sent their outcomes, comes to a T."""


class Send(NamedTuple):
    """Send the request; answer the response, its body unread."""

    request: httpx.Request


class Read(NamedTuple):
    """Read the rest of the response's body into it."""

    response: httpx.Response


class Sleep(NamedTuple):
    """Wait."""

    seconds: float
