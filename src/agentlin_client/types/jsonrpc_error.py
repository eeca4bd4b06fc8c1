"""Errors as the wire has them. Source: contract, sections 1 and 3 (Errors)."""

from typing import Any

from agentlin_client._models import BaseModel


class JsonrpcError(BaseModel):
    """Why a request or a task failed."""

    code: int
    """JSON-RPC error code, negative; e.g. -32001 unknown task, -32000 model failure."""

    message: str
    """What happened, for people."""

    data: Any = None
    """Details, any JSON; e.g. [{loc, msg, type}] of an invalid body."""
