"""A command that asks a server: from its options to a client, and to its exit code."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from agentlin_server.cli.exits import ExitCode, fail, perform

if TYPE_CHECKING:
    from agentlin_client import AsyncClient


def with_client(
    action: "Callable[[AsyncClient], Awaitable[ExitCode]]", *, server: str | None, db: str | None
) -> None:
    """Run the async part of a command that asks a server, and end the command.

    Args:
        action: Gets the client, returns the exit code.
        server: The option `--server`.
        db: The option `--db`; the two exclude each other.
    """
    if server and db:
        fail(ExitCode.USAGE, "--server and --db exclude each other")

    async def connected() -> ExitCode:
        from agentlin_server.app.logs import configure_logging
        from agentlin_server.cli.connect import connect, named_server
        from agentlin_server.settings import Settings

        settings = Settings.load(db=db)
        configure_logging("error", secrets=settings.secrets)
        # No model is called, so none needs to be looked for; to name this one fetches nothing.
        settings = settings.model_copy(update={"model": settings.model or "local/smollm2"})
        async with connect(settings, server=named_server(server, db=db)) as connection:
            return await action(connection.client)

    perform(connected)
