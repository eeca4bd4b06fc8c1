"""The resolved agent, frozen with the task at create: recovery never reads settings again."""

import re
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final

import msgspec

from agentlin_client.types import AgentConfig
from agentlin_server.domain.errors import InvalidRequestError, UnsupportedParamError
from agentlin_server.domain.events import Json
from agentlin_server.domain.tool import Effect, Tool

STEP_MAX_DEFAULT: Final = 50
_HASH_BYTES: Final = 16
_RATIO_DEFAULT: Final = 0.9
_TOOL_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What providers take as a function's name."""

_FORBIDDEN_INFERENCE_ARGS: Final = re.compile(
    r"api_key|base_url|openai_.*|extra_headers|extra_query|extra_body|messages|tools|stream|stream_options|n|model",
    re.IGNORECASE,
)
_NOT_BUILT: Final = (
    "allowed_tools",
    "builtin_skills",
    "builtin_subagents",
    "builtin_tools",
    "code_for_interpreter",
    "code_interpreter_config",
    "compress_model",
    "compress_prompt",
    "env",
    "tool_mcp_config",
)


class ToolSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One tool that the model is offered.

    Attributes:
        parameters: JSON Schema of its arguments.
        effect: What running it does; None for a client tool, which never runs here.
    """

    name: str
    parameters: dict[str, Any]
    description: str = ""
    strict: bool | None = None
    effect: Effect | None = None

    @property
    def definition(self) -> Json:
        """The function tool, as the model and `task.tools_updated` have it."""
        function: Json = {"name": self.name, "parameters": self.parameters}
        if self.description:
            function["description"] = self.description
        if self.strict is not None:
            function["strict"] = self.strict
        return {"type": "function", "function": function}


class AgentSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One agent, resolved.

    Attributes:
        model: `provider/model`, or a bare name of the default provider.
        developer_prompt: The instructions; "" for none.
        context_tokens_max: The model's context window, 0 if unknown; recorded for compression,
            which is not built yet.
        output_tokens_max: Most tokens of one answer, 0 to leave it to the provider.
        sampling: Inference arguments for every call.
        step_max: Most model calls of one task.
        tools: What the model is offered, the server's own tools before the client's.
    """

    model: str
    agent_id: str = ""
    name: str = ""
    description: str = ""
    developer_prompt: str = ""
    context_tokens_max: int = 0
    output_tokens_max: int = 0
    sampling: dict[str, Any] = msgspec.field(default_factory=dict[str, Any])
    step_max: int = STEP_MAX_DEFAULT
    tools: tuple[ToolSpec, ...] = ()

    @property
    def tool_definitions(self) -> list[Json]:
        """The tools in the contract's form."""
        return [tool.definition for tool in self.tools]

    def tool(self, name: str) -> ToolSpec | None:
        """Return the tool of that name."""
        return next((tool for tool in self.tools if tool.name == name), None)

    def is_client_tool(self, name: str) -> bool:
        """True if the client runs the tool of that name."""
        tool = self.tool(name)
        return tool is not None and tool.effect is None


def hash_of(spec: bytes) -> str:
    """Return the content address of a spec's JSON."""
    return blake2b(spec, digest_size=_HASH_BYTES).hexdigest()


def tool_spec(tool: Tool) -> ToolSpec:
    """Return how the model is told of one of the server's tools."""
    return ToolSpec(
        name=tool.name,
        description=tool.description,
        parameters=dict(tool.parameters),
        effect=tool.effect,
    )


def resolve(
    config: AgentConfig | None,
    *,
    inference_args: Mapping[str, Any] | None,
    client_tools: Sequence[Mapping[str, Any]] | None = None,
    default: AgentSpec,
) -> AgentSpec:
    """Return the agent that a request asks for.

    Args:
        config: The request's `agent_config`; without it the operator's default agent runs.
        inference_args: The request's own, merged over the agent's.
        client_tools: Function tools that the client runs itself.
        default: The operator's default agent; its tools are every agent's.

    Raises:
        InvalidRequestError: an inference argument is not one that a request may set, or two
            tools have the same name.
        UnsupportedParamError: the config needs something that is not built yet.
    """
    spec = default if config is None else _from_config(config, default=default)
    if inference_args:
        _check_sampling(inference_args, "inference_args")
        spec = msgspec.structs.replace(spec, sampling={**spec.sampling, **inference_args})
    if client_tools:
        spec = msgspec.structs.replace(spec, tools=_with_client_tools(spec.tools, client_tools))
    return spec


def _with_client_tools(
    tools: tuple[ToolSpec, ...], given: Sequence[Mapping[str, Any]]
) -> tuple[ToolSpec, ...]:
    names = {tool.name for tool in tools}
    for n, tool in enumerate(given):
        function = tool["function"]
        name: str = function["name"]
        if _TOOL_NAME.fullmatch(name) is None:
            raise InvalidRequestError.at(
                "client_tools", n, "function", "name", msg="must be 1 to 64 of A-Z a-z 0-9 _ -"
            )
        if name in names:
            raise InvalidRequestError.at(
                "client_tools", n, "function", "name", msg="is the name of another tool"
            )
        names.add(name)
        own = ToolSpec(
            name=name,
            description=function.get("description") or "",
            parameters=dict(function["parameters"]),
            strict=function.get("strict"),
        )
        tools = (*tools, own)
    return tools


def _from_config(config: AgentConfig, *, default: AgentSpec) -> AgentSpec:
    for name in _NOT_BUILT:
        if config.get(name):
            raise UnsupportedParamError(f"agent_config.{name}")
    if (config.get("compress_threshold_token_ratio") or _RATIO_DEFAULT) != _RATIO_DEFAULT:
        raise UnsupportedParamError("agent_config.compress_threshold_token_ratio")
    sampling = dict(config.get("inference_args") or {})
    _check_sampling(sampling, "agent_config", "inference_args")
    prompt = config.get("developer_prompt") or ""
    return AgentSpec(
        model=config["model"] or default.model,
        agent_id=config.get("agent_id") or "",
        name=config.get("name") or "",
        description=config.get("description") or "",
        developer_prompt=prompt.replace("{{code_for_agent}}", config.get("code_for_agent") or ""),
        context_tokens_max=config.get("max_model_length") or 0,
        output_tokens_max=config.get("max_response_length") or 0,
        sampling=sampling,
        step_max=default.step_max,
        tools=default.tools,
    )


def _check_sampling(sampling: Mapping[str, Any], *loc: str) -> None:
    for name in sampling:
        if _FORBIDDEN_INFERENCE_ARGS.fullmatch(name):
            raise InvalidRequestError.at(
                *loc, name, msg="may not be set by a request", kind="forbidden_inference_arg"
            )
