"""What is shown while nothing comes yet: a spinner, or a progress bar while weights are fetched."""

from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from agentlin_server.cli.terminal import word_console

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID
    from rich.status import Status

_LINE_EVERY: Final = 0.25
"""How often a fetch is reported where there is no terminal, as a share of the whole."""


class Waiting:
    """Shows on standard error what is being waited for, until stopped; a context manager.

    On a terminal it leaves no trace; elsewhere each fetch gets a few plain lines.
    """

    def __init__(self, label: str | None, *, console: "Console | None" = None) -> None:
        """Prepare; nothing is shown before the context is entered.

        Args:
            label: What is waited for while no fetch is going on; None shows fetches only.
            console: Where to show it; None is standard error.
        """
        self._label = label
        self._console = console or word_console()
        self._spinner: Status | None = None
        self._bar: tuple[Progress, TaskID, str] | None = None
        self._told: tuple[str, float] = ("", 0.0)
        self._is_on = False

    def __enter__(self) -> Self:
        self._is_on = True
        self._spin()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Clear the line; later progress is not shown. Stopping twice is fine."""
        self._is_on = False
        self._clear()

    def progress(self, done: int, total: int | None, label: str) -> None:
        """Show how far a fetch is; called from any thread (see `models.local.Progress`)."""
        if not self._is_on:
            return
        if not self._console.is_terminal:
            self._tell(done, total, label)
        elif total is not None and done >= total:
            self._clear()
            self._spin()
        else:
            bar, task, _ = self._bar if self._bar and self._bar[2] == label else self._begin(label)
            bar.update(task, completed=done, total=total)

    def _tell(self, done: int, total: int | None, label: str) -> None:
        share = done / total if total else 0.0
        known, told = self._told
        if label != known:
            self._told = label, share
            size = f" ({total / 1e6:.0f} MB)" if total else ""
            self._console.print(f"{label}{size}", soft_wrap=True)
        elif share >= min(1.0, told + _LINE_EVERY) and told < 1.0:
            self._told = label, share
            self._console.print(f"{label}: {share:.0%}", soft_wrap=True)

    def _begin(self, label: str) -> "tuple[Progress, TaskID, str]":
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self._clear()
        bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(compact=True),
            console=self._console,
            transient=True,
        )
        self._bar = bar, bar.add_task(label, total=None), label
        bar.start()
        return self._bar

    def _spin(self) -> None:
        if self._label is not None and self._console.is_terminal:
            self._spinner = self._console.status(self._label, spinner_style="dim")
            self._spinner.start()

    def _clear(self) -> None:
        if self._spinner is not None:
            self._spinner.stop()
            self._spinner = None
        if self._bar is not None:
            self._bar[0].stop()
            self._bar = None
