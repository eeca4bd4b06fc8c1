"""The command `agentlin`: a shell around the server, and around the SDK that talks to it.

Data goes to standard output, words to standard error. Each command parses, calls once, prints;
heavy parts are imported when a command runs, so that `--help` is quick.

    commands.py    the Typer object: every command, its options
    exits.py       exit codes, and how errors become one of them and a line
    client.py      a command that asks a server, from its options to its exit code
    connect.py     which server to talk to: one that was named, one that runs, or our own
    interrupt.py   what Ctrl-C means while a task runs
    terminal.py    the two consoles, and text that is safe to print there
    console.py     what a console of theirs is
    waiting.py     spinner and progress bar
    taskrun.py     one run: a task's stream beside the signals
    follow.py      prints the events of a task as they come; measures
    resting.py     what a task at rest waits for, and how it goes on
    live.py        `tasks follow` and `tasks answer`
    run.py serve.py tasks.py weights.py doctor.py    one module per command
    db.py dbreport.py durations.py                   `db`: the database's size and upkeep
    checks.py checks_models.py                       what `doctor` looks at
    demo.py demo_*.py    `agentlin demo`: the run, its plan, server, wire, screen, and the proof
"""

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentlin_server.cli.commands import app

__all__ = ["app", "main"]


def __getattr__(name: str) -> Any:
    """Load the Typer object at its first use: without the extra `server` there is none."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from agentlin_server.cli.commands import app

    return app


def main() -> int:
    """Run the command line; a missing extra ends with the command that installs it."""
    try:
        from agentlin_server.cli.commands import app

        app(prog_name="agentlin")
    except ModuleNotFoundError as exc:
        module = (exc.name or "").partition(".")[0]
        if module in {"agentlin_client", "agentlin_server"}:
            raise  # a bug of ours, not a missing extra
        extra = "local" if module == "xllamacpp" else "server"
        sys.stderr.write(
            f"agentlin needs the module {module!r}, which is not installed.\n"
            f"Install it: pip install 'agentlin[{extra}]'\n"
        )
        return 3
    return 0
