"""Tasks on the terminal: `render` shows one as it works, `progress` in a line. Needs Rich.

    from agentlin_client.lib.console import render

    with client.tasks.stream(user_message_content="Which is the longest river?") as stream:
        task = render(stream)

For async streams there are `render_async` and `progress_async`.
"""

from __future__ import annotations

from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
)
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from agentlin_client._errors import ClientError
from agentlin_client._models import BaseModel

from ._transcript import Transcript, printable, summary

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import ModuleType, TracebackType
    from typing import Self

    from rich.console import Console

    from agentlin_client.types import AgentTaskEvent, TaskObject

    from ._screen import Screen

__all__ = ["progress", "progress_async", "render", "render_async"]


def render(events: Iterable[AgentTaskEvent], *, console: Console | None = None) -> TaskObject:
    """Show a task as it works, up to the end of its events, and return it.

    On a terminal the answer grows as Markdown, reasoning is dimmed, calls of tools are shown with
    their arguments and results, and a line at the bottom tells the status and the time; in the
    end the usage is shown. Elsewhere (files, pipes, notebooks) the same comes as plain lines.
    What the model says is stripped of all that could command the terminal.

    Args:
        events: A stream of `tasks.create(stream=True)`, `tasks.stream` or `tasks.events`; or any
            iterable of a task's events. It is not closed.
        console: Where to show it; standard output by default.

    Returns:
        The task, however it ended: see its `status`.

    Raises:
        ImportError: Rich is not installed.
        TypeError: The stream is an async one, or it is something else.
        ClientError: There was no event that shows the task; or what the stream raises.
    """
    _check("render", events)
    with _Show(console) as show:
        for event in events:
            show.take(event)
        return show.end(events)


async def render_async(
    events: AsyncIterable[AgentTaskEvent], *, console: Console | None = None
) -> TaskObject:
    """Show a task as it works; the async twin of `render`."""
    _check("render_async", events)
    with _Show(console) as show:
        async for event in events:
            show.take(event)
        return show.end(events)


def progress(
    events: Iterable[AgentTaskEvent], *, console: Console | None = None
) -> Iterator[AgentTaskEvent]:
    """Yield the events as they come, and meanwhile show in a line what the task does.

    On a terminal the line is drawn anew as time passes, and is gone in the end. Elsewhere there
    is one line for each change of the status.

    Args:
        events: As for `render`.
        console: Where to show it; standard error by default.

    Raises:
        ImportError: Rich is not installed.
        TypeError: The stream is an async one, or it is something else.
    """
    _check("progress", events)
    with _line_on(console) as note:
        for event in events:
            note(event)
            yield event


async def progress_async(
    events: AsyncIterable[AgentTaskEvent], *, console: Console | None = None
) -> AsyncIterator[AgentTaskEvent]:
    """Yield the events as they come, and show what the task does; the async twin of `progress`."""
    _check("progress_async", events)
    with _line_on(console) as note:
        async for event in events:
            note(event)
            yield event


def _check(name: str, events: object) -> None:
    """Refuse what `name` can't show; `name` ends in `_async` if it is for async streams.

    Raises:
        TypeError: The message says what to do.
    """
    kind, wants_async = type(events).__name__, name.endswith("_async")
    if isinstance(events, Coroutine):
        events.close()  # it is never awaited: no need to warn of it, too
        raise TypeError(f"{name} takes a stream of events, not a coroutine: await it first")
    if isinstance(events, AsyncIterable):
        if wants_async:
            return
        awaited = "async for event in" if name == "progress" else "await"
        raise TypeError(f"{kind} is async: write `{awaited} {name}_async(...)`")
    if isinstance(events, str | bytes | Mapping | BaseModel) or not isinstance(events, Iterable):
        raise TypeError(
            f"{name} takes a stream of events, e.g. that of tasks.stream(...), not {kind}"
        )
    if wants_async:
        raise TypeError(f"{kind} is not async: write `{name.removesuffix('_async')}(...)`")


class _Show:
    """What both kinds of `render` have in common: all but the loop."""

    def __init__(self, console: Console | None) -> None:
        from .accumulator import TaskAccumulator

        screens = _screens()
        self._tasks = TaskAccumulator()
        self._transcript = Transcript()
        self._began_s = monotonic()
        self._screen: Screen = screens.screen_on(console or screens.Console(), self._status)

    def take(self, event: AgentTaskEvent) -> None:
        """Show what the event adds."""
        self._tasks.add(event)
        if (entry := self._transcript.take(event)) is not None:
            self._screen.show(entry)

    def end(self, events: object) -> TaskObject:
        """Show the last line, and return the task."""
        # A stream whose server answered with a whole task has no events.
        task: TaskObject | None = self._tasks.task or getattr(events, "task", None)
        if task is None:
            raise ClientError("no event has shown the task: its stream must begin at its beginning")
        error = task.error
        self._screen.finish(
            summary(task, monotonic() - self._began_s),
            error=None if error is None else f"{printable(error.message)} ({error.code})",
        )
        return task

    def _status(self) -> str:
        return self._transcript.line(monotonic() - self._began_s)

    def __enter__(self) -> Self:
        self._screen.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._screen.__exit__(exc_type, exc, traceback)


@contextmanager
def _line_on(console: Console | None) -> Generator[Callable[[AgentTaskEvent], object]]:
    screens = _screens()
    transcript = Transcript()
    began_s = monotonic()
    with screens.status_line(
        console or screens.Console(stderr=True),
        lambda: transcript.line(monotonic() - began_s),
        lambda: transcript.status,
    ) as draw:

        def note(event: AgentTaskEvent) -> None:
            transcript.take(event)
            draw()

        yield note


def _screens() -> ModuleType:
    try:
        from . import _screen
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "rich":
            raise
        raise ImportError(
            "agentlin_client.lib.console needs Rich: pip install 'agentlin[console]'"
        ) from None
    return _screen
