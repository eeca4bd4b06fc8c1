"""The interface, described in OpenAPI 3.1: generated from the contract types and the error table.

Nothing heavy is imported until a document is asked for.
"""

from typing import Any, Final

_DESCRIPTION: Final = """\
A *task* is one run of an agent: it is created with a message, streams every token that the \
model writes, and ends with an output. It runs detached from the request that made it: a \
dropped connection loses nothing, and every event is on disk before anyone sees it.

Every path below `/v1` is served without that prefix too, and each with or without a trailing \
slash. Every JSON answer is a JSON-RPC envelope, at every status: `{jsonrpc, id, result}` or \
`{jsonrpc, id, error}`, whose `id` is that of the *request*. The error's code says more than the \
HTTP status; every error that a client should not try again carries `x-should-retry: false`.

A task that fails is no failed request: it is answered with 200, status `failed` and an `error` \
of its own: -32000 if the model failed (`data`: `provider`, `status`, `retryable`), or a budget \
ran out (`data`: `budget`); -32006 if the provider, or the task, ran out of time.

Fields and event types may be added at any time: ignore what you do not know.
"""

_TAGS: Final = (
    {"name": "Tasks", "description": "Create tasks, follow them, end them."},
    {"name": "Server", "description": "The server itself."},
)


def document(version: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of a server of this version.

    Takes about a second of CPU: callers keep it.

    Args:
        version: The server's own version, as `info.version`.

    Returns:
        A new, JSON-ready object. Beside the standard it holds `x-errors`, the whole error table,
        at its root and the rows that apply at each response; and, as OpenAPI 3.1 has no word for
        the elements of a stream, `x-itemSchema` at `text/event-stream`.
    """
    from agentlin_server.api.interface import errors, operations, parameters, schemas

    return {
        "openapi": "3.1.0",
        "info": {
            "title": "agentlin",
            "version": version,
            "summary": "Agent tasks that survive crashes and stream every token.",
            "description": _DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/", "description": "The server that this document came from."}],
        "security": [{}, {"bearer": []}],
        "tags": list(_TAGS),
        "paths": operations.paths(),
        "components": {
            "schemas": schemas.components(),
            "parameters": parameters.components(),
            "headers": errors.header_components(),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "With authentication off, any key is accepted, and none.",
                }
            },
        },
        "x-errors": errors.table(),
    }
