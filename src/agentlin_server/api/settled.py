"""The answer of a create that does not stream: the task, once it is final or rests.

Clients with a read time-out of 60 s would give up, and retry, on a task that takes longer.
So a long answer begins early and is kept alive with white space, which JSON allows before
its first token (contract, section 3).
"""

from collections.abc import AsyncIterator, Sequence
from typing import Final

import anyio
from starlette.types import Receive, Scope, Send

from agentlin_server.api.connection import while_connected
from agentlin_server.api.envelope import envelope_prefix, fault_body, id_header
from agentlin_server.api.faults import to_fault
from agentlin_server.domain.errors import TaskNotFoundError
from agentlin_server.engine.hub import Published

KEEP_ALIVE_S: Final = 10.0


class SettledTask:
    """The response that waits for the task's last event."""

    def __init__(
        self,
        batches: AsyncIterator[Sequence[Published]],
        *,
        request_id: str,
        keep_alive_s: float = KEEP_ALIVE_S,
    ) -> None:
        """Wait for the end of `batches`; an empty one comes when the task was quiet for a while."""
        self._batches = batches
        self._keep_alive_s = keep_alive_s
        self._request_id = request_id
        self._has_begun = False

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, unless the client goes first."""
        await while_connected(receive, lambda: self._answer(send))

    async def _answer(self, send: Send) -> None:
        task: bytes | None = None
        alive_at = anyio.current_time()
        try:
            async for batch in self._batches:
                if batch:
                    task = batch[-1].task
                # A task that streams is never quiet, and its client sees nothing of it.
                if anyio.current_time() - alive_at >= self._keep_alive_s:
                    alive_at = anyio.current_time()
                    await self._begin(send)
                    await send({"type": "http.response.body", "body": b" ", "more_body": True})
        finally:
            with anyio.CancelScope(shield=True):
                await self._batches.aclose()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType] # an async generator
        if task is None:
            fault = to_fault(TaskNotFoundError("the task was deleted"))
            body, status = fault_body(self._request_id, fault), fault.status
        else:
            body, status = envelope_prefix(self._request_id) + task + b"}", 200
        await self._begin(send, status=status, length=len(body))
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _begin(self, send: Send, *, status: int = 200, length: int | None = None) -> None:
        if self._has_begun:
            return
        self._has_begun = True
        headers = [(b"content-type", b"application/json")]
        headers += [
            (k.lower().encode(), v.encode()) for k, v in id_header(self._request_id).items()
        ]
        if length is not None:
            headers.append((b"content-length", b"%d" % length))
        await send({"type": "http.response.start", "status": status, "headers": headers})
