"""What clients do to tasks: each request notes what was asked, and what was granted.

Answers that the contract does not allow here raise ViolationError. None means that the server
died under the request, so that nobody knows whether it was taken.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

import anyio

from agentlin_client.types.status import FINAL, RESTING
from tests.faults import checker
from tests.faults.client import Reply, require
from tests.faults.observer import read_log
from tests.faults.screenplay import Plan
from tests.faults.subject import Subject
from tests.faults.world import World

ASK: Final = "ask_user"
"""Tools whose name begins like this are the client's."""
END_S: Final = 40
"""How long an unfinished task may take to its end, once nothing goes wrong any more."""

_OK: Final = 200
_NOT_FOUND: Final = 404
_CONFLICT: Final = 409
_INVALID: Final = 422


def new_subject(world: World, plan: Plan, **params: Any) -> Subject:
    """Note a task that is to be created; `params` are those of its create."""
    names = sorted({call.name for step in plan.steps for call in step.calls})
    tools = [
        {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
        for name in names
        if name.startswith(ASK)
    ]
    given = {name: value for name, value in params.items() if value is not None}
    body = {"user_message_content": plan.message(), "request_id": "r", **given}
    if tools:
        body["client_tools"] = tools
    subject = Subject(plan, key=plan.name, body=body)
    if given.get("timeout_s") is not None:
        subject.may_end.add("expired")
    if any(step.breaks > 2 for step in plan.steps):
        subject.may_end.add("failed")
    for other in world.subjects:
        _note_session(subject, other)
        _note_session(other, subject)
    world.subjects.append(subject)
    return subject


def _note_session(newer: Subject, older: Subject) -> None:
    """A new message may cancel what its session has: the unanswered, or everything.

    Which of two tasks is newer is not known before the end: a create may have been lost.
    """
    session, on_busy = newer.body.get("session_id"), newer.body.get("on_busy")
    if session is None or older.body.get("session_id") != session:
        return
    asks = any(call.name.startswith(ASK) for step in older.plan.steps for call in step.calls)
    if on_busy == "interrupt" or (on_busy is None and asks):
        older.may_end.add("canceled")


async def create(world: World, subject: Subject, *, waits: bool = False) -> Reply | None:
    """Send the task's create (again), without a stream; it is answered at once unless it waits."""
    body = {**subject.body, "background": not waits}
    reply = await world.call("POST", "", body, subject.headers)
    if reply is None:
        return None
    if reply.is_ok:
        subject.is_refused = False
        subject.learn(reply.task["id"])
        require(not subject.is_deleted, f"{subject.key} was made again after its delete")
        _note(subject, reply)
        return reply
    is_expected = reply.status == _CONFLICT and subject.body.get("on_busy") == "reject"
    if subject.is_deletion_asked:  # it may have been found, and be gone before it was read
        is_expected = reply.status in (_CONFLICT, _NOT_FOUND)
    require(is_expected, f"{subject.key}: its create is refused: {reply}")
    subject.is_refused = not subject.known.is_set()
    return reply


async def create_and_wait(world: World, subject: Subject) -> None:
    """Send the task's create until it is answered, once the task rests or has ended."""
    while await create(world, subject, waits=True) is None:
        pass


async def list_all(world: World) -> None:
    """Look at the list: no task may be missing."""
    known = {one.id for one in world.subjects if one.id and not one.is_deletion_asked}
    reply = await world.call("GET", "?limit=100")
    if reply is not None:
        require(reply.is_ok, f"no list: {reply}")
        missing = known - {task["id"] for task in reply.envelope["result"]}
        require(not missing, f"the list lacks {missing}")


async def retrieve(world: World, subject: Subject) -> Reply | None:
    """Look at the task."""
    reply = await world.call("GET", subject.path)
    return _noted(subject, reply, allowed=())


async def cancel(world: World, subject: Subject) -> Reply | None:
    """Cancel the task."""
    subject.may_end.add("canceled")
    reply = await world.call("POST", f"{subject.path}/cancel")
    if _noted(subject, reply, allowed=(_CONFLICT,)) and reply and reply.is_ok:
        require(reply.task["status"] == "canceled", f"{subject.key}: canceled: {reply.task}")
        subject.must_end = "canceled"
    return reply


async def pause(world: World, subject: Subject) -> Reply | None:
    """Pause the task."""
    resumes = subject.resumes_begun
    are_over = resumes == subject.resumes_ended
    reply = await world.call("POST", f"{subject.path}/pause")
    if _noted(subject, reply, allowed=(_CONFLICT,)) and reply and reply.is_ok:
        task = reply.task
        require(
            task["status"] == "paused"
            or task["pause_requested"]
            or task["status"] in FINAL
            or task["status"] in RESTING,
            f"{subject.key}: a pause was granted, but: {task}",
        )
        if task["status"] not in RESTING and are_over and resumes == subject.resumes_begun:
            subject.pauses.append(task["sequence_number"])
    return reply


async def resume(world: World, subject: Subject) -> Reply | None:
    """Resume the task."""
    subject.resumes_begun += 1
    subject.pauses.clear()
    try:
        reply = await world.call("POST", f"{subject.path}/resume")
        return _noted(subject, reply, allowed=(_CONFLICT,))
    finally:
        subject.resumes_ended += 1


async def delete(world: World, subject: Subject) -> Reply | None:
    """Delete the task."""
    subject.is_deletion_asked = True
    subject.may_end.add("canceled")
    reply = await world.call("DELETE", subject.path)
    if reply is not None:
        require(reply.status in (_OK, _NOT_FOUND), f"{subject.key}: a delete is refused: {reply}")
        subject.is_deleted = True
    return reply


async def answer(
    world: World, subject: Subject, answers: Mapping[str, str], *, allowed: Collection[int] = ()
) -> Reply | None:
    """Answer calls of the task; `allowed` are statuses that this may meet beside success."""
    for call_id, text in answers.items():
        subject.answers.setdefault(call_id, set()).add(text)
    results = [
        {"type": "tool_result", "call_id": call_id, "message_content": text, "block_list": []}
        for call_id, text in answers.items()
    ]
    body = {"tool_results": results, "background": True}
    reply = await world.call("POST", f"{subject.path}/tool_results", body)
    if _noted(subject, reply, allowed=(_CONFLICT, *allowed)) and reply and reply.is_ok:
        for call_id, text in answers.items():
            was = subject.granted.setdefault(call_id, text)
            require(was == text, f"{subject.key}: {call_id} has two answers: {was!r}, {text!r}")
    return reply


async def answer_unknown(world: World, subject: Subject) -> None:
    """Answer a call that the task never made: refused, whatever the task does."""
    result = {
        "type": "tool_result",
        "call_id": "call_nobody_made",
        "message_content": "?",
        "block_list": [],
    }
    path = f"{subject.path}/tool_results"
    reply = await world.call("POST", path, {"tool_results": [result], "background": True})
    if reply is not None and not (reply.status == _NOT_FOUND and subject.is_deletion_asked):
        is_refused = reply.status in (_INVALID, _CONFLICT)
        require(is_refused, f"{subject.key}: an answer to no call: {reply}")


def pending(task: Mapping[str, Any]) -> list[str]:
    """Return the calls that a task waits for."""
    return list(task.get("input_required_call_ids") or ())


async def drive_to_end(world: World, subject: Subject) -> None:
    """Do what a patient client does until the task has ended."""
    while not subject.known.is_set():
        reply = await create(world, subject)
        if reply is not None and not reply.is_ok:
            return  # refused for good
    while not subject.is_deleted:
        if subject.is_deletion_asked:
            await delete(world, subject)
            continue
        reply = await retrieve(world, subject)
        if reply is None or not reply.is_ok or await _moved(world, subject, reply.task):
            continue
        return


async def _moved(world: World, subject: Subject, task: Mapping[str, Any]) -> bool:
    """Do the next thing; return False if there is none."""
    if task["status"] in FINAL:
        return False
    if task["status"] == "paused" or task.get("pause_requested"):
        await resume(world, subject)
    elif task["status"] == "input-required":
        answers = {call_id: f"{subject.key}/{call_id}" for call_id in pending(task)}
        for call_id, given in subject.answers.items():
            if call_id in answers and len(given) == 1:
                answers[call_id] = min(given)
        await answer(world, subject, answers)
    else:
        await world.wait_past(subject, task["sequence_number"])
    return True


async def drive_all(world: World) -> None:
    """Drive every task to its end, all at once; a task that gets stuck is a violation."""

    async def drive(subject: Subject) -> None:
        with anyio.move_on_after(END_S):
            await drive_to_end(world, subject)
            return
        stuck = await world.api.call("GET", subject.path) if subject.id else None
        require(condition=False, what=f"{subject.key} is stuck: {stuck}")

    async with anyio.create_task_group() as group:
        for subject in world.subjects:
            group.start_soon(drive, subject)


async def check_all(world: World, *, is_quiet: bool = True) -> None:
    """Check everything, once all tasks have ended: logs, ends, side effects.

    `is_quiet`: nothing happened that the server may log with a traceback.
    """
    tasks: dict[str, Mapping[str, Any]] = {}
    for subject in world.subjects:
        if not subject.known.is_set():
            continue
        if (task := await world.log_of(subject)) is not None:
            log = await read_log(world, subject, up_to=task["sequence_number"])
            require(log[-1].seq == task["sequence_number"], f"{subject.key} went on after its end")
            checker.check_end(subject, task)
            tasks[task["id"]] = task
    deleted = {subject.id for subject in world.subjects if subject.is_deletion_asked}
    checker.check_ledger(world.ledger, tasks, deleted)
    if is_quiet:
        world.check_words()
    world.check()


def _noted(subject: Subject, reply: Reply | None, *, allowed: Collection[int]) -> Reply | None:
    """Take note of an answer; a status that may not come is a violation."""
    if reply is None:
        return None
    if reply.status == _NOT_FOUND and subject.is_deletion_asked:
        return reply
    require(reply.status in (_OK, *allowed), f"{subject.key}: {reply}")
    require(not (reply.is_ok and subject.is_deleted), f"{subject.key} answers after its delete")
    _note(subject, reply)
    return reply


def _note(subject: Subject, reply: Reply) -> None:
    if reply.is_ok and not reply.is_past:
        subject.seen.add_task(reply.task)
