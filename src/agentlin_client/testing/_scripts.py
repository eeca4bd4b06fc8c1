"""Which script a new task follows."""

import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from ._content import text_of
from .steps import ScriptError, Steps

Match: TypeAlias = str | re.Pattern[str] | Callable[[Mapping[str, Any]], bool]
"""A text that the user message holds, in any case; a pattern found in it; or a function of the
body of the create."""


@dataclass(slots=True)
class _Rule:
    match: Match
    steps: Steps
    times_left: float

    def fits(self, body: Mapping[str, Any]) -> bool:
        message = text_of(body.get("user_message_content"))
        match self.match:
            case str() as text:
                return text.lower() in message.lower()
            case re.Pattern() as pattern:
                return pattern.search(message) is not None
            case function:
                return function(body)


class Scripts:
    """The scripts of a server."""

    def __init__(self) -> None:
        self._rules: list[_Rule] = []
        self._queue: deque[Steps] = deque()
        self._otherwise: list[Steps] = []

    def on(self, match: Match, steps: Steps, *, times: int | None) -> None:
        """Have tasks that match follow `steps`; a later rule wins over an earlier one."""
        self._rules.insert(0, _Rule(match, steps, float("inf") if times is None else times))

    def add(self, *scripts: Steps) -> None:
        """Have the next tasks that no rule fits follow these scripts, one each."""
        self._queue.extend(scripts)

    def otherwise(self, steps: Steps) -> None:
        """Have all other tasks follow `steps`."""
        self._otherwise = [steps]

    def choose(self, body: Mapping[str, Any]) -> Steps:
        """Return the script for a new task.

        Raises:
            ScriptError: There is none.
        """
        for rule in self._rules:
            if rule.times_left > 0 and rule.fits(body):
                rule.times_left -= 1
                return rule.steps
        if self._queue:
            return self._queue.popleft()
        if self._otherwise:
            return self._otherwise[0]
        message = text_of(body.get("user_message_content"))
        raise ScriptError(
            f"no script for a task that says {message!r}: give the server one with on(), script() "
            "or otherwise()"
        )
