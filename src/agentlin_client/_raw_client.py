# Generated from _async_raw_client.py by scripts/generate_sync.py: change that one.

"""`client.with_raw_response` and `client.with_streaming_response`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ._raw_transport import raw_transport, to_raw, to_streamed
from ._verbs import Verbs

if TYPE_CHECKING:
    from ._transport import Transport
    from .resources._raw_tasks import (
        TasksWithRawResponse,
        TasksWithStreamingResponse,
    )


class ClientWithRawResponse:
    """The methods of a `Client`, each of which returns an `APIResponse`.

    Attributes:
        tasks: Those of `client.tasks`.
    """

    def __init__(self, transport: Transport, tasks: TasksWithRawResponse) -> None:
        """Show the methods of the client that `transport` belongs to."""
        verbs = _Verbs(raw_transport(transport))
        self.tasks: Final = tasks
        self.get: Final = to_raw(verbs.get)
        self.post: Final = to_raw(verbs.post)
        self.put: Final = to_raw(verbs.put)
        self.patch: Final = to_raw(verbs.patch)
        self.delete: Final = to_raw(verbs.delete)


class ClientWithStreamingResponse:
    """The methods of a `Client`, each of which returns a context manager.

    Entering it sends the request and gives an `APIResponse`, its body unread; leaving it
    closes that.

    Attributes:
        tasks: Those of `client.tasks`.
    """

    def __init__(self, transport: Transport, tasks: TasksWithStreamingResponse) -> None:
        """Show the methods of the client that `transport` belongs to."""
        verbs = _Verbs(raw_transport(transport, keep_open=True))
        self.tasks: Final = tasks
        self.get: Final = to_streamed(verbs.get)
        self.post: Final = to_streamed(verbs.post)
        self.put: Final = to_streamed(verbs.put)
        self.patch: Final = to_streamed(verbs.patch)
        self.delete: Final = to_streamed(verbs.delete)


class _Verbs(Verbs):
    def __init__(self, transport: Transport) -> None:
        self._transport = transport
