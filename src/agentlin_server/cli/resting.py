"""What a task at rest waits for, and the commands that let it go on."""

import shlex
from typing import TYPE_CHECKING

from agentlin_server.cli.terminal import say

if TYPE_CHECKING:
    from agentlin_client.types import TaskObject, ToolCallItem


def address_options(*, server: str | None, db: str | None) -> str:
    """Return the options that lead a further command to the same server, with a space before.

    >>> address_options(server=None, db="my tasks.db")
    " --db 'my tasks.db'"
    >>> address_options(server=None, db=None)
    ''
    """
    given = (("--server", server), ("--db", db))
    return "".join(f" {name} {shlex.quote(value)}" for name, value in given if value)


def pending_calls(task: "TaskObject") -> "list[ToolCallItem]":
    """Return the calls that the client must answer; none unless the task is input-required."""
    from agentlin_client.types import ToolCallItem

    pending = task.input_required_call_ids or ()
    calls = [item for item in task.output if isinstance(item, ToolCallItem)]
    return [call for call in calls if call.call_id in pending]


def in_words(call: "ToolCallItem") -> str:
    """Return a call on one line."""
    return f"{call.call_id}  {call.name} {' '.join(call.arguments.split())}"


def explain(task: "TaskObject", *, options: str) -> None:
    """Write what a task at rest waits for, and how to give it, to standard error.

    Args:
        task: The task; nothing is written if it does not rest.
        options: See `address_options`.
    """
    if task.status == "paused":
        say("the task is paused; let it go on with:")
        say(f"  agentlin tasks resume {task.id}{options}")
    elif calls := pending_calls(task):
        say("the task waits for an answer to each of these calls:")
        for call in calls:
            say(f"  {in_words(call)}")
        say("answer with:")
        for call in calls:
            call_id = shlex.quote(call.call_id)
            say(f"  agentlin tasks answer {task.id} --call {call_id} --text '...'{options}")
