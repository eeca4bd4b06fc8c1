"""A create that goes on with a task instead of making one (contract, section 4, input-required).

Clients that know only the interface's four methods answer a task's calls by a create: in the
task's session, without a user message, with the results among the `thought_messages`. Such a
create may be sent again after its answers were taken, e.g. because its connection broke. It makes
no row of its own, so no key tells; the calls that it answers do.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple, cast

from agentlin_client.types.task_create_params import TaskCreateBody
from agentlin_server.api import answers
from agentlin_server.domain.errors import InvalidRequestError, TaskNotFoundError
from agentlin_server.domain.events import Json
from agentlin_server.domain.ids import Tenant
from agentlin_server.domain.ports import Store
from agentlin_server.domain.records import TaskFilter, TaskRow
from agentlin_server.engine.answers import ToolAnswer
from agentlin_server.engine.reader import TaskReader

_LOOKED_AT_MAX: Final = 10
"""How many of a session's newest tasks are looked at: more rarely came since the answer."""


class Continuation(NamedTuple):
    """Which task a create goes on with, and its answers."""

    task: TaskRow
    answers: Sequence[ToolAnswer]


async def find(
    wanted: TaskCreateBody,
    *,
    tenant: Tenant,
    session_id: str | None,
    store: Store,
    reader: TaskReader,
) -> Continuation | None:
    """Return the task that a create goes on with; None if it asks for a new one.

    That is the session's task that is input-required, if the create brings a result for one of
    its pending calls. Else the create may be one that was taken before: then it is the newest
    task that made the calls which it brings results for, if a client answered all of them there.
    Results for other calls are left aside: thoughts may tell what the agent knows already.

    Raises:
        InvalidRequestError: it brings results, but none that the session's task waits for.
    """
    given = _answers(wanted)
    if session_id is None or wanted["user_message_content"] or not given:
        return None
    waiting = await store.waiting_for_input(tenant, session_id)
    if waiting is not None:
        snapshot = await reader.snapshot(waiting)
        pending = set(cast("list[str]", snapshot["input_required_call_ids"]))
        if not pending.isdisjoint(given):
            return _with(waiting, given, pending | _answered(snapshot))
    newest = TaskFilter(tenant=tenant, session_id=session_id, limit=_LOOKED_AT_MAX)
    for task in await store.list(newest):
        with suppress(TaskNotFoundError):  # deleted meanwhile
            snapshot = await reader.snapshot(task)
            made = {item["call_id"] for item in snapshot["output"] if item["type"] == "tool_call"}
            if meant := made & given.keys():
                answered = _answered(snapshot)
                return _with(task, given, answered) if meant <= answered else None
    if waiting is not None:  # or a mistyped id would cancel the question that it answers
        msg = "holds no result of a call that the session's task waits for"
        raise InvalidRequestError.at("thought_messages", msg=msg)
    return None


def _with(task: TaskRow, given: Mapping[str, ToolAnswer], calls: set[str]) -> Continuation:
    return Continuation(task, [given[call_id] for call_id in given if call_id in calls])


def _answered(snapshot: Json) -> set[str]:
    """Return the calls of a task that a client answered."""
    return {
        item["call_id"]
        for item in snapshot["output"]
        if item["type"] == "tool_result" and item.get("answered_by") is not None
    }


def _answers(wanted: TaskCreateBody) -> dict[str, ToolAnswer]:
    """Return the results among the thoughts by call; the last one of a call counts."""
    found: dict[str, ToolAnswer] = {}
    for item in cast("Sequence[Mapping[str, Any]]", wanted.get("thought_messages") or ()):
        if item.get("type") == "tool_result":
            found[item["call_id"]] = answers.of_item(item)
        elif item.get("role") == "tool" and item.get("tool_call_id"):
            found[item["tool_call_id"]] = answers.of_chat(item)
    return found
