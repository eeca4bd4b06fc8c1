"""Options that several commands share."""

from collections.abc import Callable
from inspect import cleandoc
from typing import Annotated, Any, TypeVar

import typer

from agentlin_server.cli.exits import ExitCode, fail

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


def _checked_task_id(value: str | None) -> str | None:
    """End the command if this can't be an id: in a path, the likes of `..` lead elsewhere."""
    from agentlin_server.domain.errors import InvalidIdError
    from agentlin_server.domain.ids import checked_id

    try:
        # There is none while the shell completes the line.
        return value if value is None else checked_id(value, field="TASK_ID")
    except InvalidIdError as exc:
        fail(ExitCode.USAGE, str(exc))


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
    str,
    typer.Argument(
        metavar="TASK_ID",
        help="Id of the task, e.g. task_1.",
        show_default=False,
        callback=_checked_task_id,
    ),
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
