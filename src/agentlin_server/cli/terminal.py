"""The two consoles, and text that is safe to print on them."""

import os
import re
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.console import Console

# All control characters but tab and line feed: a model or a server may have put them there, and
# a terminal would obey them.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    r"""Return the text without characters that command a terminal.

    >>> printable("a\x1b[2J\r\nb")
    'a[2J\nb'
    """
    return _CONTROL.sub("", text)


def data_console() -> "Console":
    """Return the console of standard output; on no terminal it never writes escape sequences."""
    from agentlin_server.cli.console import PlainConsole

    return PlainConsole(
        force_terminal=None if sys.stdout.isatty() else False, highlight=False, markup=False
    )


def word_console() -> "Console":
    """Return the console of standard error; on no terminal it never writes escape sequences."""
    from agentlin_server.cli.console import PlainConsole

    return PlainConsole(
        stderr=True,
        force_terminal=None if sys.stderr.isatty() else False,
        highlight=False,
        markup=False,
    )


def say(text: str, *, style: str = "") -> None:
    """Write a line for people to standard error; on a terminal it is broken between words."""
    from rich.text import Text

    console = word_console()
    console.print(Text(printable(text), style=style), soft_wrap=not console.is_terminal)


def write_data(text: str) -> None:
    """Write to standard output, at once; made safe if that is a terminal, else as it is."""
    sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
    sys.stdout.flush()


def drop_stdout() -> None:
    """Let what goes to standard output from now on, and what is buffered, go nowhere.

    For when its reader has gone: else Python complains once more at its end. Standard error goes
    the same way if it is the same pipe, as by `2>&1`.
    """
    out, err = sys.stdout.fileno(), sys.stderr.fileno()
    is_one = os.path.sameopenfile(out, err)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, out)
    if is_one:
        os.dup2(nowhere, err)
    os.close(nowhere)
