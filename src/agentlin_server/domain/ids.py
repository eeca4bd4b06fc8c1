"""Ids: how they look, how new ones are made."""

import re
import secrets
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
_RANDOM_BYTES: Final = 12


def new_id(prefix: str) -> str:
    """Return `prefix` + 24 random hex digits (96 bits), e.g. `task_5f0c...`."""
    return prefix + secrets.token_hex(_RANDOM_BYTES)


def checked_id(value: str, *, field: str) -> str:
    """Return `value` if it is a valid id (contract, section 3).

    Raises:
        InvalidIdError: it is not; `field` is named in the message.
    """
    if _ID.fullmatch(value) is None:
        raise InvalidIdError(field)
    return value
