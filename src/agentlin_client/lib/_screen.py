"""Where a transcript is shown: on a terminal as it grows, elsewhere as plain lines."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import TracebackType
from typing import Final, Protocol, Self

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.markdown import Markdown
from rich.segment import Segment
from rich.spinner import Spinner
from rich.text import Text

from ._paragraphs import Paragraphs
from ._transcript import Called, Closed, Entry, Grown, Note, Returned

_REFRESHES_PER_S: Final = 8.0
_LINES_KEPT: Final = 3
"""How many lines of a terminal the growing text leaves free, for the status and the prompt."""


class Screen(Protocol):
    """Shows entries in order, between `__enter__` and `__exit__`."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def show(self, entry: Entry) -> None:
        """Show an entry."""
        ...

    def finish(self, line: str, *, error: str | None) -> None:
        """Show the last line, and above it what went wrong, if anything did."""
        ...


def screen_on(console: Console, status: Callable[[], str]) -> Screen:
    """Return the screen that suits a console.

    Args:
        console: Where to show.
        status: Gives the status line, as it is at the moment.
    """
    return LiveScreen(console, status) if console.is_interactive else PlainScreen(console)


class LiveScreen:
    """Whole paragraphs are printed for good; below them the last one grows, above the status."""

    def __init__(
        self, console: Console, status: Callable[[], str], *, refreshes_itself: bool = True
    ) -> None:
        """Prepare; nothing is shown yet.

        Args:
            console: A terminal.
            status: Gives the status line.
            refreshes_itself: Show the time passing, by a thread that draws the last lines.
        """
        self._console = console
        self._status = status
        self._spinner = Spinner("dots")
        self._open: Grown | None = None
        self._text = Paragraphs()
        self._has_shown = False
        self._live = Live(
            console=console,
            get_renderable=self._last_lines,
            auto_refresh=refreshes_itself,
            refresh_per_second=_REFRESHES_PER_S,
            transient=True,  # what is in it is printed for good, or not at all
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close_text()
        self._live.stop()

    def show(self, entry: Entry) -> None:
        """Show an entry."""
        match entry:
            case Grown():
                self._grow(entry)
            case Closed(item_id, is_complete):
                if self._open is not None and self._open.item_id == item_id:
                    self._close_text()
                    if not is_complete:
                        self._print(Text("(broken off)", style="dim"))
            case Called(name, arguments):
                self._close_text()
                self._print(Text.assemble(("→ ", "cyan"), (name, "bold cyan"), " ", arguments))
            case Returned(name, text):
                self._close_text()
                self._print(Text.assemble(("← ", "cyan"), (name, "cyan"), " ", (text, "dim")))
            case Note(text):
                self._close_text()
                self._print(Text(f"-- {text} --", style="yellow"))

    def finish(self, line: str, *, error: str | None) -> None:
        """Show the last line, and above it what went wrong, if anything did."""
        self._close_text()
        if error is not None:
            self._print(Text(error, style="red"))
        self._print(Text(line, style="dim"))

    def _grow(self, grown: Grown) -> None:
        if self._open is None or (self._open.item_id, self._open.kind) != (
            grown.item_id,
            grown.kind,
        ):
            self._close_text()
        self._open = grown
        if settled := self._text.feed(grown.delta):
            self._print(self._drawn(settled))

    def _close_text(self) -> None:
        rest, self._text = self._text.rest, Paragraphs()
        if rest.strip():
            self._print(self._drawn(rest))
        self._open = None

    def _drawn(self, text: str) -> RenderableType:
        if self._open is not None and self._open.kind == "thought":
            return Text(text.strip("\n"), style="dim italic")
        # Links are shown with their address: a text that leads elsewhere than it says is no good.
        return Markdown(text, hyperlinks=False)

    def _print(self, renderable: RenderableType) -> None:
        if self._has_shown:
            self._console.print()
        self._has_shown = True
        self._console.print(renderable)

    def _last_lines(self) -> RenderableType:
        self._spinner.update(text=Text(f" {self._status()}", style="dim"))
        height = max(self._console.height - _LINES_KEPT, 1)
        text = self._text.tail(3 * height)  # a long one is costly, and could not be seen
        if not text.strip():
            return self._spinner
        return Group(Text(), _Tail(self._drawn(text), height - 1), self._spinner)


class _Tail:
    """The last lines of something that may be higher than the terminal."""

    def __init__(self, renderable: RenderableType, lines_max: int) -> None:
        self._renderable = renderable
        self._lines_max = max(lines_max, 1)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        unbounded = options.update(height=None)
        lines = console.render_lines(self._renderable, unbounded, pad=False)
        for line in lines[-self._lines_max :]:
            yield from line
            yield Segment.line()


class PlainScreen:
    """Writes what comes as it comes: for files, pipes and notebooks."""

    def __init__(self, console: Console) -> None:
        """Prepare; nothing is shown yet."""
        # Not by `print`, which would make a block of its own of each piece in a notebook.
        self._file = console.file
        self._last: Grown | None = None
        self._is_line_open = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end_line()

    def show(self, entry: Entry) -> None:
        """Show an entry."""
        match entry:
            case Grown():
                self._grow(entry)
            case Closed(item_id, is_complete):
                if not is_complete and self._last is not None and self._last.item_id == item_id:
                    self._line("(broken off)")
            case Called(name, arguments):
                self._line(f"-> {name} {arguments}")
            case Returned(name, text):
                self._line(f"<- {name}: {text}")
            case Note(text):
                self._line(f"-- {text} --")

    def finish(self, line: str, *, error: str | None) -> None:
        """Show the last line, and above it what went wrong, if anything did."""
        if error is not None:
            self._line(error)
        self._line(line)

    def _grow(self, grown: Grown) -> None:
        if not grown.delta:
            return
        last, self._last = self._last, grown
        if last is None or (last.item_id, last.kind) != (grown.item_id, grown.kind):
            self._end_line()
            if grown.kind == "thought":
                self._write("[reasoning] ")
        self._write(grown.delta)
        self._is_line_open = not grown.delta.endswith("\n")

    def _line(self, text: str) -> None:
        self._end_line()
        self._write(f"{text}\n")
        self._last = None

    def _end_line(self) -> None:
        if self._is_line_open:
            self._is_line_open = False
            self._write("\n")

    def _write(self, text: str) -> None:
        self._file.write(text)
        self._file.flush()


@contextmanager
def status_line(
    console: Console, line: Callable[[], str], status: Callable[[], str]
) -> Generator[Callable[[], None]]:
    """Show one line that changes; yield what is to be called when it may have.

    Args:
        console: Where to show it. On a terminal it draws itself anew as time passes.
        line: Gives the line.
        status: Gives the part of it that is worth a line where lines can't be drawn anew.
    """
    if not console.is_interactive:
        yield _line_writer(console, line, status)
        return
    spinner = Spinner("dots")

    def drawn() -> RenderableType:
        spinner.update(text=Text(f" {line()}", style="dim"))
        return spinner

    with Live(
        console=console,
        get_renderable=drawn,
        refresh_per_second=_REFRESHES_PER_S,
        transient=True,
    ):
        yield lambda: None


def _line_writer(
    console: Console, line: Callable[[], str], status: Callable[[], str]
) -> Callable[[], None]:
    shown = ""

    def write() -> None:
        nonlocal shown
        if (current := status()) != shown:
            shown = current
            console.file.write(f"{line()}\n")
            console.file.flush()

    return write
