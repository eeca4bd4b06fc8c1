"""`agentlin tasks follow` and `answer`: commands that print a task's events as they come."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentlin_server.cli.client import with_client
from agentlin_server.cli.exits import ExitCode, complain, fail
from agentlin_server.cli.follow import Printer, Tally, report
from agentlin_server.cli.options import (
    DbOption,
    EventsOption,
    ServerOption,
    TaskArgument,
    examples,
)
from agentlin_server.cli.resting import address_options, explain, pending_calls
from agentlin_server.cli.waiting import Waiting

if TYPE_CHECKING:
    from agentlin_client import AsyncClient, AsyncStream
    from agentlin_client.types import AgentTaskEvent


@examples("agentlin tasks follow task_1")
def follow(
    task_id: TaskArgument,
    *,
    server: ServerOption = None,
    db: DbOption = None,
    as_json: EventsOption = False,
) -> None:
    """Print a task from its beginning, then as it goes on, until it has ended.

    While the task rests, what it waits for is said, and it is followed on. Ctrl-C leaves it alone.
    """

    async def action(client: "AsyncClient") -> ExitCode:
        events = await client.tasks.events(task_id, until="final")
        return await _watch(events, options=address_options(server=server, db=db), as_json=as_json)

    with_client(action, server=server, db=db)


@examples(
    'agentlin tasks answer task_1 --text "18 degrees, light rain"',
    'agentlin tasks answer task_1 --call call_2 --text "yes"',
    "agentlin tasks answer task_1 --from results.json",
)
def answer(
    task_id: TaskArgument,
    *,
    call: Annotated[
        str | None,
        typer.Option("--call", metavar="CALL_ID", help="Call to answer, if several wait."),
    ] = None,
    text: Annotated[
        str | None, typer.Option("--text", metavar="TEXT", help="The answer, as text.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="JSON list of tool_result items; - reads standard input.",
        ),
    ] = None,
    server: ServerOption = None,
    db: DbOption = None,
    as_json: EventsOption = False,
) -> None:
    """Answer the calls that a task waits for, and print how it goes on.

    Ends when the task has ended, or rests again. Ctrl-C leaves it alone.
    """
    if (text is None) == (source is None):
        fail(ExitCode.USAGE, "give the answer with --text, or with --from, and not with both")
    if source is not None and call is not None:
        fail(ExitCode.USAGE, "--call belongs to --text: the results of --from name their calls")
    given = None if source is None else _read_results(source)

    async def action(client: "AsyncClient") -> ExitCode:
        results = given
        if results is None:
            call_id = await _only_call(client, task_id) if call is None else call
            if call_id is None:
                return ExitCode.USAGE
            results = [_result(call_id, text or "")]
        events = await client.tasks.submit_tool_results(task_id, tool_results=results, stream=True)
        return await _watch(events, options=address_options(server=server, db=db), as_json=as_json)

    with_client(action, server=server, db=db)


async def _watch(events: "AsyncStream[AgentTaskEvent]", *, options: str, as_json: bool) -> ExitCode:
    from agentlin_client.types import TaskInputRequiredEvent, TaskPausedEvent

    tally = Tally(began_at=None)  # of a past, in part or, as answers may be repeated, in whole
    with Waiting("waiting for the task") as waiting:
        printer = Printer(as_json=as_json, on_first=waiting.stop)
        async with events:
            try:
                async for event in events:
                    tally.note(event, perf_counter())
                    printer.show(event)
                    is_at_rest = isinstance(event, TaskInputRequiredEvent | TaskPausedEvent)
                    if is_at_rest and not as_json:
                        printer.end()
                        explain(event.task, options=options)
            finally:
                printer.end()
    if not as_json:
        report(tally)
    return tally.exit_code


async def _only_call(client: "AsyncClient", task_id: str) -> str | None:
    """Return the call that a task waits for; None, with a complaint, if it is not just one."""
    task = (await client.tasks.retrieve(task_id)).unwrap()
    waiting = [one.call_id for one in pending_calls(task)]
    if len(waiting) == 1:
        return waiting[0]
    if waiting:
        complain(f"the task waits for several answers: name one by --call: {', '.join(waiting)}")
    else:
        complain(
            f"the task waits for no answer: it is {task.status}; "
            "to send an answer again, name its call by --call"
        )
    return None


def _result(call_id: str, text: str) -> Any:
    return {
        "type": "tool_result",
        "call_id": call_id,
        "message_content": text,
        "block_list": [{"type": "text", "text": text}],
    }


def _read_results(source: str) -> Sequence[Any]:
    """Return the results of a file; what is in them is for the server to check."""
    try:
        raw = sys.stdin.read() if source == "-" else Path(source).read_text("utf-8")
        results = json.loads(raw)
    except FileNotFoundError:
        fail(ExitCode.USAGE, f"there is no file {source}")
    except OSError as exc:
        fail(ExitCode.USAGE, f"can't read {source}: {exc.strerror}")
    except ValueError as exc:
        fail(ExitCode.USAGE, f"{source} can't be read as JSON: {exc}")
    if not isinstance(results, list):
        fail(ExitCode.USAGE, f"{source} must hold a JSON list of tool_result items")
    return results  # pyright: ignore[reportUnknownVariableType] # whatever the list holds
