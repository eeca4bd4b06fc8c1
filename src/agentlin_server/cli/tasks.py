"""`agentlin tasks`: look at tasks, and control them."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from agentlin_server.cli.client import with_client
from agentlin_server.cli.exits import ExitCode
from agentlin_server.cli.live import answer, follow
from agentlin_server.cli.options import DbOption, JsonOption, ServerOption, TaskArgument, examples
from agentlin_server.cli.resting import address_options, in_words, pending_calls
from agentlin_server.cli.terminal import data_console, printable, say

if TYPE_CHECKING:
    from agentlin_client import AsyncClient
    from agentlin_client.types import TaskObject

tasks = typer.Typer(no_args_is_help=True, help="Look at tasks, and control them.")

_EXCERPT_CHARS: Final = 60
_NAME_CHARS: Final = 8
_STYLES: Final = {"completed": "green", "failed": "red", "expired": "red", "canceled": "yellow"}


@tasks.command("list")
@examples(
    "agentlin tasks list --status working --status queued",
)
def list_tasks(
    *,
    session: Annotated[
        str | None, typer.Option("--session", metavar="ID", help="Only tasks of this session.")
    ] = None,
    status: Annotated[
        list[str] | None,
        typer.Option(
            "--status",
            metavar="STATUS",
            help="Only tasks with this status; may be given repeatedly.",
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", metavar="N", min=1, max=100, help="How many, at most.")
    ] = 10,
    server: ServerOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """List tasks, newest first; with --json one object per line."""

    async def action(client: "AsyncClient") -> ExitCode:
        from agentlin_client import omit

        answer = await client.tasks.list(
            session_id=session or omit,
            status=status or omit,  # pyright: ignore[reportArgumentType] # the server checks it
            limit=limit,
        )
        found = answer.result
        if as_json:
            for task in found:
                typer.echo(task.to_json(indent=None))
        elif found:
            _print_table(found)
        else:
            typer.echo("no tasks", err=True)
        return ExitCode.OK

    with_client(action, server=server, db=db)


@tasks.command()
def show(
    task_id: TaskArgument,
    *,
    server: ServerOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a task: its state, its message, what it has put out so far."""

    async def action(client: "AsyncClient") -> ExitCode:
        task = (await client.tasks.retrieve(task_id)).unwrap()
        if as_json:
            typer.echo(task.to_json(indent=None))
        else:
            _print_task(task)
        return ExitCode.OK

    with_client(action, server=server, db=db)


@tasks.command()
def cancel(
    task_id: TaskArgument,
    *,
    server: ServerOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cancel a task and wait until it has stopped."""

    async def action(client: "AsyncClient") -> ExitCode:
        task = (await client.tasks.cancel(task_id)).unwrap()
        _confirm(task, f"{task.status} {task.id}", as_json=as_json)
        return ExitCode.OK

    with_client(action, server=server, db=db)


@tasks.command()
def pause(
    task_id: TaskArgument,
    *,
    server: ServerOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a task rest before its next model call, until it is resumed."""

    async def action(client: "AsyncClient") -> ExitCode:
        task = (await client.tasks.pause(task_id)).unwrap()
        state = "pausing" if task.pause_requested else task.status
        _confirm(task, f"{state} {task.id}", as_json=as_json)
        return ExitCode.OK

    with_client(action, server=server, db=db)


@tasks.command()
def resume(
    task_id: TaskArgument,
    *,
    server: ServerOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a paused task go on, or withdraw a pause that has not taken effect."""

    async def action(client: "AsyncClient") -> ExitCode:
        task = (await client.tasks.resume(task_id)).unwrap()
        _confirm(task, f"{task.status} {task.id}", as_json=as_json)
        if not as_json:
            options = address_options(server=server, db=db)
            say(f"follow it: agentlin tasks follow {task.id}{options}")
        return ExitCode.OK

    with_client(action, server=server, db=db)


tasks.command()(follow)
tasks.command()(answer)


@tasks.command()
def delete(
    task_id: TaskArgument,
    *,
    server: ServerOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete a task with all its events; it is canceled first if it still runs."""

    async def action(client: "AsyncClient") -> ExitCode:
        task = (await client.tasks.delete(task_id)).unwrap()
        _confirm(task, f"deleted {task.id}", as_json=as_json)
        return ExitCode.OK

    with_client(action, server=server, db=db)


def _confirm(task: "TaskObject", words: str, *, as_json: bool) -> None:
    typer.echo(task.to_json(indent=None) if as_json else words)


def _print_table(found: "list[TaskObject]") -> None:
    from rich.table import Table
    from rich.text import Text

    console = data_console()
    if not console.is_terminal:
        for task in found:
            row = (
                task.id,
                task.status,
                _when(task.created_at),
                _excerpt(task.user_message_content),
            )
            typer.echo("\t".join(row))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("TASK", no_wrap=True)
    table.add_column("STATUS", no_wrap=True)
    table.add_column("CREATED", no_wrap=True)
    table.add_column("MESSAGE", no_wrap=True, overflow="ellipsis", ratio=1)
    for task in found:
        table.add_row(
            task.id,
            Text(task.status, style=_STYLES.get(task.status, "")),
            _when(task.created_at),
            Text(_excerpt(task.user_message_content)),
        )
    console.print(table)


def _print_task(task: "TaskObject") -> None:
    console = data_console()
    facts = {
        "task": task.id,
        "status": task.status,
        "created": _when(task.created_at),
        "session": task.session_id,
        "tokens": _usage(task.usage),
        "error": f"{task.error.message} (code {task.error.code})" if task.error else "",
        "message": _text(task.user_message_content),
    }
    facts["pause"] = "asked for" if task.pause_requested else ""
    # Further lines stand under the first one.
    facts["pending"] = f"\n{'':{_NAME_CHARS + 1}}".join(map(in_words, pending_calls(task)))
    for name, value in facts.items():
        if value:
            console.out(f"{name:{_NAME_CHARS}} ", end="", style="dim")
            console.out(printable(value), style=_STYLES.get(value))
    for item in task.output:
        console.out("")
        mark = "" if item.status in {"completed", None} else f" ({item.status})"
        console.out(f"{item.type}{mark}", style="dim")
        console.out(printable(_body(item)))


def _body(item: Any) -> str:
    """Return what an output item of any type says, for people."""
    match item.type:
        case "message" | "tool_result":
            return _text(item.message_content)
        case "reasoning":
            return _text([*(item.summary or ()), *(item.content or ())])
        case "tool_call":
            return f"{item.name} {item.arguments}"
        case _:
            return str(item.to_json(indent=None))


def _text(content: Any) -> str:
    """Return the text of a message; other content as its type in brackets."""
    if content is None or isinstance(content, str):
        return content or ""
    parts = [
        part if isinstance(part, str) else getattr(part, "text", None) or f"[{part.type}]"
        for part in content
    ]
    return "".join(parts)


def _excerpt(content: Any) -> str:
    text = " ".join(printable(_text(content)).split())
    return text if len(text) <= _EXCERPT_CHARS else f"{text[: _EXCERPT_CHARS - 1]}…"


def _usage(usage: dict[str, Any] | None) -> str:
    if not usage:
        return ""
    return f"{usage.get('input_tokens', 0)} in, {usage.get('output_tokens', 0)} out"


def _when(created_at: int) -> str:
    return datetime.fromtimestamp(created_at, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
