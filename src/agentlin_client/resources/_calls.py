"""The calls of the tasks resource, as data: what `Tasks` and `AsyncTasks` have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict
from uuid import uuid4

from agentlin_client._request import Call, task_path
from agentlin_client._sentinels import NotGiven, Omit, not_given

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from os import PathLike

    from agentlin_client._config import HeaderValues, TimeoutTypes
    from agentlin_client.types import (
        AgentConfig,
        ContentItem,
        HistoryItemParam,
        MessageContentParam,
        TaskCreateTool,
        TaskOutputItem,
    )

    # What a server sent may be sent back as it is: models do as well as dicts.
    Message: TypeAlias = MessageContentParam | Sequence[ContentItem | str]
    Turn: TypeAlias = HistoryItemParam | TaskOutputItem
    OnBusy: TypeAlias = Literal["enqueue", "reject", "interrupt"]

EVENT_STREAM = "text/event-stream"


class CallOptions(TypedDict, total=False):
    """What every method takes besides its own parameters; it wins over what the client sends."""

    extra_headers: HeaderValues | None
    """More headers; `omit` as a value leaves one out."""

    extra_query: Mapping[str, object] | None
    """More query parameters."""

    extra_body: Mapping[str, object] | None
    """More fields of the JSON body."""

    timeout: TimeoutTypes | NotGiven
    """Seconds, for each phase of the call, or an `httpx.Timeout`; None waits for ever."""


class CreateOptions(CallOptions, total=False):
    """The optional parameters of `create`; `types.TaskCreateParams` says what each means.

    A parameter that is left out, or `omit`, is not sent.
    """

    agent_config: AgentConfig | Omit | None
    allowed_subagents: Sequence[str] | Omit | None
    allowed_tools: Sequence[str] | Omit | None
    background: bool | Omit | None
    client_id: str | Omit | None
    client_tools: Iterable[TaskCreateTool] | Omit | None
    disallowed_tools: Sequence[str] | Omit | None
    env: Mapping[str, str] | Omit | None
    history_messages: Iterable[Turn] | Omit | None
    include_compress_model_rollout: bool | Omit | None
    include_subagent_rollout: bool | Omit | None
    inference_args: Mapping[str, Any] | Omit | None
    log_dir: str | PathLike[str] | Omit | None
    metadata: Mapping[str, Any] | Omit | None
    on_busy: OnBusy | Omit | None
    request_id: str | Omit | None
    require_approval: object
    return_rollout: bool | Omit | None
    rollout_save_dir: str | PathLike[str] | Omit | None
    session_id: str | Omit | None
    stop_tools: Sequence[str] | Omit | None
    structured_output: Mapping[str, Any] | Omit | None
    task_id: str | Omit | None
    thought_messages: Iterable[Turn] | Omit | None
    timeout_s: float | Omit | None
    user_id: str | Omit | None
    webhook_url: str | Omit | None
    workspace_dir: str | PathLike[str] | Omit | None


def create_call(params: dict[str, Any]) -> Call:
    """Return the call for the keyword arguments of `create`, CallOptions among them."""
    options = {name: params.pop(name) for name in CallOptions.__annotations__}
    return build_call(
        "POST",
        "/tasks",
        body=params,
        accept=EVENT_STREAM if params["stream"] else "application/json",
        idempotency_key=f"agentlin-{uuid4().hex}",
        **options,
    )


def task_call(method: str, task_id: str, *rest: str, **options: Any) -> Call:
    """Return a call about one task; `options` are CallOptions."""
    return build_call(method, task_path(task_id, *rest), **options)


def list_call(filters: Mapping[str, object], **options: Any) -> Call:
    """Return the call for a page of tasks; `options` are CallOptions."""
    return build_call("GET", "/tasks", query=filters, **options)


def tool_results_call(task_id: str, body: Mapping[str, object], **options: Any) -> Call:
    """Return the call that answers a task's calls; `options` are CallOptions."""
    return build_call(
        "POST",
        task_path(task_id, "tool_results"),
        body=body,
        accept=EVENT_STREAM if body["stream"] else "application/json",
        **options,
    )


def events_call(
    task_id: str, starting_after: int | str | Omit, until: str | Omit, **options: Any
) -> Call:
    """Return the call for the events of a task; `options` are CallOptions."""
    # An id of a stream says more than the number in it: the server checks its generation.
    by_id = isinstance(starting_after, str)
    return build_call(
        "GET",
        task_path(task_id, "events"),
        query={"until": until} if by_id else {"until": until, "starting_after": starting_after},
        headers={"Last-Event-ID": starting_after} if by_id else {},
        accept=EVENT_STREAM,
        **options,
    )


def build_call(
    method: str,
    path: str,
    *,
    query: Mapping[str, object] | None = None,
    body: Mapping[str, object] | None = None,
    headers: HeaderValues | None = None,
    accept: str = "application/json",
    idempotency_key: str | None = None,
    extra_headers: HeaderValues | None = None,
    extra_query: Mapping[str, object] | None = None,
    extra_body: Mapping[str, object] | None = None,
    timeout: TimeoutTypes | NotGiven = not_given,
) -> Call:
    """Return a call with the caller's extras merged in; they win."""
    if extra_body is not None:
        body = {**(body or {}), **extra_body}
    return Call(
        method=method,
        path=path,
        query={**(query or {}), **(extra_query or {})},
        body=body,
        headers={**(headers or {}), **(extra_headers or {})},
        timeout=timeout,
        accept=accept,
        idempotency_key=idempotency_key,
    )
