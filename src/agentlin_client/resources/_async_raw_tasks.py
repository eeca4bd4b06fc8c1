"""`client.tasks.with_raw_response` and `.with_streaming_response`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agentlin_client._async_raw_transport import to_raw, to_streamed

if TYPE_CHECKING:
    from .async_tasks import AsyncTasks


class AsyncTasksWithRawResponse:
    """The methods of `AsyncTasks`, each of which returns an `AsyncAPIResponse`."""

    def __init__(self, tasks: AsyncTasks) -> None:
        """Show the methods of `tasks`, which is on top of a raw transport."""
        self.create: Final = to_raw(tasks.create)
        self.retrieve: Final = to_raw(tasks.retrieve)
        self.info: Final = to_raw(tasks.info)
        self.list: Final = to_raw(tasks.list)
        self.delete: Final = to_raw(tasks.delete)
        self.cancel: Final = to_raw(tasks.cancel)
        self.pause: Final = to_raw(tasks.pause)
        self.resume: Final = to_raw(tasks.resume)
        self.submit_tool_results: Final = to_raw(tasks.submit_tool_results)
        self.events: Final = to_raw(tasks.events)


class AsyncTasksWithStreamingResponse:
    """The methods of `AsyncTasks`, each of which returns a context manager.

    Entering it sends the request and gives an `AsyncAPIResponse`, its body unread; leaving it
    closes that.
    """

    def __init__(self, tasks: AsyncTasks) -> None:
        """Show the methods of `tasks`, which is on top of a raw transport that keeps open."""
        self.create: Final = to_streamed(tasks.create)
        self.retrieve: Final = to_streamed(tasks.retrieve)
        self.info: Final = to_streamed(tasks.info)
        self.list: Final = to_streamed(tasks.list)
        self.delete: Final = to_streamed(tasks.delete)
        self.cancel: Final = to_streamed(tasks.cancel)
        self.pause: Final = to_streamed(tasks.pause)
        self.resume: Final = to_streamed(tasks.resume)
        self.submit_tool_results: Final = to_streamed(tasks.submit_tool_results)
        self.events: Final = to_streamed(tasks.events)
