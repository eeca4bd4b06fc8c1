"""The invariants: what must be true of every task at every moment, whatever went wrong.

`check_log` compares a task's log with all that clients ever saw; `check_end` looks at a task
that has ended; `check_ledger` counts side effects. Each raises ViolationError. What the order
validator holds (numbers without gaps, the table of statuses, deltas that add up, one final
event, the last) is held by the reading of the log already: see `CheckedStream`.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from agentlin_client.types.fold import TaskFold
from agentlin_server.agent.toolresult import outcome_unknown
from agentlin_server.domain.tool import idempotency_key
from agentlin_server.models.scripted import PROVIDER
from agentlin_server.tools.ledger import Entry, Ledger
from tests.api.frames import Frame
from tests.faults.client import require
from tests.faults.screenplay import heard_in
from tests.faults.subject import Subject

UNSAFE: Final = "ledger_record"
IDEMPOTENT: Final = "ledger_save"
READ: Final = "ledger_read"

DEATHS_MAX: Final = 3
"""After as many processes that died while they worked on it a task may be failed."""
_NOT_IN_EVENTS: Final = ("pause_requested",)
"""What a row says and no event does."""


def check_log(subject: Subject, log: Sequence[Frame]) -> None:
    """Compare a log with what clients saw: events byte for byte, TaskObjects with the fold.

    Args:
        subject: The task.
        log: Its events from the first on; it may go on after them.
    """
    seen, last = subject.seen, log[-1].seq
    fold = TaskFold()
    wanted = dict(seen.tasks)
    for frame in log:
        fold.apply(frame.event)
        for task in wanted.pop(frame.seq, ()):
            _compare(subject, fold.snapshot(), task)
    require(
        not fold.is_final or not wanted,
        f"{subject.key}: clients saw the task at {sorted(wanted)}, its log ends at {last}",
    )
    by_id = {frame.id: frame for frame in log}
    # What the log lacks after a power cut was beyond its end: later events have other ids.
    seen.lost |= seen.at_risk - by_id.keys()
    seen.at_risk = set()
    for was in seen.frames.values():
        if was.id in seen.lost or (was.seq > last and not fold.is_final):
            continue
        now = by_id.get(was.id)
        require(now is not None, f"{subject.key}: {was.id} was seen, and is gone: {was.raw!r}")
        require(
            now is None or now.raw == was.raw,
            f"{subject.key}: {was.id} was another event: {was.raw!r}, {now and now.raw!r}",
        )
    back = seen.lost & by_id.keys()
    require(not back, f"{subject.key}: events that were lost are there again: {back}")
    _check_pauses(subject, log)


def check_end(subject: Subject, task: Mapping[str, Any]) -> None:
    """Look at a task that has ended: as it may, with the right text and the answers given."""
    status = task["status"]
    require(
        status in ({subject.must_end} if subject.must_end else subject.may_end),
        f"{subject.key} ended as {status} ({task.get('error')}), not as "
        f"{subject.must_end or sorted(subject.may_end)}",
    )
    if status == "failed":
        _check_failure(subject, task["error"])
    require(subject.seen.final in (None, status), f"{subject.key}: {subject.seen.final} was seen")
    results = {item["call_id"]: item for item in _results(task)}
    for call_id, answer in subject.granted.items():
        said = _text(results[call_id]["message_content"]) if call_id in results else None
        require(said == answer, f"{subject.key}: the answer {answer!r} to {call_id} became {said}")
    for call_id, item in results.items():
        if item.get("answered_by") is not None:
            said = _text(item["message_content"])
            require(said in subject.answers.get(call_id, ()), f"{subject.key}: who said {said}?")
    if status == "completed":
        _check_texts(subject, task, results)


def _check_failure(subject: Subject, error: Mapping[str, Any]) -> None:
    """A task fails because its model does, or after the third process that died under it."""
    data = error.get("data") or {}
    model_breaks = any(step.breaks for step in subject.plan.steps)
    require(
        (data.get("reason") == "crashed_repeatedly" and subject.deaths >= DEATHS_MAX)
        or (data.get("provider") == PROVIDER and model_breaks),
        f"{subject.key} failed for no good reason, after {subject.deaths} deaths: {error}",
    )


def check_ledger(
    folder: Path, tasks: Mapping[str, Mapping[str, Any]], deleted: Collection[str]
) -> None:
    """Count side effects: unsafe ones at most once, others at least once if they have a result.

    Args:
        folder: Where the ledger is.
        tasks: The TaskObjects of all tasks that exist, by id.
        deleted: The ids of those that may be gone.
    """
    entries = {entry.idempotency_key: entry for entry in Ledger(folder).entries()}
    require(
        len(entries) == len(Ledger(folder).entries()), "two tools wrote under one idempotency key"
    )
    for entry in entries.values():
        is_once = entry.tool != UNSAFE or (entry.begun <= 1 and entry.ended <= 1)
        require(is_once, f"an unsafe tool ran twice: {entry}")
        task_id, _, call_id = entry.idempotency_key.partition(":")
        require(task_id in tasks or task_id in deleted, f"a tool ran for no task: {entry}")
        if task_id in tasks:
            begun = {i["call_id"] for i in tasks[task_id]["output"] if i["type"] == "tool_result"}
            require(call_id in begun, f"a tool ran before its result was begun: {entry}")
    for task in tasks.values():
        for call, result in _executed(task):
            entry = entries.get(idempotency_key(task["id"], call["call_id"]))
            _check_execution(call, result, entry)


def _check_execution(
    call: Mapping[str, Any], result: Mapping[str, Any], entry: Entry | None
) -> None:
    if _text(result["message_content"]) == outcome_unknown(call["name"]):
        require(call["name"] == UNSAFE, f"the outcome of a repeatable call is unknown: {call}")
        return
    require(
        entry is not None and entry.tool == call["name"] and entry.ended >= 1,
        f"a call has a result and no side effect: {call} {result} {entry}",
    )


def _executed(task: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Yield the ledger's writing calls that have a result, and the result."""
    calls = {item["call_id"]: item for item in task["output"] if item["type"] == "tool_call"}
    for result in _results(task):
        call = calls[result["call_id"]]
        if call["name"] in (UNSAFE, IDEMPOTENT):
            yield call, result


