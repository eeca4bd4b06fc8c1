"""Imported by the process that servers are forked from: loads everything that a start would."""

import gc
from importlib import import_module

for name in (
    "agentlin_server.app.logs",
    "agentlin_server.app.serve",
    "agentlin_server.cli.commands",
    "anyio._backends._asyncio",
    "tests.faults.server",
    "uvicorn.protocols.http.httptools_impl",
    "uvloop",
):
    import_module(name)
gc.collect()
gc.freeze()  # no server need look at all this again
