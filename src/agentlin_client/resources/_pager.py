"""What the async `list` returns before anything is sent: await it, or iterate over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .async_task_pages import AsyncTaskPage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator
    from typing import Any

    from agentlin_client._async_transport import AsyncTransport
    from agentlin_client._call import Call
    from agentlin_client.types import TaskObject


class AsyncTaskPager:
    """`await` gives the first page; `async for` gives every task, page after page."""

    def __init__(self, transport: AsyncTransport, call: Call) -> None:
        self._transport = transport
        self._call = call

    def __await__(self) -> Generator[Any, Any, AsyncTaskPage]:
        return AsyncTaskPage.fetch(self._transport, self._call).__await__()

    async def __aiter__(self) -> AsyncIterator[TaskObject]:
        async for task in await self:
            yield task
