"""What goes wrong on demand: armed by a test, each set off by the requests that come next."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from ._refusal import RefusalError
from ._requests import RecordedRequest
from .steps import ScriptError

Breakage: TypeAlias = Literal["cut", "half", "close", "garble"]
"""How a stream goes wrong: the connection breaks between two events, or in the middle of the next;
the stream ends as if in order; or a frame comes that is no event."""

_WITH_RETRY_AFTER: Final = frozenset({429, 503})


class TransportError(Exception):
    """What httpx is to raise; the transport translates it.

    Attributes:
        kind: The name of one of httpx's errors.
    """

    def __init__(
        self, kind: Literal["ConnectError", "ReadTimeout", "RemoteProtocolError"], message: str
    ) -> None:
        super().__init__(message)
        self.kind: str = kind


@dataclass(slots=True, kw_only=True)
class Fault:
    """Something that goes wrong with a request.

    Attributes:
        times: How often it will still happen.
        to: Only with requests whose `METHOD path` this pattern is found in; None for all.
        before: Called before the server does anything: raises, or does nothing.
        after: The same after all was done.
        page: Sent instead of the answer.
    """

    times: int
    to: str | None
    before: Callable[[], None] | None = None
    after: Callable[[RecordedRequest], None] | None = None
    page: str | None = None

    def takes(self, request: RecordedRequest) -> bool:
        """True if it happens with this request, which then counts."""
        line = f"{request.method} {request.path}"
        if self.times <= 0 or (self.to is not None and re.search(self.to, line) is None):
            return False
        self.times -= 1
        return True


@dataclass(slots=True)
class StreamFault:
    """Something that goes wrong with a stream, once it has sent an event."""

    breakage: Breakage
    after_event: int
    times: int


@dataclass(slots=True)
class Faults:
    """All that is armed."""

    of_requests: list[Fault] = field(default_factory=list[Fault])
    of_streams: list[StreamFault] = field(default_factory=list[StreamFault])
    snapshot_reason: str | None = None

    def of(self, request: RecordedRequest) -> Fault | None:
        """Take the first fault that is meant for a request, None if there is none."""
        return next((fault for fault in self.of_requests if fault.takes(request)), None)

    def after(self, number: int) -> Breakage | None:
        """Take what is to go wrong with a stream that has just sent event `number`."""
        for fault in self.of_streams:
            if fault.times > 0 and fault.after_event == number:
                fault.times -= 1
                return fault.breakage
        return None

    def take_snapshot(self) -> str | None:
        """Take the reason for which a resumed stream begins with a snapshot; None if it doesn't."""
        reason, self.snapshot_reason = self.snapshot_reason, None
        return reason


def refusal(
    status: int,
    *,
    code: int | None,
    message: str | None,
    data: object,
    headers: Mapping[str, str] | None,
) -> Callable[[], None]:
    """Return a `before` that refuses the request."""
    given = {**({"retry-after": "1"} if status in _WITH_RETRY_AFTER else {}), **(headers or {})}

    def refuse() -> None:
        text = message or f"the test asked for status {status}"
        raise RefusalError(status, text, code=code, data=data, headers=given)

    return refuse


def unreachable() -> None:
    """A `before` that finds no server.

    Raises:
        TransportError: Always.
    """
    raise TransportError("ConnectError", "the test asked for a connection that is refused")


def late_by(seconds: float, advance: Callable[[float], None]) -> Callable[[RecordedRequest], None]:
    """Return an `after` that lets time pass: the client's time-out, if that is shorter."""

    def arrive_late(request: RecordedRequest) -> None:
        patience_s = request.read_timeout_s
        if patience_s is None and seconds == math.inf:
            raise ScriptError("the client has no read time-out: it would wait for ever")
        if patience_s is None or seconds <= patience_s:
            advance(seconds)
            return
        advance(patience_s)
        raise TransportError("ReadTimeout", f"no answer within {patience_s:g} s")

    return arrive_late
