"""Ids: how they look, how new ones are made."""

import re
import secrets
from collections.abc import Iterator
from typing import Final, NewType

from agentlin_server.domain.errors import InvalidIdError

TaskId = NewType("TaskId", str)
SessionId = NewType("SessionId", str)
UserId = NewType("UserId", str)
TaskPk = NewType("TaskPk", int)
"""The task's row number: short, and never on the wire."""
Tenant = NewType("Tenant", str)

LOCAL_TENANT: Final = Tenant("local")
DEFAULT_USER: Final = UserId("user_default")

_ID: Final = re.compile(r"[A-Za-z0-9_:\-][A-Za-z0-9_.:\-]{0,127}")
_RANDOM_DIGITS: Final = 24
_POOL_BYTES: Final = 6_000


def _random_digits() -> Iterator[str]:
    """Yield 24 hex digits at a time. The system is asked rarely: each time costs 0.2 ms on some."""
    while True:
        pool = secrets.token_hex(_POOL_BYTES)
        yield from (pool[n : n + _RANDOM_DIGITS] for n in range(0, len(pool), _RANDOM_DIGITS))


_digits: Final = _random_digits()


def new_id(prefix: str) -> str:
    """Return `prefix` + 24 random hex digits (96 bits), e.g. `task_5f0c...`; one thread only."""
    return prefix + next(_digits)


def checked_id(value: str, *, field: str) -> str:
    """Return `value` if it is a valid id (contract, section 3).

    Raises:
        InvalidIdError: it is not; `field` is named in the message.
    """
    if _ID.fullmatch(value) is None:
        raise InvalidIdError(field)
    return value
