"""Streams of typed events without a server, for the helpers over them; both kinds, one face."""

import inspect
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import anyio

from agentlin_client.lib import AsyncTaskStream, TaskStream
from agentlin_client.lib.async_sources import AsyncEventStream
from agentlin_client.lib.sources import EventStream
from agentlin_client.types import AgentTaskEvent
from agentlin_client.types._adapters import decode_event
from tests.types.stream_builder import StreamBuilder

T = TypeVar("T")
WAIT_S = 5.0


def typed(events: Iterable[Mapping[str, Any]]) -> list[AgentTaskEvent]:
    """Return events in wire form as their models."""
    return [decode_event(event) for event in events]


def ended(status: str, **fields: Any) -> list[dict[str, Any]]:
    """Return the log of a task that says half of something and ends, or rests."""
    build = StreamBuilder()
    build.start()
    build.begin_call()
    message = build.add_message()
    build.add_part(message)
    build.text(message, "hal", "f")
    build.close_all()
    build.emit(f"task.{status}", **fields)
    return build.events


class FakeStream:
    """Hands out events, then ends or raises; remembers whether it was closed."""

    def __init__(
        self, events: Iterable[Mapping[str, Any]], *, error: BaseException | None = None
    ) -> None:
        self._left = typed(events)[::-1]
        self._error = error
        self.last_event_id: str | None = None
        self.times_closed = 0

    def __iter__(self) -> Iterator[AgentTaskEvent]:
        return self

    def __next__(self) -> AgentTaskEvent:
        if self.times_closed:
            raise StopIteration
        if self._left:
            event = self._left.pop()
            self.last_event_id = f"{event.sequence_number}-1"
            return event
        if self._error is not None:
            raise self._error
        raise StopIteration

    def close(self) -> None:
        self.times_closed += 1


class AsyncFakeStream:
    """The async twin of `FakeStream`."""

    def __init__(
        self, events: Iterable[Mapping[str, Any]], *, error: BaseException | None = None
    ) -> None:
        self._stream = FakeStream(events, error=error)

    @property
    def last_event_id(self) -> str | None:
        return self._stream.last_event_id

    @property
    def times_closed(self) -> int:
        return self._stream.times_closed

    def __aiter__(self) -> AsyncIterator[AgentTaskEvent]:
        return self

    async def __anext__(self) -> AgentTaskEvent:
        await anyio.lowlevel.checkpoint()
        try:
            return next(self._stream)
        except StopIteration:
            raise StopAsyncIteration from None

    async def close(self) -> None:
        await anyio.lowlevel.checkpoint()
        self._stream.close()


# Type checkers hold the fakes to the shape that the helpers ask for.
FAKES: tuple[type[EventStream], type[AsyncEventStream]] = (FakeStream, AsyncFakeStream)


class Face:
    """Blocking and async helpers behind one face."""

    def __init__(self, kind: str) -> None:
        self.is_sync = kind == "sync"

    def source(
        self, events: Iterable[Mapping[str, Any]], *, error: BaseException | None = None
    ) -> Any:
        """Return a fake stream of the kind."""
        return (FakeStream if self.is_sync else AsyncFakeStream)(events, error=error)

    def stream(self, source: Any, **options: Any) -> Any:
        """Return a task stream over a fake stream, or over what opens one."""
        return (TaskStream if self.is_sync else AsyncTaskStream)(source, **options)

    def call(self, function: Callable[..., T]) -> Any:
        """Return a function as the kind calls it: as it is, or to be awaited."""
        if self.is_sync:
            return function

        async def awaited(*args: Any, **kwargs: Any) -> T:
            await anyio.lowlevel.checkpoint()
            return function(*args, **kwargs)

        return awaited

    async def done(self, value: Any) -> Any:
        """Return the value, awaited if it needs to be."""
        return await value if inspect.isawaitable(value) else value

    async def some(self, iterator: Any, count: int) -> list[Any]:
        """Return the next `count` values."""
        return [next(iterator) if self.is_sync else await anext(iterator) for _ in range(count)]

    async def all(self, iterator: Any) -> list[Any]:
        """Return all values that are left."""
        if self.is_sync:
            return list(iterator)
        return [value async for value in iterator]

    async def within(self, stream: Any, body: Callable[[Any], Any]) -> Any:
        """Run `body(stream)` inside the stream's block, at most `WAIT_S` seconds."""
        with anyio.fail_after(WAIT_S):
            if self.is_sync:
                with stream as entered:
                    return await self.done(body(entered))
            async with stream as entered:
                return await self.done(body(entered))
