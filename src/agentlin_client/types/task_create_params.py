"""What `create` takes. Source: contract, sections 1 (create() params), 2 and 5.

The server validates bodies with these very types. Unknown keys are kept, everywhere: what
becomes of them is the server's decision.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NotRequired, Required, TypeAlias

from pydantic import Field, with_config
from typing_extensions import TypedDict

from .content_params import MessageContentParam
from .item_params import HistoryItemParam, ToolResultItemParam

__all__ = [
    "AgentConfig",
    "FunctionDefinitionParam",
    "FunctionToolParam",
    "TaskCreateBody",
    "TaskCreateParams",
    "TaskCreateParamsNonStreaming",
    "TaskCreateParamsStreaming",
    "TaskCreateTool",
    "ToolResultsParams",
]


@with_config(extra="allow")
class FunctionDefinitionParam(TypedDict):
    """A function that a model may call."""

    name: str
    """The function's name."""

    parameters: Mapping[str, Any]
    """JSON Schema of the arguments."""

    description: NotRequired[str | None]
    """What the function does and when to call it, for the model."""

    strict: NotRequired[bool | None]
    """True if the arguments must fit the schema exactly."""


@with_config(extra="allow")
class FunctionToolParam(TypedDict):
    """A tool that is a function."""

    type: Literal["function"]
    """Always `function`."""

    function: FunctionDefinitionParam
    """The function."""


TaskCreateTool: TypeAlias = FunctionToolParam
"""A tool; functions are the only kind."""


@with_config(extra="allow")
class AgentConfig(TypedDict, total=False):
    """An agent: its prompt, its model, its tools. Only `model` is required."""

    model: Required[str]
    """The model, `provider/model`; which provider a bare name means is the server's setting."""

    agent_id: str | None
    """The agent's id."""

    name: str | None
    """The agent's name."""

    description: str | None
    """What the agent is for."""

    developer_prompt: str | None
    """The prompt that comes before everything; {{NAME}} is replaced from `env`."""

    code_for_agent: str | None
    """Replaces {{code_for_agent}} in the prompt."""

    code_for_interpreter: str | None
    """Run in the code interpreter before its first call."""

    max_model_length: Annotated[int, Field(ge=1)] | None
    """Longest context that the model takes, in tokens."""

    max_response_length: Annotated[int, Field(ge=1)] | None
    """Longest answer of one model call, in tokens."""

    allowed_tools: Sequence[str] | None
    """Names of the tools that the agent may use; ["*"] means all, [] none."""

    builtin_subagents: Sequence[Any] | None
    """Sub-agents that the agent may run as child tasks."""

    builtin_tools: Sequence[Any] | None
    """Built-in tools that the agent has."""

    builtin_skills: Sequence[Any] | None
    """Skills that the agent has. (A decision of the contract.)"""

    code_interpreter_config: Mapping[str, Any] | None
    """How the code interpreter is set up."""

    compress_model: str | None
    """The model that writes summaries; the agent's own by default."""

    compress_prompt: str | None
    """The prompt for writing summaries."""

    compress_threshold_token_ratio: Annotated[float, Field(ge=0, le=1)] | None
    """Fraction of `max_model_length`, 0 to 1, from which the context is compressed; 0.9 by
    default."""

    env: Mapping[str, str] | None
    """Values for {{NAME}} in prompts and code, and environment of the code interpreter. (A
    decision of the contract.)"""

    inference_args: Mapping[str, Any] | None
    """Arguments of the model: temperature and so on."""

    tool_mcp_config: Mapping[str, Any] | None
    """MCP servers: {"mcpServers": {name: {url | command, ...}}}."""


