"""A page of tasks that knows how to fetch the next one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .task_list_response import TaskListResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from agentlin_client._async_transport import AsyncTransport
    from agentlin_client._call import Call
    from agentlin_client.types import TaskObject


class AsyncTaskPage:
    """Tasks, newest first; iterating goes on with the next pages, fetched as they are needed.

    Attributes:
        envelope: The server's answer.
        result: The tasks of this page, without their rollouts.
    """

    def __init__(self, transport: AsyncTransport, call: Call, envelope: TaskListResponse) -> None:
        self.envelope = envelope
        self.result: list[TaskObject] = envelope.unwrap()
        self._transport = transport
        self._call = call

    @classmethod
    async def fetch(cls, transport: AsyncTransport, call: Call) -> AsyncTaskPage:
        """Fetch the page that a call asks for."""
        return await transport.fetch_page(call, TaskListResponse, cls)

    def next_page_info(self) -> dict[str, str] | None:
        """Return the cursor that the next page is asked for with, None after the last page."""
        if not self.result:
            return None
        if (self._call.query or {}).get("ending_before"):  # that way lead the newer ones
            return {"ending_before": self.result[0].id}
        return {"starting_after": self.result[-1].id}

    def has_next_page(self) -> bool:
        """Whether it is worth asking for another page; the last one may turn out empty."""
        return self.next_page_info() is not None

    @property
    def starting_after(self) -> str | None:
        """Id of the task that the next page begins after, None if there is none."""
        return (self.next_page_info() or {}).get("starting_after")

    async def get_next_page(self) -> AsyncTaskPage:
        """Fetch the next page.

        Raises:
            RuntimeError: There is none; ask `has_next_page` first.
        """
        if (cursor := self.next_page_info()) is None:
            raise RuntimeError("this is the last page: check has_next_page() first")
        call = self._call._replace(query={**(self._call.query or {}), **cursor})
        return await AsyncTaskPage.fetch(self._transport, call)

    async def iter_pages(self) -> AsyncIterator[AsyncTaskPage]:
        """Yield this page and all that follow it."""
        page = self
        while page.result:
            yield page
            page = await page.get_next_page()

    async def __aiter__(self) -> AsyncIterator[TaskObject]:
        async for page in self.iter_pages():
            for task in page.result:
                yield task

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self.result)} tasks)"
