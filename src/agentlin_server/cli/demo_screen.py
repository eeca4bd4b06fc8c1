"""What a demo shows: the answer as it comes, and between it what happens to the server."""

from typing import TYPE_CHECKING, Any, Literal

from agentlin_server.cli.terminal import data_console, printable, say, write_data

if TYPE_CHECKING:
    from rich.console import Console

    from agentlin_client.types import AgentTaskEvent, MessageContent


class Screen:
    """Prints events: text to standard output, all else, as notes, to standard error.

    A model call that is made again says again what it said before: that much of it is dimmed.
    """

    def __init__(self, *, is_quiet: bool) -> None:
        """Prepare; a quiet screen prints nothing but its end."""
        self._is_quiet = is_quiet
        self._console: Console = data_console()
        self._texts: dict[str, str] = {}
        self._earlier: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._is_line_open = False

    def note(self, text: str, *, style: Literal["dim", "red", "green"] = "dim") -> None:
        """Print a line between the text."""
        if self._is_quiet:
            return
        self.end_line()
        say(f"-- {text} --", style=style)

    def show(self, event: "AgentTaskEvent") -> None:
        """Print what the event adds."""
        match event.type:
            case "task.output_item.added":
                self._begin(event.item)
            case "task.text.delta" | "task.reasoning_text.delta":
                self._write(event.item_id, event.delta)
            case "task.output_item.done":
                self._end(event.item)
            case _:
                pass

    def end(self, line: str, *, is_good: bool) -> None:
        """Print the last line, to standard output."""
        self.end_line()
        self._console.out(line, style="bold green" if is_good else "bold red")

    def _begin(self, item: Any) -> None:
        attempt: int = getattr(item, "attempt", None) or 1
        superseded: str | None = getattr(item, "supersedes", None)
        if superseded is not None:
            self._earlier[item.id] = self._texts.get(superseded, "")
        if item.type in ("message", "reasoning") and attempt > 1:
            self.note(f"the model call was cut off and is made again: attempt {attempt}")

    def _write(self, item_id: str, delta: str) -> None:
        text = self._texts.get(item_id, "") + delta
        self._texts[item_id] = text
        if self._is_quiet:
            return
        if self._earlier.get(item_id, "").startswith(text):
            self._console.out(printable(delta), style="dim", end="")
        else:
            write_data(delta)
        self._is_line_open = not delta.endswith("\n")

    def _end(self, item: Any) -> None:
        if item.status != "completed":
            return
        if item.type == "tool_call":
            self._names[item.call_id] = item.name
            self.note(f"{item.name} {item.arguments}")
        elif item.type == "tool_result":
            self.note(f"{self._names.get(item.call_id)}: {_text_of(item.message_content)}")

    def end_line(self) -> None:
        """End the line that is open, so that what follows stands on its own."""
        if self._is_line_open:
            self._is_line_open = False
            write_data("\n")


def _text_of(content: "MessageContent") -> str:
    parts = [content] if isinstance(content, str) else content
    return " ".join(
        part if isinstance(part, str) else str(getattr(part, "text", "")) for part in parts
    )
