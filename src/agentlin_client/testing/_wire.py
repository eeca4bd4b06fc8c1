"""Answers as bytes: envelopes, frames, and bodies that come piece by piece. No I/O.

A body that takes time is a generator: it yields bytes to send, or a `Wait`; whoever sends it holds
the lock while it runs, waits without, and sends back whether anything has changed.
"""

import json
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from ._faults import Faults, TransportError
from ._refusal import RefusalError
from ._requests import RecordedRequest
from ._shelf import Shelf
from ._task import FakeTask, Pace
from .steps import Delay, ScriptError

HEARTBEAT_S: Final = 15.0
KEEP_ALIVE_S: Final = 10.0
_PING: Final = b": ping\n"


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait for a change on the shelf, at most so long in real time.

    Attributes:
        seen: `Shelf.changes` when it was asked for.
        timeout_s: Seconds.
    """

    seen: int
    timeout_s: float


Body: TypeAlias = Generator[bytes | Wait, bool | None, None]


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes out."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes | Body = b""


def json_answer(result: object, request_id: str) -> Answer:
    """Answer with a result in its envelope."""
    return Answer(200, _headers(request_id), _envelope(request_id, result=result))


def refusal_answer(refusal: RefusalError, request_id: str) -> Answer:
    """Answer with an error in its envelope."""
    body = _envelope(request_id, error=refusal.error)
    return Answer(refusal.status, _headers(request_id) | refusal.headers, body)


def empty_answer(request_id: str) -> Answer:
    """Answer that there is nothing to come."""
    return Answer(204, {"X-Request-ID": request_id})


def page_answer(text: str) -> Answer:
    """Answer with a page, as a proxy in the way would."""
    return Answer(200, {"Content-Type": "text/html"}, text.encode())


def stream_answer(body: Body, request_id: str) -> Answer:
    """Answer with a stream of events."""
    return Answer(200, _headers(request_id, "text/event-stream; charset=utf-8"), body)


def settled_answer(body: Body, request_id: str) -> Answer:
    """Answer with a task that is waited for."""
    return Answer(200, _headers(request_id), body)


def frame(event: Mapping[str, Any], generation: int, request_id: str) -> bytes:
    """Return an event as it is on a stream."""
    kind: str = event["type"]
    failed = {"error": event["error"]} if kind == "task.failed" else {}
    data = _envelope(request_id, result=event, **failed)
    return b"id: %d-%d\nevent: %b\ndata: %b\n\n" % (
        event["sequence_number"],
        generation,
        kind.encode(),
        data,
    )


class Sender:
    """Sends what becomes of a task to the client that made a request.

    Args:
        shelf: Where the tasks are.
        faults: What goes wrong.
        request: The client's.
        request_id: Its id.
        patience_s: How long a task that hangs is waited for, in real time.
    """

    def __init__(
        self,
        shelf: Shelf,
        faults: Faults,
        request: RecordedRequest,
        request_id: str,
        *,
        patience_s: float,
    ) -> None:
        self._shelf = shelf
        self._faults = faults
        self._request = request
        self._request_id = request_id
        self._patience_s = patience_s

    def settled(self, task: FakeTask) -> Body:
        """Yield the answer with the task, once it is final or rests."""
        while (pace := task.advance()) is not Pace.SETTLED:
            yield from self._pass_time(task, pace, every_s=KEEP_ALIVE_S, sign=b" ")
        yield _envelope(self._request_id, result=task.snapshot())

    def events(
        self, task: FakeTask, *, after: int, until_final: bool = False, first: bytes = b""
    ) -> Body:
        """Yield the frames of the events after `after`, as they come."""
        if first:
            yield first
        is_halved = yield from self._break(after)
        cursor = after + 1
        while True:
            while cursor < len(task.events):
                event, generation = task.events[cursor], task.generation_of(cursor) or 1
                sent = frame(event, generation, self._request_id)
                if is_halved:
                    yield sent[: len(sent) // 2]
                    raise _cut(cursor - 1)
                yield sent
                is_halved = yield from self._break(cursor)
                cursor += 1
            if task.is_final or (task.is_settled and not until_final):
                return
            yield from self._pass_time(task, task.advance(), every_s=HEARTBEAT_S, sign=_PING)

    def _break(self, number: int) -> Generator[bytes, bool | None, bool]:
        """Let go wrong what is to go wrong after an event; True to cut the next in half."""
        match self._faults.after(number):
            case "cut":
                raise _cut(number)
            case "close":
                raise StopStreamError
            case "garble":
                yield b'data: {"jsonrpc": "2.0", "result": {"type"\n\n'
            case "half":
                return True
            case None:
                pass
        return False

    def _pass_time(
        self, task: FakeTask, pace: Pace | Delay, *, every_s: float, sign: bytes
    ) -> Body:
        match pace:
            case Delay(seconds):
                silence_s = min(seconds, every_s)
                patience_s = self._request.read_timeout_s
                if patience_s is not None and silence_s > patience_s:
                    raise _timed_out(patience_s)
                yield from _signs(sign, int(seconds / every_s))
            case Pace.STUCK | Pace.SETTLED:
                yield from self._wait_change(task)
            case Pace.MOVED:
                pass

    def _wait_change(self, task: FakeTask) -> Body:
        patience_s = self._request.read_timeout_s
        may_time_out = patience_s is not None and patience_s <= self._patience_s
        timeout_s = patience_s if may_time_out and patience_s is not None else self._patience_s
        has_changed = yield Wait(self._shelf.changes, timeout_s)
        if has_changed:
            return
        if may_time_out:
            raise _timed_out(timeout_s)
        raise ScriptError(
            f"{task.id} is {task.status}, and for {timeout_s:g} s nobody did anything about it: "
            "cancel it, or release() it if it hangs, or answer or resume it"
        )


class StopStreamError(Exception):
    """The stream ends here, as if in order."""


def _signs(sign: bytes, times: int) -> Iterator[bytes]:
    for _ in range(times):
        yield sign


def _cut(number: int) -> TransportError:
    message = f"the test asked for a connection that breaks after event {number}"
    return TransportError("RemoteProtocolError", message)


def _timed_out(seconds: float) -> TransportError:
    return TransportError("ReadTimeout", f"no answer within {seconds:g} s")


def _envelope(request_id: str, **fields: Any) -> bytes:
    body = {"jsonrpc": "2.0", "id": request_id, **fields}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _headers(request_id: str, media_type: str = "application/json") -> dict[str, str]:
    return {"Content-Type": media_type, "X-Request-ID": request_id}
