"""The answer of a create that does not stream: the task, once it is final or rests.

Clients with a read time-out of 60 s would give up, and retry, on a task that takes longer.
So a long answer begins early and is kept alive with white space, which JSON allows before
its first token (contract, section 3).
"""

import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Final

from starlette.types import Receive, Scope, Send

from agentlin_server.api.connection import is_gone
from agentlin_server.api.envelope import envelope_prefix, fault_body, id_header
from agentlin_server.api.faults import to_fault
from agentlin_server.domain.errors import ShuttingDownError, TaskNotFoundError
from agentlin_server.engine.hub import Published

KEEP_ALIVE_S: Final = 10.0


class SettledTask:
    """The response that waits for the task's last event."""

    def __init__(
        self,
        batches: AsyncGenerator[Sequence[Published]],
        *,
        request_id: str,
        is_stopping: Callable[[], bool],
        keep_alive_s: float = KEEP_ALIVE_S,
    ) -> None:
        """Wait for the end of `batches`; empty ones must come every `LOOK_EVERY_S` or so.

        Args:
            batches: The task's events.
            request_id: Of the request that is answered.
            is_stopping: True if the batches may have ended because the server stops.
            keep_alive_s: Seconds between signs of life.
        """
        self._batches = batches
        self._is_stopping = is_stopping
        self._keep_alive_s = keep_alive_s
        self._request_id = request_id
        self._has_begun = False

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, unless the client is found to be gone first."""
        status: int = HTTPStatus.OK
        headers = id_header(self._request_id)
        try:
            task = await self._wait_settled(receive, send)
            if task is None:
                return
            body = envelope_prefix(self._request_id) + task + b"}"
        except Exception as exc:  # noqa: BLE001 - the answer may have begun: it ends as an envelope
            fault = to_fault(exc)
            body, status = fault_body(self._request_id, fault), fault.status
            headers |= fault.headers
        finally:
            await self._batches.aclose()  # suspends nowhere, so it needs no shield
        headers["content-length"] = str(len(body))
        await self._begin(send, headers, status=status)
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _wait_settled(self, receive: Receive, send: Send) -> bytes | None:
        """Return the task's JSON at its last event; None if the client has gone."""
        task: bytes | None = None
        alive_at = time.monotonic()
        async for batch in self._batches:
            if batch:
                task = batch[-1].task
            elif await is_gone(receive):
                return None
            if time.monotonic() - alive_at >= self._keep_alive_s:
                await self._begin(send, id_header(self._request_id))
                await send({"type": "http.response.body", "body": b" ", "more_body": True})
                alive_at = time.monotonic()
        if task is None:
            if self._is_stopping():
                raise ShuttingDownError("the server is shutting down; the task goes on after that")
            raise TaskNotFoundError("the task was deleted")
        return task

    async def _begin(self, send: Send, headers: Mapping[str, str], *, status: int = 200) -> None:
        if self._has_begun:
            return
        self._has_begun = True
        given = {"content-type": "application/json", **headers}
        raw = [(key.lower().encode(), value.encode()) for key, value in given.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
