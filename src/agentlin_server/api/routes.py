"""All routes, each at `/v1/...` and `/...`, with and without a trailing slash, never a redirect."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from agentlin_server.api.envelope import fault_response, request_id_of
from agentlin_server.api.faults import UnknownPathError, WrongMethodError, to_fault
from agentlin_server.api.meta import MetaRoutes
from agentlin_server.api.tasks import TaskRoutes

Handler = Callable[[Request], Awaitable[Response | ASGIApp]]

_PREFIXES: Final = ("/v1", "")
_SLASHES: Final = ("", "/")
_SHOWN_CHARS_MAX: Final = 200


def build(tasks: TaskRoutes, meta: MetaRoutes) -> Router:
    """Return the application; every error that it answers is an envelope."""
    one = "/tasks/{task_id}"
    table: Mapping[str, Mapping[str, Handler]] = {
        "/tasks": {"POST": tasks.create, "GET": tasks.list},
        one: {"GET": tasks.retrieve, "DELETE": tasks.delete},
        f"{one}/cancel": {"POST": tasks.cancel},
        f"{one}/events": {"GET": tasks.events},
        f"{one}/pause": {"POST": tasks.pause},
        f"{one}/resume": {"POST": tasks.resume},
        f"{one}/tool_results": {"POST": tasks.tool_results},
    }
    resources = {
        f"{prefix}{path}": handlers for path, handlers in table.items() for prefix in _PREFIXES
    }
    resources |= {path: {"GET": handler} for path, handler in meta.table}
    routes = [
        Route(f"{path}{slash}", Resource(handlers))
        for path, handlers in resources.items()
        for slash in _SLASHES
    ]
    return Router(routes, redirect_slashes=False, default=Resource({}))


class Resource:
    """One path: finds the handler of the method, and answers whatever it raises.

    An ASGI application of its own, because the framework's stack of middlewares around
    endpoints costs more than most of our handlers.
    """

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        """Serve these methods; without any the path does not exist."""
        self.handlers = handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        try:
            answer = await self._handler(request)(request)
        except ClientDisconnect:  # gone before it had sent its body: nobody hears an answer
            return
        except Exception as exc:  # noqa: BLE001 - the table knows what to answer, and logs the rest
            answer = fault_response(request_id_of(request), to_fault(exc))
        await answer(scope, receive, send)

    def _handler(self, request: Request) -> Handler:
        method = "GET" if request.method == "HEAD" else request.method
        if (handler := self.handlers.get(method)) is not None:
            return handler
        path = request.url.path[:_SHOWN_CHARS_MAX]
        if not self.handlers:
            raise UnknownPathError(f"there is nothing at {path}; see /docs")
        allow = ", ".join(sorted({*self.handlers, *(["HEAD"] if "GET" in self.handlers else [])}))
        raise WrongMethodError(f"{request.method} is not possible at {path}: {allow}", allow=allow)
