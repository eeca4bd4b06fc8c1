"""The SDK's log: silent until `AGENTLIN_LOG` or `CLIENT_LOG` asks for it, and without secrets.

Imported with every client. `logging` takes longer to import than all of ours: it is loaded when
the environment asks for a log, or when a module that writes to it takes `logger` from here. Until
then there is no handler that could miss a line.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from ._redact import redact_body, redact_headers, redact_url

if TYPE_CHECKING:
    from collections.abc import Mapping
    from logging import Logger

    logger: Logger
    """The SDK's logger, `agentlin_client`."""

__all__ = ["logger", "redact_body", "redact_headers", "redact_url", "set_up_logging"]

_NAME: Final = "agentlin_client"
_LEVELS: Final = {"debug": "DEBUG", "info": "INFO"}


def set_up_logging(environ: Mapping[str, str] = os.environ) -> None:
    """Set the level that `AGENTLIN_LOG`, else `CLIENT_LOG`, names: `info` or `debug`.

    With another value, or none, nothing changes. The application's own handlers are used where it
    has set any; else the lines go to standard error.
    """
    name = environ.get("AGENTLIN_LOG") or environ.get("CLIENT_LOG") or ""
    if (level := _LEVELS.get(name.strip().lower())) is not None:
        import logging

        logging.basicConfig(format="[%(asctime)s - %(name)s - %(levelname)s] %(message)s")
        logging.getLogger(_NAME).setLevel(level)


def __getattr__(name: str) -> object:
    if name == "logger":
        import logging

        logger = globals()["logger"] = logging.getLogger(_NAME)
        # Without any handler Python itself would print warnings.
        logger.addHandler(logging.NullHandler())
        return logger
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
