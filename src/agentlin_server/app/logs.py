"""Logs on standard error: for people on a terminal, one JSON object per line elsewhere.

Modules log through the standard library, with `extra=` for what machines shall find; structlog
renders. Every line passes the redactor, tracebacks included, so that no secret reaches a file.
"""

import logging
import sys
from asyncio import CancelledError
from collections.abc import Callable
from typing import Final, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from agentlin_server.models.redact import Redactor

_NOISY: Final = ("aiohttp", "alembic", "asyncio", "httpcore", "httpx", "uvicorn")
"""Libraries that say little of use below warning."""


class _CutOff(logging.Filter):
    """Drops what uvicorn says of requests that a shutdown cut off: that is no error."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], CancelledError))


def configure_logging(
    level: str, *, secrets: list[str] | None = None, stream: TextIO | None = None
) -> None:
    """Send all logs to `stream`; calling it again replaces what was set before.

    Args:
        level: Least level that is written: debug, info, warning or error.
        secrets: Texts that must never be written, besides what looks like a key anyway.
        stream: Where to; None is standard error.
    """
    target: TextIO = stream or sys.stderr
    redactor = Redactor(secrets or [])
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    render = _for_people() if target.isatty() else _for_machines()
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *render,
            _redacting(redactor.redact_text),
        ],
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    handler.addFilter(_CutOff())
    for name in _NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def _for_people() -> list[Processor]:
    return [
        structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]


def _for_machines() -> list[Processor]:
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]


def _redacting(redact: Callable[[str], str]) -> Processor:
    """Return the last step: the rendered line without secrets."""

    def process(_logger: WrappedLogger, _method: str, line: EventDict | str | bytes) -> str:
        return redact(str(line))

    return process
