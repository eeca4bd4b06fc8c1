"""Options that several commands share."""

from collections.abc import Callable
from inspect import cleandoc
from typing import Annotated, Any, TypeVar

import typer

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

ServerOption = Annotated[
    str | None,
    typer.Option(
        "--server",
        metavar="URL",
        help="Server to use; else AGENTLIN_BASE_URL, else the one that runs on the database, "
        "else one is started for this command.",
    ),
]
DbOption = Annotated[
    str | None,
    typer.Option(
        "--db", metavar="FILE", help="Database file; else AGENTLIN_DB, else in your data folder."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON on standard output.")]
EventsOption = Annotated[bool, typer.Option("--json", help="Raw events, one JSON object per line.")]
TaskArgument = Annotated[
    str, typer.Argument(metavar="TASK_ID", help="Id of the task, e.g. task_1.", show_default=False)
]


def examples(*lines: str) -> Callable[[CommandT], CommandT]:
    """Return a decorator that adds example lines, kept as they are, to a command's help.

    Each paragraph above them becomes one line: the terminal's width breaks it, not the source's.
    """

    def decorate(command: CommandT) -> CommandT:
        paragraphs = cleandoc(command.__doc__ or "").split("\n\n")
        told = [" ".join(paragraph.split()) for paragraph in paragraphs]
        # A paragraph after a backspace is not wrapped.
        command.__doc__ = "\n\n".join((*told, "\n".join(("\b", *lines))))
        return command

    return decorate
