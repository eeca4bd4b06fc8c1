"""Imported by the process that servers are forked from: everything that a start would load."""

import gc

import anyio._backends._asyncio
import uvicorn.protocols.http.httptools_impl
import uvloop  # noqa: F401

import agentlin_server.app.logs
import agentlin_server.app.serve
import agentlin_server.cli.commands
import tests.faults.server  # noqa: F401

gc.collect()
gc.freeze()  # no server need look at all this again
