"""The routes about the server itself: health, readiness, the interface and its documentation."""

from collections.abc import Awaitable, Callable
from functools import cached_property
from importlib.resources import files
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from agentlin_server.domain.errors import StorageError
from agentlin_server.domain.ports import Store


class MetaRoutes:
    """Handlers of `/healthz`, `/readyz`, `/openapi.json` and `/docs`."""

    def __init__(self, *, store: Store, version: str, is_stopping: Callable[[], bool]) -> None:
        """Answer for a server of this version, on this store, until it is stopping."""
        self._store = store
        self._version = version
        self._is_stopping = is_stopping

    @property
    def table(self) -> list[tuple[str, Callable[[Request], Awaitable[Response]]]]:
        """Path and handler of each route."""
        return [
            ("/healthz", self.health),
            ("/readyz", self.readiness),
            ("/openapi.json", self.openapi),
            ("/v1/openapi.json", self.openapi),
            ("/docs", self.docs),
        ]

    async def health(self, _request: Request) -> Response:
        """Say that the process lives."""
        return JSONResponse({"status": "ok", "version": self._version})

    async def readiness(self, _request: Request) -> Response:
        """Say whether tasks can be taken: the database can be written and read."""
        if self._is_stopping():
            return JSONResponse({"status": "unavailable", "reason": "stopping"}, status_code=503)
        try:
            await self._store.check()
        except StorageError:
            return JSONResponse({"status": "unavailable", "reason": "database"}, status_code=503)
        return JSONResponse({"status": "ready", "version": self._version})

    async def openapi(self, _request: Request) -> Response:
        """Describe the interface, in OpenAPI 3.1."""
        return JSONResponse(self._document)

    async def docs(self, _request: Request) -> Response:
        """Show the interface to people; nothing is loaded from elsewhere."""
        return HTMLResponse(self._page)

    @cached_property
    def _document(self) -> dict[str, Any]:
        from agentlin_server.api.openapi import document  # schemas are made when asked for

        return document(self._version)

    @cached_property
    def _page(self) -> str:
        return files("agentlin_server.api").joinpath("static/docs.html").read_text("utf-8")
