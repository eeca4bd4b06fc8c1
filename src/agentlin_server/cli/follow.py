"""Prints the events of a task as they come, and measures them."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from agentlin_server.cli.exits import ExitCode
from agentlin_server.cli.terminal import printable, word_console, write_data

if TYPE_CHECKING:
    from agentlin_client.types import AgentTaskEvent, TaskObject

_TEXT: Final = frozenset({"task.text.delta"})
_THOUGHT: Final = frozenset({"task.reasoning_text.delta", "task.reasoning_summary_text.delta"})
_RESTING: Final = {
    "task.input_required": "input-required",
    "task.paused": "paused",
}
_FINAL: Final = {
    "task.completed": "completed",
    "task.failed": "failed",
    "task.expired": "expired",
    "task.canceled": "canceled",
}
_CODES: Final = {
    "completed": ExitCode.OK,
    "failed": ExitCode.FAILED,
    "expired": ExitCode.FAILED,
    "canceled": ExitCode.CANCELED,
    "input-required": ExitCode.WAITING,
    "paused": ExitCode.WAITING,
}


@dataclass(slots=True)
class Tally:
    """What a stream of events has shown so far, and when, on a monotonic clock in seconds.

    Attributes:
        began_at: When the task was asked for.
        task_id: Known from the first event on.
        status: The last status that ends or rests the task, None while it goes on.
        task: The snapshot that came with that status.
        first_at: When the first token came, None before.
        last_at: When the last token came, None before the first.
        ended_at: When the status came.
    """

    began_at: float
    task_id: str | None = None
    status: str | None = None
    task: "TaskObject | None" = None
    first_at: float | None = None
    last_at: float | None = None
    ended_at: float | None = None

    def note(self, event: "AgentTaskEvent", at: float) -> None:
        """Take an event into account that came at `at`."""
        self.task_id = event.task_id
        if event.type in _TEXT or event.type in _THOUGHT:
            self.first_at = at if self.first_at is None else self.first_at
            self.last_at = at
        elif (status := _FINAL.get(event.type) or _RESTING.get(event.type)) is not None:
            self.status = status
            self.task = getattr(event, "task", None)
            self.ended_at = at

    @property
    def exit_code(self) -> ExitCode:
        """The exit code that the status means."""
        return _CODES.get(self.status or "", ExitCode.UNAVAILABLE)

    def summary(self) -> str:
        """Return the line for the end: status, task, tokens, time to first token, rate, time."""
        parts = [self.status or "unfinished", self.task_id or "no task"]
        usage = (self.task.usage if self.task else None) or {}
        parts += _tokens(usage)
        if self.first_at is not None:
            parts.append(f"first token after {self.first_at - self.began_at:.2f} s")
        if (rate := self._rate(usage)) is not None:
            parts.append(f"{rate:.0f} tokens/s")
        if self.ended_at is not None:
            parts.append(f"{self.ended_at - self.began_at:.1f} s in all")
        return " · ".join(parts)

    def error(self) -> str | None:
        """Return why the task failed or expired, None if it did not."""
        if self.task is None or self.task.error is None:
            return None
        return f"{self.task.error.message} (code {self.task.error.code})"

    def _rate(self, usage: dict[str, Any]) -> float | None:
        """Return tokens per second from the first to the last token; None if too few came."""
        tokens: int = usage.get("output_tokens", 0)
        if self.first_at is None or self.last_at is None or tokens <= 1:
            return None
        took_s = self.last_at - self.first_at
        return (tokens - 1) / took_s if took_s > 0 else None


def _tokens(usage: dict[str, Any]) -> list[str]:
    if not usage:
        return []
    about = "about " if usage.get("estimated") else ""
    return [f"{about}{usage.get('input_tokens', 0)} + {usage.get('output_tokens', 0)} tokens"]


class Printer:
    """Prints what an event adds: the answer to standard output, reasoning dimmed to standard error.

    With `as_json` each event is one line of JSON on standard output, and nothing else is.
    """

    def __init__(self, *, as_json: bool, on_first: Callable[[], None]) -> None:
        """Prepare.

        Args:
            as_json: Print raw events.
            on_first: Called before anything is printed, to clear the line.
        """
        self._as_json = as_json
        self._on_first = on_first
        self._words = word_console()
        self._mode = ""
        self._item = ""
        self._is_line_open = False

    def show(self, event: "AgentTaskEvent") -> None:
        """Print what the event adds."""
        if self._as_json:
            if event.type in _TEXT or event.type in _THOUGHT or event.type in _FINAL:
                self._on_first()
            write_data(event.to_json(indent=None) + "\n")
        elif event.type in _TEXT:
            self._turn_to("answer", event)
            self._write(event.delta)
        elif event.type in _THOUGHT:
            self._turn_to("thought", event)
            self._think(event.delta)

    def end(self) -> None:
        """End the line that is open, so that words that follow stand on their own."""
        self._on_first()
        if not self._is_line_open:
            return
        self._is_line_open = False
        if self._mode == "thought":
            self._words.out("")
        else:
            write_data("\n")

    def _turn_to(self, mode: str, event: Any) -> None:
        """Set the answer off from the reasoning, and one item from the next."""
        if (mode, event.item_id) == (self._mode, self._item):
            return
        was_first = not self._mode
        self.end()
        if not was_first:
            self._separate(mode)
        self._mode, self._item = mode, event.item_id

    def _separate(self, mode: str) -> None:
        """Leave a line blank; on standard output only between two parts of the answer."""
        if mode == self._mode == "answer":
            write_data("\n")
        else:
            self._words.out("")

    def _write(self, delta: str) -> None:
        if delta:
            write_data(delta)
            self._is_line_open = not delta.endswith("\n")

    def _think(self, delta: str) -> None:
        if delta:
            self._words.out(printable(delta), end="", style="dim")
            self._is_line_open = not delta.endswith("\n")


def new_tally() -> Tally:
    """Return a tally that begins now."""
    return Tally(began_at=perf_counter())


def report(tally: Tally) -> None:
    """Write the last line, and above it what went wrong, to standard error."""
    console = word_console()
    if (error := tally.error()) is not None:
        console.out(printable(f"{tally.status}: {error}"), style="red")
    style = "green" if tally.exit_code is ExitCode.OK else "yellow"
    if console.is_terminal and sys.stdout.isatty():
        console.out("")
    console.out(printable(tally.summary()), style=style)
