"""Options that several commands share."""

from typing import Annotated

import typer

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
TaskArgument = Annotated[
    str, typer.Argument(metavar="TASK_ID", help="Id of the task, e.g. task_1.", show_default=False)
]
