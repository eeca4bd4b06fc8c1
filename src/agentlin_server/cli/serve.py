"""`agentlin serve`: the server, until it is told to stop."""

from typing import TYPE_CHECKING, Annotated

import typer

from agentlin_server.cli.exits import ExitCode, perform
from agentlin_server.cli.options import DbOption, examples
from agentlin_server.cli.terminal import say

if TYPE_CHECKING:
    from agentlin_server.app.serve import Listening


@examples(
    "agentlin serve",
    "agentlin serve --port 8000 --db tasks.db",
    "agentlin serve --model ollama/qwen3:4b",
)
def serve(
    *,
    host: Annotated[
        str | None,
        typer.Option("--host", metavar="HOST", help="Address to listen on; else AGENTLIN_HOST."),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            "-p",
            metavar="PORT",
            min=0,
            max=65535,
            help="Port; 0 takes a free one; else AGENTLIN_PORT.",
        ),
    ] = None,
    db: DbOption = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            metavar="MODEL",
            help="Default model, provider/model; else AGENTLIN_MODEL, else found.",
        ),
    ] = None,
    log_level: Annotated[
        str | None,
        typer.Option(
            "--log-level",
            metavar="LEVEL",
            help="debug, info, warning or error; else AGENTLIN_LOG_LEVEL.",
        ),
    ] = None,
) -> None:
    """Serve the Tasks API until Ctrl-C or SIGTERM.

    Running tasks then get some seconds to end (AGENTLIN_STOP_GRACE_S); a second signal stops at
    once. One line on standard output says where the server listens. More settings are
    environment variables; the reference of settings lists them.
    """

    async def action() -> ExitCode:
        from agentlin_server.app.logs import configure_logging
        from agentlin_server.app.serve import serve as serve_until_stopped
        from agentlin_server.cli.waiting import Waiting
        from agentlin_server.settings import Settings

        settings = Settings.load(host=host, port=port, db=db, model=model, log_level=log_level)
        configure_logging(settings.log_level, secrets=settings.secrets)
        with Waiting(None) as waiting:
            await serve_until_stopped(settings, on_listening=_announce, progress=waiting.progress)
        say("stopped")
        return ExitCode.OK

    perform(action, on_uvloop=True)


def _announce(listening: "Listening") -> None:
    """Say where, with which model, and why that one; standard output, as scripts wait for it."""
    choice = listening.choice
    typer.echo(
        f"agentlin listens on {listening.address} (docs: {listening.address}/docs); "
        f"default model {choice.name}: {choice.reason}"
    )
