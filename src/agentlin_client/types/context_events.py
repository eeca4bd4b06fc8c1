"""Events about what a model was shown: compressions of the context, and rollouts.

Source: contract, sections 1, 5 (compress_*) and 6.
"""

from typing import Any, Literal

from ._event_base import TaskEvent


class TaskContextCompressionCreatedEvent(TaskEvent):
    """The context has become too long: older turns are to be replaced by a summary."""

    type: Literal["task.context_compression.created"]
    """Always `task.context_compression.created`."""


class TaskContextCompressionInProgressEvent(TaskEvent):
    """The summary is being written."""

    type: Literal["task.context_compression.in_progress"]
    """Always `task.context_compression.in_progress`."""


class TaskContextCompressionCompletedEvent(TaskEvent):
    """The older turns are replaced by the summary."""

    type: Literal["task.context_compression.completed"]
    """Always `task.context_compression.completed`."""

    summary: str | None = None
    """Extension: the summary."""

    replaced_item_ids: list[str] | None = None
    """Extension: ids of the items that the summary stands for; they stay in `output`."""

    usage: dict[str, Any] | None = None
    """Extension: what writing the summary cost, in tokens."""


class TaskRolloutEvent(TaskEvent):
    """One model call in full, for training; only if `return_rollout` was asked for.

    Secrets are redacted. Messages are in the OpenAI chat-completions form.
    """

    type: Literal["task.rollout"]
    """Always `task.rollout`."""

    session_id: str
    """Session of the task."""

    rollout_id: str
    """Id of the rollout."""

    input_messages: list[dict[str, Any]]
    """What the model was shown, oldest first."""

    output_messages: list[dict[str, Any]]
    """What the model answered."""

    is_answer: bool
    """True if the model called no tool."""

    turn: int
    """Round of the conversation, from 0."""

    step: int
    """Model call of the task, from 1: the `agent_step` of its items."""

    trace_id: str | None = None
    """Id of the trace that the call belongs to."""

    request_id: str | None = None
    """Id of the request that created the task."""

    inference_args: dict[str, Any] | None = None
    """Inference arguments of the call: temperature and so on."""

    tools: list[dict[str, Any]] | None = None
    """Function tools that the model was offered."""

    request: Any = None
    """The request as it was sent to the provider, redacted."""

    model: str | None = None
    """Name of the model."""

    usage: dict[str, Any] | None = None
    """What the call cost, in tokens."""

    finish_reason: str | None = None
    """Why the model stopped, in the provider's word."""

    latency_ms: float | None = None
    """How long the call took, in milliseconds."""

    logprobs: list[Any] | None = None
    """Log probabilities of the answer's tokens, where the provider gives them."""

    prompt_token_ids: list[int] | None = None
    """Token ids of the prompt, where the provider gives them."""

    token_ids: list[int] | None = None
    """Token ids of the answer, where the provider gives them."""

    child_task_id: str | None = None
    """Extension: the sub-agent's task that made the call, if it is not this task."""
