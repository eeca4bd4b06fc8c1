"""A task, as `result` of every answer and as snapshot in events. Source: contract, section 1."""

from typing import Any, Literal, cast

from agentlin_client._models import BaseModel

from ._answer import answer_items, text_of
from .content import MessageContent
from .items import TaskOutputItem, ToolCallItem
from .jsonrpc_error import JsonrpcError
from .status import TaskStatus


class TaskObject(BaseModel):
    """A task and all that it has put out so far: the fold of its events."""

    id: str
    """The task's id, `task_...`."""

    object: Literal["task"]
    """Always `task`."""

    created_at: int
    """When the task was created, Unix seconds."""

    status: TaskStatus
    """Where in its life the task is; completed, canceled, expired and failed are final."""

    session_id: str
    """Session whose turns are the task's context."""

    user_id: str
    """User that the task works for."""

    output: list[TaskOutputItem]
    """Items in the order in which they began; open ones with their text so far."""

    error: JsonrpcError | None = None
    """Why the task failed or expired."""

    input_required: ToolCallItem | None = None
    """The first call that the client must answer, while the status is input-required."""

    metadata: dict[str, Any] | None = None
    """The `metadata` of create, and e.g. `parent_task_id`."""

    previous_task_id: str | None = None
    """The last task of the session that this one's context contains."""

    rollouts: list[dict[str, Any]] | None = None
    """The model calls in full (section 6), if `return_rollout` was asked for."""

    usage: dict[str, Any] | None = None
    """Sum over the task's model calls so far: {input_tokens, input_tokens_details{cached_tokens},
    output_tokens, output_tokens_details{reasoning_tokens}, total_tokens, model_calls, tool_calls,
    estimated}; None before the first call has ended. Children's calls are not in it."""

    user_message_content: MessageContent | None = None
    """Extension: the user message that the task answers."""

    input_required_call_ids: list[str] | None = None
    """Extension: ids of all calls that the client must answer."""

    pause_requested: bool | None = None
    """Extension: True while a pause is asked for and has not taken effect."""

    sequence_number: int | None = None
    """Extension: number of the last event folded in; stream on with `starting_after`."""

    @property
    def final_text(self) -> str:
        """The task's answer as text; empty if there is none, or not yet.

        What the assistant says after the last tool result, without items that are incomplete,
        still grow, or were superseded. Neither a refusal nor reasoning is an answer. It is made
        from `output`, so it is no field: `to_dict` and `to_json` leave it out.
        """
        # Lenient decoding lets anything stand there, and nothing.
        output: object = getattr(self, "output", None)
        if not isinstance(output, list):
            return ""
        return text_of(answer_items(cast("list[TaskOutputItem]", output)))
