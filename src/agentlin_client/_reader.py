"""The state of one stream of events, without I/O: what is new, what is missing, where to go on.

A stream ends well when its last event is final or resting. Whatever else ends it, politely or
not, is an interruption: the reader says how to go on from the last event on a new connection.
The sequence numbers tell what was there already and what is missing, so that its user sees each
event once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from ._call import EVENT_STREAM, Call, task_path
from ._errors import APIConnectionError, APIError, APIResponseValidationError, describe_body
from ._events import EventDecoder, FailureFrame, FrameFailure, id_of
from ._lenient import decode_object
from ._request import Caller, back_off_s, transport_error
from ._response import check_stream, first_mistake
from ._retry import Retry
from .types.status import FINAL, RESTING, STATUS_OF_EVENT

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from ._commands import Steps
    from ._sse import RawFrame
    from .types import AgentTaskEvent

_ENDS: Final = FINAL | RESTING
_PATIENCE: Final = 3
"""How many times as often as a call a broken stream is asked for again: servers take some seconds
to start, and there is more to lose. With `max_retries` 2 that is about 20 seconds."""
_SAFE_ID: Final = re.compile(r"[\x21-\x7e]+")
"""An SSE id that can stand in a header."""
_NO_CONTENT: Final = 204
_SNAPSHOT: Final = "task.snapshot"


class EventReader:
    """Reads one stream over as many connections as it takes.

    Attributes:
        response: The answer that is read at present.
        failure: Set when this connection can't be read on; the events before it are still handed
            out.
        is_garbled: Whether `failure` is bytes that are no JSON: another connection may be better.
        is_cut: Whether the reading was interrupted, by a canceled wait say; `resumed` goes on.
        closed: Set by whoever closes the stream.
        give_up: Ends the wait for a new connection; None if there is none, or no way to end it.
        current: The event that was handed out last; kept up to date by the shell.
    """

    __slots__ = (
        "_batch",
        "_call",
        "_caller",
        "_decoder",
        "_expected",
        "_first",
        "_frames",
        "_fruitless",
        "_is_empty",
        "_last",
        "_snapshot_id",
        "_task_id",
        "_until_final",
        "closed",
        "current",
        "failure",
        "give_up",
        "is_cut",
        "is_garbled",
        "response",
    )

    response: httpx.Response

    def __init__(
        self, caller: Caller, call: Call, *, until_final: bool = False, after: int | None = None
    ) -> None:
        """Prepare to read the answer of `call`.

        Args:
            caller: Makes the calls that reconnect.
            call: The call that opened the stream; sent again if it breaks before its first event,
                so it must be one that may be.
            until_final: The stream goes on while the task rests.
            after: Number of the event that the stream begins after, None if it is not known.
        """
        self._caller = caller
        self._call = call
        self._until_final = until_final
        self._first = self._expected = None if after is None else after + 1
        self._last: AgentTaskEvent | None = None
        self._decoder = EventDecoder(strict=caller.config.is_strict)
        self._batch: list[AgentTaskEvent] = []  # the last events some of which were new
        self._frames: list[RawFrame] = []  # where they came from
        self._snapshot_id: str | None = None  # of the snapshot that was handed out last
        self._task_id: str | None = None
        self._is_empty = False
        self._fruitless = 0  # connections in a row that brought nothing new
        self.failure: APIError | None = None
        self.is_garbled: bool = False
        self.is_cut: bool = False
        self.closed: bool = False
        self.give_up: Callable[[], object] | None = None
        self.current: AgentTaskEvent | None = None

    def begin(self, response: httpx.Response) -> None:
        """Read from this answer now."""
        self.response = response
        self._decoder = EventDecoder(strict=self._caller.config.is_strict)
        if getattr(self._last, "type", None) != _SNAPSHOT:
            self._snapshot_id = None  # it would take back now what came after it
        self.failure = None
        self.is_garbled = False
        self.is_cut = False
        self._is_empty = response.status_code == _NO_CONTENT  # at rest, and all of it is known

    def feed(self, chunk: bytes) -> list[AgentTaskEvent]:
        """Return the events that `chunk` completes and that are new.

        If one can't be taken, `failure` is set and the events before it are returned.
        """
        batch = events = self._decoder.feed(chunk)
        if self._decoder.failure is not None:
            self._fail(self._decoder.failure)
        if not events:
            return events
        if not self._takes_all(events):
            events = self._sorted_out(events)
        if events:
            self._batch, self._frames = batch, self._decoder.frames
            self._last = events[-1]
            if self._last.type != _SNAPSHOT:  # that alone is no progress
                self._fruitless = 0
            if self._task_id is None:
                self._task_id = _task_of(events)
        return events

    def close(self) -> None:
        """Let the reading end, wherever it is."""
        self.closed = True
        if self.give_up is not None:
            self.give_up()

    def raise_failure(self) -> None:
        """Raise `failure`, if there is one that no other connection can mend.

        It is forgotten then: kept, it would be tied to itself.
        """
        if self.is_garbled:
            return
        failure, self.failure = self.failure, None
        if failure is not None:
            try:
                raise failure
            finally:
                del failure

    def left(self, error: BaseException) -> None:
        """Note what ended the reading: after a canceled wait `resumed` can go on.

        Errors are for good, and so is the end that the reader itself wanted.
        """
        self.is_cut = not isinstance(error, (Exception, GeneratorExit))
        if self.is_cut:  # Ctrl-C strikes anywhere, also before what was read is handed out
            number = getattr(self.current, "sequence_number", None)
            self._last = self.current
            if self._last is None:
                self._task_id = None  # from the start again
            self._expected = number + 1 if isinstance(number, int) else self._first

    def is_over(self, *, is_cut: bool) -> bool:
        """Whether the stream may end here: nothing is to come, or nobody wants it.

        Args:
            is_cut: The connection broke, or was given up; it did not end in order.
        """
        if self.closed or self._is_empty or self._status in FINAL:
            return True
        # A log may go on after a rest. That it does not is said by the end of the body alone.
        is_cut = is_cut or self.failure is not None or _ends_without_a_word(self.response)
        return self._status in self._ends and not is_cut

    @property
    def last_event_id(self) -> str | None:
        """The SSE id of the event that was handed out last, None before the first."""
        return None if self.current is None else self._id_of(self.current)

    @property
    def task_id(self) -> str | None:
        """Id of the task, None before the first event."""
        return self._task_id

    def reconnected(self, error: Exception | None) -> Steps[httpx.Response]:
        """Go on with a new connection, from the event after the last one.

        Args:
            error: What the transport raised, None if the server closed the stream in order or
                `failure` says what happened.

        Raises:
            APIError: There is nothing left to try.
        """
        failure = self.failure or self._interruption(error)
        self.failure = None
        retries_max = self._caller.retries_max(self._call)
        if self._fruitless >= retries_max:
            try:
                raise failure
            finally:
                del failure  # else the error's traceback leads back to the error
        # The first time at once: the stream was alive a moment ago.
        delay_s = back_off_s(self._fruitless - 1, {}) if self._fruitless else 0.0
        self._fruitless += 1
        yield self._caller.pause(Retry(self._fruitless, retries_max, delay_s, failure))
        del failure
        return (yield from self.resumed())

    def resumed(self) -> Steps[httpx.Response]:
        """Do the same where nothing went wrong: no wait, and nothing is counted."""
        if self.closed:  # while it waited
            return self.response
        call = self._resuming_call()
        call = call._replace(max_retries=self._caller.retries_max(call) * _PATIENCE)
        response = yield from self._caller.exchange(call, may_stream=True)
        check_stream(response)
        self.begin(response)
        return response

    @property
    def _ends(self) -> frozenset[str]:
        return FINAL if self._until_final else _ENDS

    @property
    def _status(self) -> str | None:
        last: Any = self._last
        if last is None:
            return None
        if last.type == _SNAPSHOT:
            return getattr(getattr(last, "task", None), "status", None)
        return STATUS_OF_EVENT.get(last.type)

    def _takes_all(self, events: list[AgentTaskEvent]) -> bool:
        """Whether the events are exactly those that come next; if so, count them."""
        expected: Any = self._expected
        try:
            for event in events:
                if event.sequence_number != expected:
                    return False
                expected += 1
        except AttributeError:  # a lenient one without a number
            return False
        self._expected = expected
        return True

    def _sorted_out(self, events: list[AgentTaskEvent]) -> list[AgentTaskEvent]:
        """Return the events that are new, up to the first gap that nothing explains."""
        new: list[AgentTaskEvent] = []
        for event, frame in zip(events, self._decoder.frames, strict=True):
            number: Any = getattr(event, "sequence_number", None)
            if not isinstance(number, int):  # a lenient one: its place is where it came
                number = self._expected or 0
            if event.type == _SNAPSHOT:
                snapshot_id = id_of(frame) or str(number)
                if snapshot_id == self._snapshot_id:
                    continue  # it came twice
                self._snapshot_id = snapshot_id
                self._expected = number
            if self._expected is None or number == self._expected:
                self._expected = number + 1
                new.append(event)
            elif number > self._expected:
                self.failure = self._gap(number)
                break
        return new

    def _resuming_call(self) -> Call:
        if (task_id := self.task_id) is None:
            return self._call
        headers = dict(self._call.headers or {})
        headers["Last-Event-ID"] = self._resume_id()
        query = {k: v for k, v in (self._call.query or {}).items() if k != "starting_after"}
        return Call(
            "GET",
            task_path(task_id, "events"),
            query=query,
            headers=headers,
            timeout=self._call.timeout,
            accept=EVENT_STREAM,
            max_retries=self._call.max_retries,
        )

    def _resume_id(self) -> str:
        assert self._last is not None
        known = self._id_of(self._last) or ""
        return known if _SAFE_ID.fullmatch(known) else str((self._expected or 1) - 1)

    def _id_of(self, event: AgentTaskEvent) -> str | None:
        for other, frame in zip(self._batch, self._frames, strict=True):
            if other is event:
                return id_of(frame)
        # It was closed just before the first of newer ones was handed out.
        return str(event.sequence_number)

    def _interruption(self, error: Exception | None) -> APIError:
        place = (
            "before its first event" if self._last is None else f"after event {self._resume_id()}"
        )
        if error is None:
            return APIConnectionError(
                message=f"The stream ended {place}, though the task goes on.",
                request=self.response.request,
                response=self.response,
            )
        return transport_error(
            error, self.response.request, self.response, when=f"the stream broke {place}: "
        )

    def _fail(self, failure: FrameFailure) -> None:
        if isinstance(failure, FailureFrame):
            self.failure = APIError(
                f"The stream failed: {describe_body(failure.body)}",
                self.response.request,
                body=failure.body,
                response=self.response,
            )
            return
        self.is_garbled = decode_object(failure.data) is None
        self.failure = APIResponseValidationError(
            self.response,
            failure.data.decode("utf-8", "replace"),
            message=f"The stream holds a frame that is no event: {first_mistake(failure.error)}",
        )
        self.failure.__cause__ = failure.error

    def _gap(self, number: int) -> APIResponseValidationError:
        return APIResponseValidationError(
            self.response,
            None,
            message=(
                f"The stream goes on with event {number} where event {self._expected} was "
                "expected, and no task.snapshot stands for what is missing."
            ),
        )


def _ends_without_a_word(response: httpx.Response) -> bool:
    """Whether a body ends when the connection does, as in HTTP/1.0: nobody knows if all came."""
    version: bytes = response.extensions.get("http_version", b"")
    is_framed = response.headers.keys() & {"content-length", "transfer-encoding"}
    return version.startswith(b"HTTP/1") and not is_framed


def _task_of(events: list[AgentTaskEvent]) -> str | None:
    told = (getattr(event, "task_id", None) for event in events)  # a lenient one may not tell
    return next((task_id for task_id in told if isinstance(task_id, str) and task_id), None)
