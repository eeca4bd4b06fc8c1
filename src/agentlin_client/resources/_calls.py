"""The calls of the tasks resource, as data: what `Tasks` and `AsyncTasks` have in common."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from agentlin_client._call import EVENT_STREAM, Call, CallOptions, build_call, task_path
from agentlin_client._sentinels import Omit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from os import PathLike

    from agentlin_client._config import HeaderValues
    from agentlin_client._files import FileInput
    from agentlin_client.types import (
        AgentConfig,
        ContentItem,
        ContentItemParam,
        HistoryItemParam,
        MessageContentParam,
        TaskCreateTool,
        TaskOutputItem,
        ToolAnswerParam,
        ToolResultItem,
        ToolResultItemParam,
    )

    # What a server sent may be sent back as it is: models do as well as dicts.
    Piece: TypeAlias = ContentItem | ContentItemParam | FileInput | str
    Message: TypeAlias = MessageContentParam | Piece | Sequence[Piece]
    Turn: TypeAlias = HistoryItemParam | TaskOutputItem
    ToolAnswer: TypeAlias = ToolAnswerParam | ToolResultItemParam | ToolResultItem
    OnBusy: TypeAlias = Literal["enqueue", "reject", "interrupt"]


class HelperOptions(CallOptions, total=False):
    """The optional parameters of `create`; `types.TaskCreateParams` says what each means.

    All but `structured_output`, which the helpers know more about. A parameter that is left
    out, or `omit`, is not sent.
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
    task_id: str | Omit | None
    thought_messages: Iterable[Turn] | Omit | None
    timeout_s: float | Omit | None
    user_id: str | Omit | None
    webhook_url: str | Omit | None
    workspace_dir: str | PathLike[str] | Omit | None


class CreateOptions(HelperOptions, total=False):
    """The optional parameters of `create`, all of them."""

    structured_output: object
    """A type, e.g. a pydantic model, or a JSON Schema."""


_SCHEMAS = (Omit, NoneType, Mapping)
_OPTION_NAMES = tuple(CallOptions.__annotations__)


def create_call(params: dict[str, Any], default_headers: HeaderValues) -> Call:
    """Return the call for the keyword arguments of `create`, CallOptions among them.

    It has an idempotency key and a task id, the same on each attempt: there will be one task.

    Args:
        params: The keyword arguments; changed.
        default_headers: Those of the client.
    """
    options = {name: params.pop(name) for name in _OPTION_NAMES}
    if not isinstance(output := params["structured_output"], _SCHEMAS):
        from agentlin_client.lib.structured import OutputType

        params["structured_output"] = OutputType[Any].of(output).schema
    if not params["task_id"] and not _has_own_id(options["extra_headers"], default_headers):
        params["task_id"] = _new_task_id()
    return build_call(
        "POST",
        "/tasks",
        body=params,
        accept=EVENT_STREAM if params["stream"] else "application/json",
        idempotency_key=f"agentlin-{os.urandom(16).hex()}",
        note=_note(params["task_id"]),
        **options,
    )


def _note(task_id: object) -> str:
    named = f"task {task_id}" if isinstance(task_id, str) else "the task"
    return f"{named} may have been created, and go on: see tasks.retrieve"


def with_task_id(params: HelperOptions, default_headers: HeaderValues) -> HelperOptions:
    """Return the parameters with the id that the task will have as their `task_id`.

    It is the caller's, in whatever way that was given, else a new one; none with an idempotency
    key of the caller's own.

    Args:
        params: As the caller gave them.
        default_headers: Those of the client.
    """
    in_body = (params.get("extra_body") or {}).get("task_id")
    layers = (default_headers, params.get("extra_headers"))
    task_id = in_body or params.get("task_id") or _header("x-task-id", *layers)
    if not task_id and _has_own_id(*layers):
        return params
    return {**params, "task_id": task_id if isinstance(task_id, str) else _new_task_id()}


def _header(name: str, *layers: HeaderValues | None) -> object:
    """Return the value that a header has in the last layer that has it, None if none has it."""
    found = [v for headers in layers for n, v in (headers or {}).items() if n.lower() == name]
    return found[-1] if found and isinstance(found[-1], str) else None


def _new_task_id() -> str:
    # Ours, not the server's: who never got an answer can still ask for the task.
    return f"task_{os.urandom(16).hex()}"


def _has_own_id(*layers: HeaderValues | None) -> bool:
    # With a key of the caller's own the body must be the same each time, so ours adds nothing.
    return any(
        name.lower() in {"x-task-id", "idempotency-key"} and not isinstance(value, Omit)
        for headers in layers
        if headers
        for name, value in headers.items()
    )


def task_call(method: str, task_id: str, *rest: str, **options: Any) -> Call:
    """Return a call about one task; `options` are CallOptions."""
    return build_call(method, task_path(task_id, *rest), **options)


def list_call(filters: Mapping[str, object], **options: Any) -> Call:
    """Return the call for a page of tasks; `options` are CallOptions."""
    return build_call("GET", "/tasks", query=filters, **options)


def tool_results_call(task_id: str, body: Mapping[str, object], **options: Any) -> Call:
    """Return the call that answers a task's calls; `options` are CallOptions.

    What every answer must have and few care for is filled in: `type`, and an empty `block_list`.
    """
    answers = cast("list[object]", body["tool_results"])
    return build_call(
        "POST",
        task_path(task_id, "tool_results"),
        body={**body, "tool_results": [_whole_answer(answer) for answer in answers]},
        accept=EVENT_STREAM if body["stream"] else "application/json",
        **options,
    )


def _whole_answer(answer: object) -> object:
    if isinstance(answer, Mapping):  # a model has all its fields
        return {"type": "tool_result", "block_list": [], **cast("Mapping[str, object]", answer)}
    return answer


def events_call(
    task_id: str, starting_after: int | str | Omit | None, until: str | Omit, **options: Any
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


def number_of(starting_after: int | str | Omit | None) -> int | None:
    """Return the sequence number in a place of a stream, None if it says none.

    >>> number_of("54-1"), number_of(54)
    (54, 54)
    """
    if isinstance(starting_after, int):
        return starting_after
    number = starting_after.partition("-")[0] if isinstance(starting_after, str) else ""
    return int(number) if number.isascii() and number.isdigit() else None
