"""A whole service in this process, without a socket: real parts, a scripted model."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from starlette.types import ASGIApp

from agentlin_server.app import providers
from agentlin_server.app.service import Service, running
from agentlin_server.models.script import Answer
from agentlin_server.settings import Settings
from tests.api.asgi import Exchange, exchange
from tests.api.frames import Frame, read_frames

JSON = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class Api:
    """A running service, and what tests ask of it."""

    service: Service
    client: httpx.AsyncClient

    @property
    def app(self) -> ASGIApp:
        return self.service.asgi

    async def post(
        self, body: object, *, path: str = "/v1/tasks", **headers: str
    ) -> httpx.Response:
        """POST JSON; underscores in header names stand for hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with anyio.fail_after(10):
            return await self.client.post(path, json=body, headers=named)

    async def get(self, path: str, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with anyio.fail_after(10):
            return await self.client.get(path, headers=named)

    async def create(self, content: object = "Hi", **params: Any) -> dict[str, Any]:
        """Create a task and return it; it must be accepted."""
        answer = await self.post({"user_message_content": content, **params})
        assert answer.status_code == 200, answer.text
        return answer.json()["result"]

    async def task(self, task_id: str) -> dict[str, Any]:
        answer = await self.get(f"/v1/tasks/{task_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()["result"]

    async def events(self, task_id: str, query: str = "", **headers: str) -> list[Frame]:
        """Read the task's events to their end."""
        answer = await self.get(f"/v1/tasks/{task_id}/events{query}", **headers)
        assert answer.status_code == 200, answer.text
        after = query.partition("starting_after=")[2].partition("&")[0]
        return read_frames(answer.content, resumed_after=int(after) if after else None)

    def streaming(self, **params: Any) -> AbstractAsyncContextManager[Exchange]:
        """Create a task whose events can be watched as they come."""
        return self.watching({"user_message_content": "Hi", "stream": True, **params})

    def watching(
        self, body: object, *, path: str = "/v1/tasks", **headers: str
    ) -> AbstractAsyncContextManager[Exchange]:
        """POST JSON; the answer can be watched as it comes."""
        raw = json.dumps(body).encode()
        return exchange(self.app, "POST", path, headers=JSON | headers, body=[raw])

    def following(self, path: str, **headers: str) -> AbstractAsyncContextManager[Exchange]:
        """GET, whose answer can be watched as it comes."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return exchange(self.app, "GET", path, headers=named)


@asynccontextmanager
async def serving(**settings: Any) -> AsyncIterator[Api]:
    """Run a service while in the context; in memory, on the model that echoes, if not told else."""
    given = {"db": ":memory:", "model": "scripted/echo", **settings}
    async with running(Settings(**given)) as service:
        transport = httpx.ASGITransport(service.asgi, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield Api(service, client)


Scripted = Callable[..., AbstractAsyncContextManager[Api]]


def scripted_with(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    """Return `serving` for a model that plays answers, which may wait for events of the test."""

    def start(answers: Sequence[Answer], **settings: Any) -> AbstractAsyncContextManager[Api]:
        monkeypatch.setattr(providers, "load_script", lambda _: answers)
        return serving(script=Path("given-by-the-test"), model="scripted/m", **settings)

    return start
