"""The SDK's log: silent until `AGENTLIN_LOG` or `CLIENT_LOG` asks for it, and without secrets."""

import logging
import os
import re
from collections.abc import Iterable, Mapping
from typing import Final

import httpx

logger: Final = logging.getLogger("agentlin_client")

_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO}
_SECRET: Final = re.compile(
    r"auth|cookie|credential|passw|secret|signature|token|(?<!cy-)key", re.IGNORECASE
)
"""Header names whose values are never logged; the lookbehind lets `Idempotency-Key` through."""


def set_up_logging(environ: Mapping[str, str] = os.environ) -> None:
    """Set the level that `AGENTLIN_LOG`, else `CLIENT_LOG`, names: `info` or `debug`.

    With another value, or none, nothing changes. The application's own handlers are used where it
    has set any; else the lines go to standard error.
    """
    name = environ.get("AGENTLIN_LOG") or environ.get("CLIENT_LOG") or ""
    if (level := _LEVELS.get(name.strip().lower())) is not None:
        logging.basicConfig(format="[%(asctime)s - %(name)s - %(levelname)s] %(message)s")
        logger.setLevel(level)


def redact_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the headers with the value of each that may hold a secret hidden.

    >>> redact_headers([("Authorization", "Bearer k"), ("Idempotency-Key", "agentlin-1")])
    {'Authorization': '<redacted>', 'Idempotency-Key': 'agentlin-1'}
    """
    return {name: "<redacted>" if _SECRET.search(name) else value for name, value in headers}


def redact_url(url: httpx.URL) -> str:
    """Return the URL without user, password, query and fragment, any of which may hold a secret."""
    return str(url.copy_with(userinfo=b"", query=None, fragment=None))
