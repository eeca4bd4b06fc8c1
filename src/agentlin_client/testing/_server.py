"""`FakeServer`: an agentlin server in memory, whose tasks do what a script says."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from . import _faults as faults
from ._backend import Backend
from ._faults import Breakage, Fault, StreamFault
from ._scripts import Match
from .steps import ScriptError, Steps

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from agentlin_client import AsyncClient, Client

    from ._requests import RecordedRequest
    from ._task import FakeTask
    from ._transport import FakeTransport

_START: Final = datetime(2026, 1, 1, tzinfo=UTC)
_BASE_URL: Final = "http://agentlin.test/v1"
_PAGE: Final = "<html><body>Please log in to the network.</body></html>"


class FakeServer:
    """An agentlin server in memory, for the tests of programs that use one.

    It answers the clients that `client()` and `async_client()` make, or any httpx client with its
    `transport`, at any base URL, as a real server would: the same routes, errors and events in
    the same order. What a model would say is in scripts; time passes on its own clock only.

    >>> from agentlin_client.testing import FakeServer, say
    >>> server = FakeServer()
    >>> server.on("weather", say("It is 18 degrees."))
    >>> client = server.client()
    >>> created = client.tasks.create(stream=False, user_message_content="How is the weather?")
    >>> created.unwrap().status
    'completed'

    Args:
        now: The time at which its clock starts, with a time zone; by default 2026-01-01, UTC.
        numbers_tasks: Give tasks whose id the SDK made up, at random, the ids `task_1`, `task_2`,
            ... instead, so that each run of a test sees the same; requests may use either.
        patience_s: How long, in real time, a client may wait for a task that hangs before the
            test is told so. A client's own read time-out, if it is shorter, comes first.

    Attributes:
        requests: All requests so far; each attempt of a call is one.
    """

    def __init__(
        self, *, now: datetime = _START, numbers_tasks: bool = True, patience_s: float = 5.0
    ) -> None:
        self._backend = Backend(_utc(now), numbers_tasks=numbers_tasks, patience_s=patience_s)
        self._shelf = self._backend.shelf
        self.requests: list[RecordedRequest] = self._backend.requests

    @property
    def tasks(self) -> Mapping[str, FakeTask]:
        """The tasks by id, oldest first, without deleted ones."""
        return self._shelf.tasks

    @property
    def last_task(self) -> FakeTask:
        """The task that was created last.

        Raises:
            LookupError: There is none.
        """
        if not self._shelf.tasks:
            raise LookupError("the server has no task")
        return list(self._shelf.tasks.values())[-1]

    @property
    def last_request(self) -> RecordedRequest:
        """The request that came last.

        Raises:
            LookupError: None has come.
        """
        if not self.requests:
            raise LookupError("no request has come to the server")
        return self.requests[-1]

    @property
    def now(self) -> datetime:
        """The server's time, UTC; may be set."""
        return self._shelf.now

    @now.setter
    def now(self, at: datetime) -> None:
        self._shelf.now = _utc(at)
        self._shelf.changed()

    def advance(self, seconds: float) -> None:
        """Let time pass on the server's clock: tasks with a `timeout_s` may expire."""
        self._shelf.advance(seconds)

    # Scripts

    def on(self, match: Match, steps: Steps, *, times: int | None = None) -> None:
        """Have tasks that match follow a script.

        Args:
            match: Text that the user message holds, in any case; or a compiled pattern that is
                found in it; or a function that is given the create's body and returns a bool.
            steps: What these tasks do; see the module's functions, from `say` on.
            times: For how many tasks the rule holds; None for all. A later rule wins over an
                earlier one, so a test may override what its fixtures said.
        """
        with self._shelf.lock:
            self._backend.scripts.on(match, steps, times=times)

    def script(self, *scripts: Steps) -> None:
        """Have the next tasks that no rule fits follow these scripts, one each, in order."""
        with self._shelf.lock:
            self._backend.scripts.add(*scripts)

    def otherwise(self, steps: Steps) -> None:
        """Have all tasks that have no script yet follow this one.

        Without it such a task is a mistake of the test: creating it raises ScriptError there.
        """
        with self._shelf.lock:
            self._backend.scripts.otherwise(steps)

    # Clients

    @property
    def transport(self) -> FakeTransport:
        """The server as a transport, for blocking and async httpx clients."""
        from ._transport import FakeTransport

        return FakeTransport(self._backend)

    def client(self, **options: Any) -> Client:
        """Return a client of this server.

        Where it waits before a retry, time passes on the server's clock only.

        Args:
            options: As `Client` takes them; a key and a base URL are there already.
        """
        import httpx

        from ._clients import client_class

        http_client = httpx.Client(transport=self.transport)
        return client_class(self.advance)(**self._options(options, http_client))

    def async_client(self, **options: Any) -> AsyncClient:
        """Return an async client of this server; see `client`."""
        import httpx

        from ._clients import async_client_class

        http_client = httpx.AsyncClient(transport=self.transport)
        return async_client_class(self.advance)(**self._options(options, http_client))

    @staticmethod
    def _options(
        options: Mapping[str, Any], http_client: httpx.Client | httpx.AsyncClient
    ) -> dict[str, Any]:
        given = {"api_key": "test-key", "base_url": _BASE_URL, "http_client": http_client}
        return given | dict(options)

    # What goes wrong

    def fail_next(
        self,
        status: int = 503,
        *,
        times: int = 1,
        to: str | None = None,
        code: int | None = None,
        message: str | None = None,
        data: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Refuse the next requests with an error, before anything is done.

        Args:
            status: HTTP status.
            times: How many requests; a retry is a request of its own.
            to: Only requests whose `METHOD path` this pattern is found in, e.g. `POST /tasks$`.
            code: JSON-RPC code; by default the one that goes with the status.
            message: The error's message.
            data: The error's data.
            headers: Of the answer, e.g. `{"retry-after": "2"}`.
        """
        before = faults.refusal(status, code=code, message=message, data=data, headers=headers)
        self._arm(Fault(times=times, to=to, before=before))

    def refuse_connections(self, *, times: int = 1, to: str | None = None) -> None:
        """Be unreachable for the next requests (httpx.ConnectError); see `fail_next`."""
        self._arm(Fault(times=times, to=to, before=faults.unreachable))

    def timeout_next(self, *, times: int = 1, to: str | None = None) -> None:
        """Do what the next requests ask for, but answer later than their client waits."""
        self.slow_next(math.inf, times=times, to=to)

    def slow_next(self, seconds: float, *, times: int = 1, to: str | None = None) -> None:
        """Answer the next requests late: by so much on the server's clock, not in real time.

        A client whose read time-out is shorter runs into it; see `fail_next` for the rest.
        """
        after = faults.late_by(seconds, self._shelf.advance)
        self._arm(Fault(times=times, to=to, after=after))

    def garble_next(self, *, times: int = 1, to: str | None = None, page: str = _PAGE) -> None:
        """Answer the next requests with a page that is not of the protocol, as proxies do."""
        self._arm(Fault(times=times, to=to, page=page))

    def drop_connection(self, *, after_event: int, times: int = 1, how: Breakage = "cut") -> None:
        """Break the stream that sends an event, right after it.

        Args:
            after_event: The event's sequence number; -1 breaks before the first.
            times: How many streams.
            how: `cut`: the connection breaks. `half`: it breaks in the middle of the next event.
                `close`: the stream ends as if in order. `garble`: a frame follows that is none.
        """
        with self._shelf.lock:
            self._backend.faults.of_streams.append(StreamFault(how, after_event, times))

    def lose_events(self, reason: str = "events after your last one were lost") -> None:
        """Have the next stream that is resumed begin with a `task.snapshot`."""
        with self._shelf.lock:
            self._backend.faults.snapshot_reason = reason

    def _arm(self, fault: Fault) -> None:
        with self._shelf.lock:
            self._backend.faults.of_requests.append(fault)


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ScriptError("the server's time needs a time zone, e.g. tzinfo=UTC")
    return at.astimezone(UTC)
