"""Exit codes, and how errors become one of them and a line that says what to do."""

from collections.abc import Awaitable, Callable, Iterator
from enum import IntEnum
from typing import TYPE_CHECKING, Final, NoReturn

import typer

if TYPE_CHECKING:
    from agentlin_client import APIStatusError


class ExitCode(IntEnum):
    """What `agentlin` ends with; part of its interface."""

    OK = 0
    """Done; for `run`: the task completed."""
    FAILED = 1
    """The task failed or expired, or what was asked for can't be done."""
    USAGE = 2
    """The command line, a setting or a parameter is wrong."""
    UNAVAILABLE = 3
    """No server can be reached or started, or it needs something that isn't there."""
    NOT_FOUND = 4
    """There is no such task."""
    WAITING = 5
    """The task rests: it waits for an answer, or is paused."""
    CANCELED = 130
    """The task was canceled, or Ctrl-C ended the command, or nobody reads what it prints."""


EXIT_CODES: Final = (
    "Exit codes: 0 done (run: the task completed), 1 failed or expired, 2 wrong usage or setting, "
    "3 no server can be reached or started, 4 no such task, 5 the task waits for an answer or is "
    "paused, 130 canceled (also by Ctrl-C, or as nobody reads the output)."
)
"""For `--help`."""

_NOT_FOUND: Final = 404
_CONFLICT: Final = 409
_USAGE: Final = frozenset({400, 413, 415, 422})


def complain(message: str) -> None:
    """Write an error to standard error."""
    from agentlin_server.cli.terminal import printable

    typer.secho("error: ", fg="red", bold=True, err=True, nl=False)
    typer.echo(printable(message), err=True)


def fail(code: ExitCode, message: str) -> NoReturn:
    """Write an error to standard error and end the command with `code`."""
    complain(message)
    raise typer.Exit(code)


def perform(action: Callable[[], Awaitable[ExitCode]], *, on_uvloop: bool = False) -> NoReturn:
    """Run the async part of a command and end the command with its exit code.

    Errors that a user may see end as one line and their exit code; all others are bugs and pass.

    Args:
        action: Returns the exit code.
        on_uvloop: Use the faster event loop, if it's there.
    """
    import anyio

    code: int
    try:
        code = anyio.run(action, backend_options={"use_uvloop": on_uvloop and _has_uvloop()})
    except KeyboardInterrupt:
        code = ExitCode.CANCELED
    except BaseExceptionGroup as group:  # task groups wrap even a lone error
        code = _report_first(group)
    except Exception as exc:
        if (found := describe(exc)) is None:
            raise
        code = _report(found)
    raise typer.Exit(code)


def describe(exc: BaseException) -> tuple[ExitCode, str] | None:
    """Return the exit code and the message of an error that a user may see; None for a bug.

    The message is empty if there is nothing to say: nobody reads what the command prints.
    """
    from agentlin_client import (
        APIConnectionError,
        APIResponseValidationError,
        APIStatusError,
        ClientError,
    )
    from agentlin_server.cli.terminal import drop_stdout
    from agentlin_server.domain.errors import AgentlinError
    from agentlin_server.settings import SettingsError

    if isinstance(exc, APIStatusError):
        return _code_of(exc.status_code), _said(exc)
    if isinstance(exc, BrokenPipeError):  # e.g. `| head -1`
        drop_stdout()
        return ExitCode.CANCELED, ""
    for kinds, code in (
        ((SettingsError,), ExitCode.USAGE),
        ((AgentlinError, APIConnectionError, APIResponseValidationError), ExitCode.UNAVAILABLE),
        ((ClientError,), ExitCode.USAGE),
        ((OSError,), ExitCode.UNAVAILABLE),
    ):
        if isinstance(exc, kinds):
            return code, str(exc)
    return None


def _said(exc: "APIStatusError") -> str:
    """Return the server's own words; the error's are followed by its `data`, which repeats them."""
    from agentlin_client._errors import envelope_error

    if (error := envelope_error(exc.body)) is None:
        return exc.message
    return f"{error['message']} ({error['code']})"


def _code_of(status: int) -> ExitCode:
    if status in _USAGE:
        return ExitCode.USAGE
    if status == _NOT_FOUND:
        return ExitCode.NOT_FOUND
    return ExitCode.FAILED if status == _CONFLICT else ExitCode.UNAVAILABLE


def _report_first(group: BaseExceptionGroup[BaseException]) -> int:
    """Report the one error of the group that matters, unless a bug is among them."""
    leaves = list(_leaves(group))
    if any(isinstance(leaf, KeyboardInterrupt) for leaf in leaves):
        return ExitCode.CANCELED
    found = [describe(leaf) for leaf in leaves]
    if found[0] is None or None in found:
        raise group
    return _report(found[0])


def _report(found: tuple[ExitCode, str]) -> ExitCode:
    code, message = found
    if message:
        complain(message)
    return code


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for exc in group.exceptions:
        if isinstance(exc, BaseExceptionGroup):
            yield from _leaves(exc)  # pyright: ignore[reportUnknownArgumentType] # isinstance drops the type argument
        else:
            yield exc


def _has_uvloop() -> bool:
    from importlib.util import find_spec

    return find_spec("uvloop") is not None
