"""All routes, each at `/v1/...` and `/...`, with and without a trailing slash, never a redirect."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from agentlin_server.api.envelope import fault_response, request_id_of
from agentlin_server.api.faults import UnknownPathError, WrongMethodError, to_fault
from agentlin_server.api.meta import MetaRoutes
from agentlin_server.api.tasks import TaskRoutes

Handler = Callable[[Request], Awaitable[Response | ASGIApp]]

_PREFIXES: Final = ("/v1", "")
_SLASHES: Final = ("", "/")


def build(tasks: TaskRoutes, meta: MetaRoutes) -> Starlette:
    """Return the application; every error that it answers is an envelope."""
    one = "/tasks/{task_id}"
    table: Mapping[str, Mapping[str, Handler]] = {
        "/tasks": {"POST": tasks.create, "GET": tasks.list},
        one: {"GET": tasks.retrieve, "DELETE": tasks.delete},
        f"{one}/cancel": {"POST": tasks.cancel},
        f"{one}/events": {"GET": tasks.events},
        f"{one}/pause": {"POST": tasks.not_built},
        f"{one}/resume": {"POST": tasks.not_built},
        f"{one}/tool_results": {"POST": tasks.not_built},
    }
    routes: list[BaseRoute] = [
        Route(f"{prefix}{path}{slash}", _answering(handlers), methods=list(handlers))
        for prefix in _PREFIXES
        for path, handlers in table.items()
        for slash in _SLASHES
    ]
    routes += [
        Route(f"{path}{slash}", _answering({"GET": handler}), methods=["GET"])
        for path, handler in meta.table
        for slash in _SLASHES
    ]
    handlers = {HTTPException: _http_error, Exception: _failed}
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False
    return app


def _answering(handlers: Mapping[str, Handler]) -> Callable[[Request], Awaitable[Response]]:
    """Make a Starlette endpoint of the handlers of a path: whatever they raise is answered."""

    async def endpoint(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        try:
            answer = await handlers[method](request)
        except Exception as exc:  # noqa: BLE001 - the table knows what to answer, and logs the rest
            answer = fault_response(request_id_of(request), to_fault(exc))
        return answer  # pyright: ignore[reportReturnType] # Starlette calls it as an ASGI app

    return endpoint


async def _failed(request: Request, exc: Exception) -> Response:
    """Answer what goes wrong while an answer is awaited, if none of it is sent yet."""
    return fault_response(request_id_of(request), to_fault(exc))


async def _http_error(request: Request, exc: Exception) -> Response:
    """Answer what the router refuses: an unknown path, or a wrong method."""
    path = request.url.path[:200]
    if isinstance(exc, HTTPException) and exc.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allow = (exc.headers or {}).get("Allow", "")
        error: Exception = WrongMethodError(
            f"{request.method} is not possible here; {path} takes {allow}", allow=allow
        )
    else:
        error = UnknownPathError(f"there is nothing at {path}; see /docs")
    return fault_response(request_id_of(request), to_fault(error))
