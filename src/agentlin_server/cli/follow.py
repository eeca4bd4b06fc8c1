"""Prints the events of a task as they come, and measures them."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from agentlin_server.cli.exits import ExitCode
from agentlin_server.cli.terminal import printable, say, word_console, write_data

if TYPE_CHECKING:
    from agentlin_client.types import AgentTaskEvent, TaskObject

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
        began_at: When the task was asked for; None if the stream may be of the past, so that the
            times at which its events come say nothing.
        task_id: Known from the first event on.
        status: The last status that ends or rests the task, None while it goes on.
        task: The snapshot that came with that status.
        first_at: When the first token came, None before.
        last_at: When the last token came, None before the first.
        ended_at: When the status came.
    """

    began_at: float | None
    task_id: str | None = None
    status: str | None = None
    task: "TaskObject | None" = None
    first_at: float | None = None
    last_at: float | None = None
    ended_at: float | None = None

    def note(self, event: "AgentTaskEvent", at: float) -> None:
        """Take an event into account that came at `at`."""
        self.task_id = event.task_id
        if _grows(event) is not None:
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
        if self.began_at is not None:
            parts += self._times(self.began_at, usage)
        return " · ".join(parts)

    def error(self) -> str | None:
        """Return why the task failed or expired, None if it did not."""
        if self.task is None or self.task.error is None:
            return None
        return f"{self.task.error.message} (code {self.task.error.code})"

    def _times(self, began_at: float, usage: dict[str, Any]) -> list[str]:
        parts: list[str] = []
        if self.first_at is not None:
            parts.append(f"first token after {self.first_at - began_at:.2f} s")
        if (rate := self._rate(usage)) is not None:
            about = "about " if usage.get("estimated") else ""
            parts.append(f"{about}{rate:.0f} tokens/s")
        if self.ended_at is not None:
            parts.append(f"{self.ended_at - began_at:.1f} s in all")
        return parts

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
        self._last: _Grown | None = None
        self._is_line_open = False

    def show(self, event: "AgentTaskEvent") -> None:
        """Print what the event adds."""
        grown = _grows(event)
        if self._as_json:
            if grown is not None:
                self._on_first()
            write_data(_line(event))
        elif grown is not None and grown.delta:
            self._turn_to(grown)
            self._write(grown)

    def end(self) -> None:
        """End the line that is open, so that words that follow stand on their own."""
        self._on_first()
        if self._is_line_open:
            self._is_line_open = False
            if self._last is not None and self._last.kind == "thought":
                self._words.out("")
            else:
                write_data("\n")

    def _turn_to(self, grown: "_Grown") -> None:
        """Set the answer off from the reasoning, and one item from the next, by a blank line."""
        last = self._last
        if last is not None and (last.kind, last.item_id) == (grown.kind, grown.item_id):
            return
        self.end()
        self._last = grown
        if last is None:
            return
        if last.kind == grown.kind == "answer":
            write_data("\n")
        else:
            self._words.out("")  # on standard output the answer stands alone

    def _write(self, grown: "_Grown") -> None:
        if grown.kind == "answer":
            write_data(grown.delta)
        else:
            self._words.out(printable(grown.delta), end="", style="dim")
        self._is_line_open = not grown.delta.endswith("\n")


def _line(event: "AgentTaskEvent") -> str:
    """Return the event as the server sent it, its type first, on a line of its own."""
    fields = {"type": event.type, **event.to_dict(mode="json")}
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")) + "\n"


class _Grown(NamedTuple):
    """What an event adds to which text."""

    kind: Literal["answer", "thought"]
    item_id: str
    delta: str


def _grows(event: "AgentTaskEvent") -> _Grown | None:
    """Return what the event adds, None if it adds no text."""
    match event.type:
        case "task.text.delta":
            return _Grown("answer", event.item_id, event.delta)
        case "task.reasoning_text.delta" | "task.reasoning_summary_text.delta":
            return _Grown("thought", event.item_id, event.delta)
        case _:
            return None


def new_tally() -> Tally:
    """Return a tally that begins now."""
    return Tally(began_at=perf_counter())


def report(tally: Tally) -> None:
    """Write the last line, and above it what went wrong, to standard error."""
    if (error := tally.error()) is not None:
        say(f"{tally.status}: {error}", style="red")
    if sys.stdout.isatty() and sys.stderr.isatty():
        say("")
    say(tally.summary(), style="green" if tally.exit_code is ExitCode.OK else "yellow")
