"""The resolved agent, frozen with the task at create: recovery never reads settings again."""

import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

import msgspec

from agentlin_client.types import AgentConfig
from agentlin_server.domain.errors import InvalidRequestError, UnsupportedParamError

STEP_MAX_DEFAULT: Final = 50
_HASH_BYTES: Final = 16
_RATIO_DEFAULT: Final = 0.9

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


def hash_of(spec: bytes) -> str:
    """Return the content address of a spec's JSON."""
    return blake2b(spec, digest_size=_HASH_BYTES).hexdigest()


def resolve(
    config: AgentConfig | None, *, inference_args: Mapping[str, Any] | None, default: AgentSpec
) -> AgentSpec:
    """Return the agent that a request asks for.

    Args:
        config: The request's `agent_config`; without it the operator's default agent runs.
        inference_args: The request's own, merged over the agent's.
        default: The operator's default agent.

    Raises:
        InvalidRequestError: an inference argument is not one that a request may set.
        UnsupportedParamError: the config needs something that is not built yet.
    """
    spec = default if config is None else _from_config(config, default=default)
    if not inference_args:
        return spec
    _check_sampling(inference_args, "inference_args")
    return msgspec.structs.replace(spec, sampling={**spec.sampling, **inference_args})


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
    )


def _check_sampling(sampling: Mapping[str, Any], *loc: str) -> None:
    for name in sampling:
        if _FORBIDDEN_INFERENCE_ARGS.fullmatch(name):
            raise InvalidRequestError.at(
                *loc, name, msg="may not be set by a request", kind="forbidden_inference_arg"
            )
