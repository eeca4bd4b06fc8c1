"""The Typer object: every command, and what `agentlin` itself can say."""

from typing import Annotated

import typer

from agentlin_server.cli.db import database
from agentlin_server.cli.demo import demo
from agentlin_server.cli.doctor import doctor
from agentlin_server.cli.exits import EXIT_CODES
from agentlin_server.cli.options import examples
from agentlin_server.cli.run import run
from agentlin_server.cli.serve import serve
from agentlin_server.cli.tasks import tasks
from agentlin_server.cli.weights import models

app = typer.Typer(
    name="agentlin",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES,
)


def _print_version(asked: bool) -> None:  # noqa: FBT001 # Typer hands the option over like this
    if asked:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"agentlin {version('agentlin')}")
        except PackageNotFoundError:
            typer.echo("agentlin, not installed")
        raise typer.Exit


@app.callback()
@examples(
    'agentlin run "Give me three tips for better sleep."',
    "agentlin serve",
    "agentlin tasks list",
    "agentlin doctor",
    "agentlin demo crash",
)
def agentlin(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Run agent tasks that survive crashes and stream every token."""


app.command(epilog=EXIT_CODES)(run)
app.command(epilog=EXIT_CODES)(serve)
app.add_typer(tasks, name="tasks")
app.add_typer(models, name="models")
app.add_typer(database, name="db")
app.command(epilog=EXIT_CODES)(doctor)
app.add_typer(demo, name="demo")
