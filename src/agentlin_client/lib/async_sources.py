"""What the helpers need of the rest of the SDK, as shapes: so they know neither client nor wire."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentlin_client._config import HeaderValues
    from agentlin_client._sentinels import Omit
    from agentlin_client.types import AgentTaskEvent
    from agentlin_client.types._envelope import TaskEnvelope


class AsyncEventStream(Protocol):
    """The events of one task, to be read once: `AsyncStream`, or something like it."""

    @property
    def last_event_id(self) -> str | None:
        """The SSE id of the last event that was handed out, None before the first."""
        ...

    def __aiter__(self) -> AsyncIterator[AgentTaskEvent]: ...

    async def close(self) -> None:
        """Stop reading, from anywhere; the iteration, if it is going on, ends."""
        ...


class AsyncTaskSource(Protocol):
    """Where tasks are found and followed: `client.tasks`, or something like it."""

    async def retrieve(
        self,
        task_id: str,
        *,
        extra_headers: HeaderValues | None = None,
        extra_query: Mapping[str, object] | None = None,
    ) -> TaskEnvelope:
        """Fetch a task in its envelope."""
        ...

    async def events(
        self,
        task_id: str,
        *,
        starting_after: int | Omit,
        until: Literal["final"] | Omit,
        extra_headers: HeaderValues | None = None,
        extra_query: Mapping[str, object] | None = None,
    ) -> AsyncEventStream:
        """Follow the events of a task after the one with a number."""
        ...
