"""`agentlin db`: how large the database is; sweep it, copy it, bring its schema to the newest."""

import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from agentlin_server.cli.durations import parse_duration
from agentlin_server.cli.exits import EXIT_CODES, ExitCode, fail, perform
from agentlin_server.cli.options import DbOption, JsonOption, examples
from agentlin_server.cli.terminal import word_console

if TYPE_CHECKING:
    from agentlin_server.cli.waiting import Waiting
    from agentlin_server.store.sqlite.backup import Copy, Progress
    from agentlin_server.store.sqlite.upkeep import Migrated, Swept

database = typer.Typer(
    no_args_is_help=True, help="Look after the database: its size, old tasks, copies, its schema."
)

_SWEEPS_ITSELF: Final = (
    "A server that runs compresses finished tasks by itself, and removes old ones if "
    "AGENTLIN_KEEP_S says after how long."
)
_MIGRATES_ITSELF: Final = "A server that starts brings the schema to its newest by itself."


def _duration(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as exc:
        raise typer.BadParameter(str(exc)) from None


@database.command(epilog=EXIT_CODES)
@examples(
    "agentlin db size",
    "agentlin db size --json",
)
def size(*, db: DbOption = None, as_json: JsonOption = False) -> None:
    """Show how large the database is, and what takes the space.

    Nothing is changed; a server may be running. A sealed task is one that ended a while ago and
    whose events were compressed (AGENTLIN_SEAL_AFTER_S).
    """

    async def action() -> ExitCode:
        import anyio.to_thread

        from agentlin_server.cli.dbreport import print_sizes
        from agentlin_server.store.lock import DatabaseLock
        from agentlin_server.store.sqlite.sizes import measure

        path = _database(db)
        with word_console().status("reading the database", spinner_style="dim"):
            # It only reads: on Ctrl-C it is left where it is.
            sizes = await anyio.to_thread.run_sync(measure, path, abandon_on_cancel=True)
        server = DatabaseLock(path).server_address()
        if as_json:
            typer.echo(json.dumps({"db": str(path), "server": server, **sizes.to_json()}))
        else:
            print_sizes(path, sizes, server=server)
        return ExitCode.OK

    perform(action)


@database.command(epilog=EXIT_CODES)
@examples(
    "agentlin db sweep",
    "agentlin db sweep --older-than 30d --dry-run",
    "agentlin db sweep --older-than 30d",
)
def sweep(
    *,
    older_than: Annotated[
        float | None,
        typer.Option(
            "--older-than",
            metavar="DURATION",
            parser=_duration,
            help="Remove tasks that ended longer ago, e.g. 30d or 12h; else AGENTLIN_KEEP_S, "
            "else none are removed.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done; a server may run.")
    ] = False,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compress finished tasks, remove old ones, and give the space back to the disk.

    No server may be running on the database; one that runs compresses and removes by itself
    (AGENTLIN_SEAL_AFTER_S, AGENTLIN_KEEP_S), but only this command makes the file smaller. That
    writes the database anew, so the disk must have room for it meanwhile. A task that is removed
    is gone with its events and its part in its session's context.
    """

    async def action() -> ExitCode:
        from agentlin_server.engine.limits import EngineLimits
        from agentlin_server.settings import Settings
        from agentlin_server.store.sqlite.sizes import outlook
        from agentlin_server.store.sqlite.upkeep import sweep as do

        keep_s = Settings.load(db=db).keep_s if older_than is None else older_than
        path, now = _database(db), time.time()
        before = None if keep_s is None else now - keep_s
        if dry_run:
            would = outlook(path, finished_before=before)
            words = f"would remove {_tasks(would.removed)} and seal {_tasks(would.sealed)}"
            _result(_counts(would.removed, would.sealed, dry_run=True), words, as_json=as_json)
            return ExitCode.OK
        console = word_console()
        with console.status("looking at the database", spinner_style="dim") as status:
            swept = await do(
                path,
                at=now,
                finished_before=before,
                reserved_until=now + EngineLimits().reserved_s,
                tell=lambda what, n: status.update(f"{what}: {_tasks(n)}" if n else what),
            )
        _result(_swept_json(swept), _swept_words(swept), as_json=as_json)
        return ExitCode.OK

    perform(lambda: _unserved(action, db, hint=_SWEEPS_ITSELF))


@database.command(epilog=EXIT_CODES)
@examples(
    "agentlin db backup tasks-$(date +%F).db",
)
def backup(
    dest: Annotated[
        Path, typer.Argument(metavar="DEST", help="File to write.", show_default=False)
    ],
    *,
    force: Annotated[bool, typer.Option("--force", help="Overwrite DEST if it is there.")] = False,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy the database as it is at this moment; a server may be running, and goes on.

    The copy is checked before it gets its name, and only you may read it. DEST.key is the copy of
    the key file: with it, requests that were sent before the copy are still known as repeats.
    """

    async def action() -> ExitCode:
        from agentlin_server.store.sqlite.backup import TargetTakenError

        if not dest.absolute().parent.is_dir():
            fail(ExitCode.USAGE, f"there is no folder {dest.parent}: make it first")
        try:
            made = await _copied(_database(db), dest, overwrite=force)
        except TargetTakenError as exc:
            fail(ExitCode.USAGE, f"{exc}{'' if force else ' (--force overwrites a copy)'}")
        found = {"db": str(made.path), "key": str(made.key) if made.key else None}
        found |= {"size_bytes": made.size_bytes, "schema": made.schema}
        _result(found, str(made.path), as_json=as_json)
        if not as_json:
            with_key = f", with its key in {made.key}" if made.key else ""
            typer.echo(f"copied {_size(made.size_bytes)}{with_key}", err=True)
        return ExitCode.OK

    perform(action)


@database.command(epilog=EXIT_CODES)
@examples(
    "agentlin db migrate",
)
def migrate(
    *,
    no_backup: Annotated[
        bool, typer.Option("--no-backup", help="Don't copy the database first.")
    ] = False,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring the database's schema to the newest; a server does the same when it starts.

    No server may be running on it. If there is something to do, the database is copied to
    FILE.VERSION.bak first. A migration that fails leaves the database as it was.
    """

    async def action() -> ExitCode:
        done = await _migrated(_database(db), with_backup=not no_backup)
        if done.before == done.after:
            words = f"nothing to do: the schema is {done.after}, the newest"
        else:
            words = f"schema {done.before} -> {done.after}"
        copy = str(done.backup) if done.backup else None
        found = {"from": done.before, "to": done.after, "backup": copy}
        _result(found, words, as_json=as_json)
        if copy and not as_json:
            typer.echo(f"the database as it was: {copy}", err=True)
        return ExitCode.OK

    perform(lambda: _unserved(action, db, hint=_MIGRATES_ITSELF))


def _database(db: str | None) -> Path:
    """Return the database file of the settings.

    Raises:
        SettingsError: it is in memory.
    """
    from agentlin_server.settings import Settings, SettingsError

    settings = Settings.load(db=db)
    if settings.is_in_memory:
        raise SettingsError("a database in memory ends with its server: name a file with --db")
    return Path(settings.db)


async def _unserved(
    action: Callable[[], Awaitable[ExitCode]], db: str | None, *, hint: str
) -> ExitCode:
    """Do what needs the database for itself; if a server has it, say so.

    Args:
        action: What to do.
        db: The option `--db`.
        hint: What a server does by itself.
    """
    from agentlin_server.store.lock import DatabaseInUseError, DatabaseLock

    try:
        return await action()
    except DatabaseInUseError:
        path = _database(db)
        address = DatabaseLock(path).server_address()
        who = f"the server at {address}" if address else "another process"
        fail(ExitCode.UNAVAILABLE, f"{who} uses the database {path}: stop it first. {hint}")


async def _copied(path: Path, to: Path, *, overwrite: bool) -> "Copy":
    import anyio.to_thread

    from agentlin_server.cli.waiting import Waiting
    from agentlin_server.store.sqlite.backup import copy_database

    with Waiting("looking at the database") as waiting:
        return await anyio.to_thread.run_sync(
            lambda: copy_database(path, to, overwrite=overwrite, progress=_progress(waiting))
        )


async def _migrated(path: Path, *, with_backup: bool) -> "Migrated":
    import anyio.to_thread

    from agentlin_server.cli.waiting import Waiting
    from agentlin_server.store.sqlite.upkeep import migrate as do

    with Waiting("migrating the database") as waiting:
        return await anyio.to_thread.run_sync(
            lambda: do(path, with_backup=with_backup, progress=_progress(waiting))
        )


def _progress(waiting: "Waiting") -> "Progress":
    """Return what shows a copy's progress, called in a thread; Ctrl-C ends the copy, too."""
    from anyio.from_thread import check_cancelled

    def tell(done: int, total: int) -> None:
        check_cancelled()
        waiting.progress(done, total, "copying")

    return tell


def _swept_json(swept: "Swept") -> dict[str, Any]:
    sizes = {"freed_bytes": swept.freed_bytes, "size_bytes": swept.bytes_after}
    return _counts(swept.removed, swept.sealed, dry_run=False) | sizes


def _swept_words(swept: "Swept") -> str:
    change = f"{_size(swept.bytes_before)} -> {_size(swept.bytes_after)}"
    done = f"removed {_tasks(swept.removed)} and sealed {_tasks(swept.sealed)}"
    return f"{done}; freed {_size(max(0, swept.freed_bytes))}: {change}"


def _counts(removed: int, sealed: int, *, dry_run: bool) -> dict[str, Any]:
    return {"dry_run": dry_run, "removed": removed, "sealed": sealed}


def _result(found: dict[str, Any], words: str, *, as_json: bool) -> None:
    typer.echo(json.dumps(found) if as_json else words)


def _tasks(n: int) -> str:
    return "1 task" if n == 1 else f"{n:,} tasks"


def _size(size_bytes: int) -> str:
    from rich.filesize import decimal

    return decimal(size_bytes)