@with_config(extra="allow")
class _TaskCreateParams(TypedDict, total=False):
    """Everything that `create` takes but `stream`."""

    user_message_content: Required[MessageContentParam]
    """What the user says; empty to answer the calls of a task that waits for them."""

    agent_config: AgentConfig | None
    """The agent; by default the one named by `client_id`, else the server's default agent."""

    allowed_subagents: Sequence[str] | None
    """Sub-agents that may be run; None = the agent's, [] = none, ["*"] = all."""

    allowed_tools: Sequence[str] | None
    """Tools that may be used; None = the agent's, [] = none, ["*"] = all."""

    client_id: str | None
    """The client program, and the agent that serves it."""

    client_tools: Sequence[TaskCreateTool] | None
    """Tools that the client runs itself: the task asks for their results (input-required)."""

    disallowed_tools: Sequence[str] | None
    """Tools that must not be used; wins over everything."""

    env: Mapping[str, str] | None
    """Values for {{NAME}} in prompts and code, and environment of the code interpreter."""

    history_messages: Sequence[HistoryItemParam] | None
    """Turns before the user message: items, or OpenAI chat messages; deduplicated by id."""

    include_compress_model_rollout: bool | None
    """Whether rollouts of compression calls are wanted too."""

    include_subagent_rollout: bool | None
    """Whether rollouts of sub-agents are wanted too."""

    inference_args: Mapping[str, Any] | None
    """Arguments of the model, merged over the agent's; credentials are refused."""

    log_dir: str | None
    """Folder, below a root of the operator's, that gets `<task_id>.events.jsonl` at the end."""

    request_id: str | None
    """Id of this request; comes back as the envelope's `id`."""

    return_rollout: bool | None
    """Whether every model call is put on the stream and in `rollouts`."""

    rollout_save_dir: str | None
    """Folder, below a root of the operator's, in which rollouts are appended to
    `<session_id>.rollout.jsonl`."""

    session_id: str | None
    """Session that the task belongs to; a new one by default."""

    stop_tools: Sequence[str] | None
    """Tools whose call ends the task as completed."""

    structured_output: Mapping[str, Any] | None
    """JSON Schema that the final message must be valid against."""

    task_id: str | None
    """Id for the task; made by the server by default. The same id again is the same task."""

    thought_messages: Sequence[HistoryItemParam] | None
    """Turns after the user message, with which the agent goes on; also results of calls."""

    user_id: str | None
    """User that the task works for; the session's by default."""

    workspace_dir: str | None
    """Folder, below a root of the operator's, that the agent's file tools see."""

    background: bool | None
    """Extension: answer at once, the task runs on; `stream` wins over it."""

    metadata: Mapping[str, Any] | None
    """Extension: shown on the task as it is."""

    timeout_s: Annotated[float, Field(gt=0)] | None
    """Extension: wall time in seconds, without paused and input-required time, after which the
    task expires."""

    on_busy: Literal["enqueue", "reject", "interrupt"] | None
    """Extension: what to do if the session has a task that is not final: wait for it, refuse (409)
    or cancel it. By default a new task waits, but a question that nobody answered is canceled."""

    require_approval: Any
    """Extension: calls that a person must approve."""

    webhook_url: str | None
    """Extension: where to report what becomes of the task."""


class TaskCreateParamsNonStreaming(_TaskCreateParams):
    """`create` that waits for the task to end or rest."""

    stream: Literal[False]
    """Answer with the task."""


class TaskCreateParamsStreaming(_TaskCreateParams):
    """`create` that gives the events as they come."""

    stream: Literal[True]
    """Answer with server-sent events."""


class TaskCreateParams(_TaskCreateParams):
    """`create`."""

    stream: bool
    """True: answer with server-sent events. False: wait, then answer with the task."""


class TaskCreateBody(_TaskCreateParams):
    """`create` as a server takes it: a body without `stream` means False."""

    stream: NotRequired[bool | None]
    """True: answer with server-sent events."""


class ToolResultsParams(TypedDict):
    """Body of `POST /tasks/{task_id}/tool_results`. Source: contract, section 4, input-required."""

    tool_results: Sequence[ToolResultItemParam]
    """Answers to calls that the task waits for: one or more, each call once."""

    stream: NotRequired[bool | None]
    """True: answer with the new events."""

    background: NotRequired[bool | None]
    """True: answer at once; `stream` wins over it."""

    request_id: NotRequired[str | None]
    """Id of this request; comes back as the envelope's `id`."""
