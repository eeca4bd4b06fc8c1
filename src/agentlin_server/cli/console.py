"""The console that `terminal.py` hands out; its own module, as Rich is slow to load."""

from typing import NoReturn

from rich.console import Console


class PlainConsole(Console):
    """Interprets no markup, and lets it be known that nobody reads any more.

    Rich itself would end the process there, with 1, wherever it is.
    """

    def on_broken_pipe(self) -> NoReturn:
        """Pass the error on, see `exits.describe`."""
        raise BrokenPipeError
