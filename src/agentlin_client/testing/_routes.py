"""The paths of the fake server: a recorded request in, an answer out."""

import re
from collections.abc import Mapping
from typing import Any, Final

from . import _wire as wire
from ._content import as_parts
from ._faults import Faults
from ._log import timestamp
from ._refusal import RefusalError, invalid, not_found
from ._requests import RecordedRequest, checked_create, checked_tool_results
from ._scripts import Scripts
from ._shelf import Shelf
from ._task import FakeTask
from ._wire import Answer, Sender

_PATH: Final = re.compile(r"/tasks(?:/(?P<id>[^/]+)(?:/(?P<verb>[a-z_]+))?)?/?")
_ALLOWED: Final[Mapping[tuple[bool, str], tuple[str, ...]]] = {
    # Whether the path names a task, and what it asks to be done with it.
    (False, ""): ("GET", "POST"),
    (True, ""): ("GET", "DELETE"),
    (True, "cancel"): ("POST",),
    (True, "pause"): ("POST",),
    (True, "resume"): ("POST",),
    (True, "tool_results"): ("POST",),
    (True, "events"): ("GET",),
}


class Routes:
    """Answers requests; the caller holds the shelf's lock."""

    def __init__(
        self, shelf: Shelf, scripts: Scripts, faults: Faults, *, patience_s: float
    ) -> None:
        self._shelf = shelf
        self._scripts = scripts
        self._faults = faults
        self._patience_s = patience_s

    def answer(self, request: RecordedRequest) -> Answer:
        """Do what a request asks for.

        Raises:
            ScriptError: There is no script for the task that it creates.
        """
        request_id = self._request_id(request)
        try:
            return self._route(request, request_id)
        except RefusalError as refusal:
            return wire.refusal_answer(refusal, request_id)

    def refused(self, request: RecordedRequest, refusal: RefusalError) -> Answer:
        """Answer with an error, whatever the request asks for."""
        return wire.refusal_answer(refusal, self._request_id(request))

    def _request_id(self, request: RecordedRequest) -> str:
        body = request.body
        given = body.get("request_id") if isinstance(body, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType] # decoded JSON
        if isinstance(given, str) and given.isascii() and given.isprintable():
            return given
        return request.headers.get("x-request-id") or self._shelf.new_id("req")

    def _route(self, request: RecordedRequest, request_id: str) -> Answer:
        found = _PATH.fullmatch(request.path)
        task_id, verb = (found["id"] or "", found["verb"] or "") if found else ("", "-")
        allowed = _ALLOWED.get((bool(task_id), verb))
        if allowed is None:
            raise RefusalError(404, f"there is no path {request.path}", code=-32601)
        if request.method not in allowed:
            headers = {"Allow": ", ".join(allowed)}
            raise RefusalError(405, f"{request.path} has no {request.method}", headers=headers)
        sender = Sender(self._shelf, self._faults, request, request_id, patience_s=self._patience_s)
        if not task_id:
            if request.method == "POST":
                return self._create(request, request_id, sender)
            page = [task.snapshot() for task in self._shelf.page(request)]
            return wire.json_answer([_without_rollouts(one) for one in page], request_id)
        task = self._shelf.find(task_id)
        if task is None:
            raise not_found(task_id)
        if verb == "events":
            return self._events(task, request, request_id, sender)
        if verb == "tool_results":
            wanted = checked_tool_results(request.object_body(required=False))
            return self._answered(task, wanted["tool_results"], wanted, request_id, sender)
        self._control(task, request.method, verb)
        return wire.json_answer(task.snapshot(), request_id)

    def _control(self, task: FakeTask, method: str, verb: str) -> None:
        match method, verb:
            case "POST", "cancel":
                task.cancel()
            case "POST", "pause":
                task.pause()
            case "POST", _:
                task.resume()
            case "DELETE", _:
                self._shelf.delete(task)
            case _:
                task.look()

    def _create(self, request: RecordedRequest, request_id: str, sender: Sender) -> Answer:
        wanted = checked_create(request.object_body(required=True))
        if (continued := self._continued(request, wanted)) is not None:
            task, results = continued
            return self._answered(task, results, wanted, request_id, sender)
        task = self._shelf.seen_before(request, wanted)
        if task is None:
            task = self._shelf.create(request, wanted, self._scripts.choose(wanted))
        return self._followed(task, wanted, request_id, sender, after=-1)

    def _answered(
        self,
        task: FakeTask,
        results: list[Mapping[str, Any]],
        wanted: Mapping[str, Any],
        request_id: str,
        sender: Sender,
    ) -> Answer:
        after = task.answer(results)
        return self._followed(task, wanted, request_id, sender, after=after)

    @staticmethod
    def _followed(
        task: FakeTask,
        wanted: Mapping[str, Any],
        request_id: str,
        sender: Sender,
        *,
        after: int,
    ) -> Answer:
        if wanted.get("stream"):
            return wire.stream_answer(sender.events(task, after=after), request_id)
        if wanted.get("background"):
            task.advance()
            return wire.json_answer(task.snapshot(), request_id)
        return wire.settled_answer(sender.settled(task), request_id)

    def _continued(
        self, request: RecordedRequest, wanted: Mapping[str, Any]
    ) -> tuple[FakeTask, list[Mapping[str, Any]]] | None:
        """Return the task that a create goes on with, and its answers; None for a new task."""
        results = _results_among(wanted.get("thought_messages") or [])
        session_id = request.given_ids(wanted)["session_id"]
        if session_id is None or wanted["user_message_content"] or not results:
            return None
        is_waiting = False
        for task in self._shelf.of_session(session_id):
            output = task.snapshot()["output"]
            made = {item["call_id"] for item in output if item["type"] == "tool_call"}
            if meant := [results[call_id] for call_id in results if call_id in made]:
                return task, meant
            is_waiting |= task.status == "input-required"
        if is_waiting:  # or a mistyped id would cancel the question that it answers
            msg = "holds no result of a call that the session's task waits for"
            raise invalid("thought_messages", msg=msg)
        return None

    def _events(
        self, task: FakeTask, request: RecordedRequest, request_id: str, sender: Sender
    ) -> Answer:
        until = request.value("until")
        if until not in (None, "final"):
            raise invalid("until", msg="must be 'final' or left out")
        stays = until == "final" and not task.is_final
        after, is_exact = _place(task, request)
        first = b""
        reason = self._faults.take_snapshot() if after >= 0 else None
        if reason is not None or not is_exact:
            after = len(task.events) - 1
            event = self._snapshot_event(task, reason or "events after your last one were lost")
            first = wire.frame(event, task.generation_of(after) or 1, request_id)
        is_over = task.is_settled and after >= len(task.events) - 1
        if is_over and not stays and not first:
            return wire.empty_answer(request_id)
        body = sender.events(task, after=after, until_final=until == "final", first=first)
        return wire.stream_answer(body, request_id)

    def _snapshot_event(self, task: FakeTask, reason: str) -> dict[str, Any]:
        return {
            "type": "task.snapshot",
            "task_id": task.id,
            "sequence_number": len(task.events) - 1,
            "timestamp": timestamp(self._shelf.now),
            "task": _without_rollouts(task.snapshot()),
            "reason": reason,
        }


def _place(task: FakeTask, request: RecordedRequest) -> tuple[int, bool]:
    """Return the number of the last event that a reader has, and whether it is still that one."""
    given = request.value("starting_after")
    if given is not None:
        return _number(given, "starting_after"), True
    number, dash, generation = request.headers.get("last-event-id", "").partition("-")
    if not number:
        return -1, True
    after = _number(number, "Last-Event-ID")
    is_exact = not dash or task.generation_of(after) == _number(generation, "Last-Event-ID")
    return after, is_exact


def _number(value: str, name: str) -> int:
    if not value.isdecimal():
        raise invalid(name, msg="must be the sequence number of an event")
    return int(value)


def _results_among(thoughts: list[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return the tool results among items and chat messages, by call; the last of a call counts."""
    found: dict[str, Mapping[str, Any]] = {}
    for item in thoughts:
        if item.get("type") == "tool_result":
            found[item["call_id"]] = item
        elif item.get("role") == "tool" and item.get("tool_call_id"):
            content = as_parts(item.get("content"))
            call_id = item["tool_call_id"]
            found[call_id] = {"call_id": call_id, "message_content": content, "block_list": content}
    return found


def _without_rollouts(task: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in task.items() if name != "rollouts"}
