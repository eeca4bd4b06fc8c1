"""`agentlin doctor`: what works here, and how to mend what does not."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from agentlin_server.cli.exits import ExitCode, perform
from agentlin_server.cli.options import DbOption, JsonOption, examples
from agentlin_server.cli.terminal import data_console, printable

if TYPE_CHECKING:
    from rich.console import Console

    from agentlin_server.cli.checks import Check
    from agentlin_server.settings import Settings

_MARKS: Final = {"ok": ("ok", "green"), "warn": ("warn", "yellow"), "fail": ("FAIL", "bold red")}


@examples(
    "agentlin doctor",
    "agentlin doctor --json",
)
def doctor(*, db: DbOption = None, as_json: JsonOption = False) -> None:
    """Check the installation and say how to mend what is wrong.

    Nothing is changed or fetched; only this machine and configured providers are asked. Ends
    with 1 if anything fails; warnings do not count.
    """

    async def action() -> ExitCode:
        console = data_console()
        results: list[Check] = []
        async for result in _results(db):
            results.append(result)
            if not as_json:
                _print(console, result)
        failed = [result.name for result in results if result.verdict == "fail"]
        if as_json:
            checks = [result.to_json() for result in results]
            typer.echo(json.dumps({"ok": not failed, "checks": checks}))
        return ExitCode.FAILED if failed else ExitCode.OK

    perform(action)


async def _results(db: str | None) -> "AsyncGenerator[Check]":
    """Yield the result of each check as it is known."""
    from agentlin_server.app.logs import configure_logging
    from agentlin_server.cli import checks
    from agentlin_server.settings import Settings, SettingsError

    yield checks.check_python()
    yield checks.check_sqlite()
    yield checks.check_extras()
    try:
        settings = Settings.load(db=db)
    except SettingsError as exc:
        yield checks.Check(
            "settings", "fail", str(exc), "unset it, or see docs/reference/settings.md"
        )
        return  # what follows depends on them
    configure_logging("error", secrets=settings.secrets)
    yield checks.Check("settings", "ok", _named(settings))
    yield checks.check_database(settings)
    if not settings.is_in_memory:
        yield checks.check_disk("disk", Path(settings.db).parent)
    yield checks.check_port(settings)
    async for result in _model_results(settings):
        yield result


async def _model_results(settings: "Settings") -> "AsyncGenerator[Check]":
    from agentlin_server.cli import checks, checks_models
    from agentlin_server.models.local import default_cache_dir

    folder = settings.models_dir or default_cache_dir()
    yield checks.check_folder("model folder", folder, "set AGENTLIN_MODELS_DIR to another folder")
    yield checks.check_disk("model disk", folder)
    yield checks_models.check_engine()
    yield checks_models.check_weights(folder)
    for result in await checks_models.check_providers(settings):
        yield result
    yield await checks_models.check_default_model(settings)


def _named(settings: "Settings") -> str:
    """Return which settings were given; never their values, which may be secrets."""
    given = sorted(settings.model_fields_set)
    return f"given: {', '.join(given)}" if given else "all at their defaults"


def _print(console: "Console", result: "Check") -> None:
    from rich.table import Table
    from rich.text import Text

    mark, style = _MARKS[result.verdict]
    rows = [(Text(mark, style), Text(result.name), Text(printable(result.detail)))]
    if result.mend:
        rows.append((Text(), Text("mend it:", "dim"), Text(printable(result.mend))))
    if not console.is_terminal:
        for row in rows:
            typer.echo("\t".join(map(str, row)))
        return
    table = Table.grid(padding=(0, 2, 0, 0))
    for width in (4, 14, None):
        table.add_column(width=width)
    for row in rows:
        table.add_row(*row)
    console.print(table)
