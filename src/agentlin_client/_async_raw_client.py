"""`client.with_raw_response` and `client.with_streaming_response`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ._async_raw_transport import raw_transport, to_raw, to_streamed
from ._async_verbs import AsyncVerbs

if TYPE_CHECKING:
    from ._async_transport import AsyncTransport
    from .resources._async_raw_tasks import (
        AsyncTasksWithRawResponse,
        AsyncTasksWithStreamingResponse,
    )


class AsyncClientWithRawResponse:
    """The methods of an `AsyncClient`, each of which returns an `AsyncAPIResponse`.

    Attributes:
        tasks: Those of `client.tasks`.
    """

    def __init__(self, transport: AsyncTransport, tasks: AsyncTasksWithRawResponse) -> None:
        """Show the methods of the client that `transport` belongs to."""
        verbs = _Verbs(raw_transport(transport))
        self.tasks: Final = tasks
        self.get: Final = to_raw(verbs.get)
        self.post: Final = to_raw(verbs.post)
        self.put: Final = to_raw(verbs.put)
        self.patch: Final = to_raw(verbs.patch)
        self.delete: Final = to_raw(verbs.delete)


class AsyncClientWithStreamingResponse:
    """The methods of an `AsyncClient`, each of which returns a context manager.

    Entering it sends the request and gives an `AsyncAPIResponse`, its body unread; leaving it
    closes that.

    Attributes:
        tasks: Those of `client.tasks`.
    """

    def __init__(self, transport: AsyncTransport, tasks: AsyncTasksWithStreamingResponse) -> None:
        """Show the methods of the client that `transport` belongs to."""
        verbs = _Verbs(raw_transport(transport, keep_open=True))
        self.tasks: Final = tasks
        self.get: Final = to_streamed(verbs.get)
        self.post: Final = to_streamed(verbs.post)
        self.put: Final = to_streamed(verbs.put)
        self.patch: Final = to_streamed(verbs.patch)
        self.delete: Final = to_streamed(verbs.delete)


class _Verbs(AsyncVerbs):
    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport
