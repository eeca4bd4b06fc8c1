"""Connections belong to the event loop that made them: who uses them in another is told so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._errors import ClientError

if TYPE_CHECKING:
    import asyncio


class HomeLoop:
    """The asyncio loop in which an HTTP client was first used."""

    __slots__ = ("_loop",)

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def is_gone(self) -> bool:
        """Whether the loop has ended and another one runs now, which is home from now on.

        Always False under trio, which has one loop in a program as a rule.

        Raises:
            ClientError: The loop is not this one, and still there.
        """
        import asyncio  # takes long, and whoever calls this has it, or pays for it anyway

        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            return False
        home, self._loop = self._loop, running
        if home is None or home is running:
            return False
        if home.is_closed():
            return True
        self._loop = home
        raise ClientError(
            "this AsyncClient has connections of another event loop: make one client per loop"
        )