def _results(task: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the results that count."""
    for item in task["output"]:
        if item["type"] == "tool_result" and item["status"] == "completed":
            yield item


def _compare(subject: Subject, folded: dict[str, Any], task: dict[str, Any]) -> None:
    differing = {
        name: (folded.get(name), task.get(name))
        for name in folded.keys() | task.keys()
        if folded.get(name) != task.get(name) and name not in _NOT_IN_EVENTS
    }
    require(not differing, f"{subject.key}: (fold of the log, task as seen) differ: {differing}")


def _check_pauses(subject: Subject, log: Sequence[Frame]) -> None:
    """After a pause was granted at most the model call begins that was about to."""
    for granted_at in subject.pauses:
        begun: set[int] = set()
        known = {f.event["agent_step"] for f in log if f.seq <= granted_at and _begins_call(f)}
        for frame in log[granted_at + 1 :]:
            if frame.type in ("task.paused", "task.input_required"):
                break
            if _begins_call(frame):
                begun.add(frame.event["agent_step"])
        new = begun - known
        require(len(new) <= 1, f"{subject.key}: paused at {granted_at}, it began calls {new}")


def _begins_call(frame: Frame) -> bool:
    if frame.type != "task.output_item.added":
        return False
    return frame.event["item"]["type"] != "tool_result"


def _check_texts(
    subject: Subject, task: Mapping[str, Any], results: Mapping[str, Mapping[str, Any]]
) -> None:
    """Each step says what the plan has, after it heard what the results say."""
    said = [
        _text(item["message_content"])
        for item in task["output"]
        if item["type"] == "message" and item["status"] == "completed"
    ]
    steps = subject.plan.steps
    spoken = [n for n, step in enumerate(steps) if step.words or (n and steps[n - 1].calls)]
    require(len(said) == len(spoken), f"{subject.key}: {len(said)} messages: {said}")
    heard: Counter[str] = Counter()
    for number, text in zip(spoken, said, strict=True):
        plain = subject.plan.text(number)
        require(text.startswith(plain), f"{subject.key}: {text!r} is not {plain!r}")
        for call_id, content in heard_in(text):
            heard[call_id] += 1
            was = _text(results[call_id]["message_content"]) if call_id in results else None
            require(content == was, f"{subject.key}: the model was told {content!r}, not {was!r}")
    require(set(heard) == set(results), f"{subject.key}: the model heard {heard}, not {results}")


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(part if isinstance(part, str) else part.get("text", "") for part in content)
