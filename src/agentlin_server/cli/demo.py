"""`agentlin demo`: see for yourself what agentlin promises."""

import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from agentlin_server.cli.exits import EXIT_CODES, ExitCode, fail, perform
from agentlin_server.cli.options import examples
from agentlin_server.cli.terminal import say

demo = typer.Typer(no_args_is_help=True, help="See for yourself what agentlin promises.")


class During(StrEnum):
    """When the server is killed."""

    TEXT = "text"
    TOOL = "tool"


_During = Annotated[
    During,
    typer.Option("--during", help="Kill it in the middle of the text, or of the tool."),
]
_Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help="A real model, provider/model, e.g. local/smollm2; else a scripted one that also "
        "calls a tool.",
    ),
]
_Prompt = Annotated[
    str | None, typer.Option("--prompt", metavar="TEXT", help="What to ask the real model.")
]
_Keep = Annotated[bool, typer.Option("--keep", help="Keep database, ledger and log.")]
_Json = Annotated[bool, typer.Option("--json", help="Only the result, as one JSON object.")]


@demo.command(epilog=EXIT_CODES)
@examples(
    "agentlin demo crash",
    "agentlin demo crash --during tool",
    "agentlin demo crash --model local/smollm2",
)
def crash(
    *,
    during: _During = During.TEXT,
    model: _Model = None,
    prompt: _Prompt = None,
    keep: _Keep = False,
    as_json: _Json = False,
) -> None:
    """Kill a server in the middle of a task, restart it, and count what was lost.

    A server of its own runs one task on a database of its own. It is killed with SIGKILL, started
    again on the same database, and the task goes on in the same terminal. Then the whole log is
    read again and compared, byte for byte, with what was shown; and the ledger is read, where the
    tool (an unsafe one, which must not run twice) wrote each time that it really ran.
    """
    if model is None and prompt is not None:
        fail(ExitCode.USAGE, "--prompt needs a --model that can answer it")
    if model is not None and during is During.TOOL:
        fail(ExitCode.USAGE, "--during tool needs the scripted model: a real one may call no tool")
    with _scratch_folder(keep=keep) as folder:

        async def action() -> ExitCode:
            from agentlin_server.cli.demo_crash import CrashDemo
            from agentlin_server.cli.demo_plan import plan_for_model, plan_for_script

            if model is not None:
                plan = plan_for_model(model, prompt)
            else:
                plan = plan_for_script(folder, during_tool=during is During.TOOL)
            return await CrashDemo(plan, folder, as_json=as_json).go()

        perform(action)


@contextmanager
def _scratch_folder(*, keep: bool) -> Generator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="agentlin-demo-"))
    try:
        yield folder
    finally:
        if keep:
            say(f"kept: {folder}", style="dim")
        else:
            shutil.rmtree(folder, ignore_errors=True)
