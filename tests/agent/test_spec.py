"""The resolved agent: what a request may ask for, and what it may not."""

from typing import Any

import msgspec
import pytest

from agentlin_server.agent.spec import AgentSpec, hash_of, resolve
from agentlin_server.domain.errors import InvalidRequestError, UnsupportedParamError
from agentlin_server.domain.events import encode_json
from tests.requirements import requirement

DEFAULT = AgentSpec(
    model="local/m", developer_prompt="Default.", sampling={"seed": 1, "top_p": 0.9}, step_max=7
)


def resolved(config: Any = None, inference_args: Any = None) -> AgentSpec:
    return resolve(config, inference_args=inference_args, default=DEFAULT)


def test_without_a_config_the_operators_agent_runs() -> None:
    assert resolved() is DEFAULT
    assert resolved(None, {}) is DEFAULT


def test_a_config_replaces_all_but_the_operators_limits() -> None:
    spec = resolved({
        "model": "openai/x", "agent_id": "a", "name": "n", "description": "d",
        "developer_prompt": "Say {{code_for_agent}}!", "code_for_agent": "hi",
        "max_model_length": 100, "max_response_length": 10, "inference_args": {"top_p": 0.5},
    })  # fmt: skip
    assert spec == AgentSpec(
        model="openai/x", agent_id="a", name="n", description="d", developer_prompt="Say hi!",
        context_tokens_max=100, output_tokens_max=10, sampling={"top_p": 0.5}, step_max=7,
    )  # fmt: skip


def test_the_requests_arguments_win_over_the_agents() -> None:
    assert resolved(None, {"seed": 2}).sampling == {"seed": 2, "top_p": 0.9}
    config = {"model": "m", "inference_args": {"seed": 3, "a": 1}}
    assert resolved(config, {"seed": 4}).sampling == {"seed": 4, "a": 1}
    assert DEFAULT.sampling == {"seed": 1, "top_p": 0.9}


def test_an_empty_model_means_the_default_one() -> None:
    assert resolved({"model": ""}).model == "local/m"


@requirement("create.no-credentials")
@pytest.mark.parametrize(
    "name",
    ["api_key", "base_url", "OPENAI_API_KEY", "openai_base_url", "extra_headers", "messages",
     "tools", "stream", "n", "API_KEY", "model", "extra_body"],
)  # fmt: skip
@pytest.mark.parametrize("where", ["request", "config"])
def test_credentials_and_transport_are_refused_and_never_repeated(name: str, where: str) -> None:
    args = {name: "hunter2"}
    config = {"model": "m", "inference_args": args} if where == "config" else None
    with pytest.raises(InvalidRequestError) as caught:
        resolved(config, args if where == "request" else None)
    (problem,) = caught.value.problems
    assert problem["loc"][-1] == name
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", ["top_n", "seed", "nn", "streaming", "tools_x", "logit_bias"])
def test_other_arguments_pass(name: str) -> None:
    assert name in resolved(None, {name: 1}).sampling


@requirement("create.not-built")
@pytest.mark.parametrize(
    ("name", "value"),
    [("allowed_tools", ["*"]), ("builtin_tools", ["CodeInterpreter"]), ("env", {"A": "b"}),
     ("tool_mcp_config", {"mcpServers": {}}), ("code_for_interpreter", "x = 1")],
)  # fmt: skip
def test_what_is_not_built_is_refused_by_name_and_passes_when_empty(name: str, value: Any) -> None:
    with pytest.raises(UnsupportedParamError, match=f"agent_config.{name}"):
        resolved({"model": "m", name: value})
    assert resolved({"model": "m", name: type(value)()}).model == "m"
    assert resolved({"model": "m", name: None}).model == "m"


@requirement("task.frozen")
def test_a_stored_agent_is_read_as_it_was() -> None:
    stored = encode_json(DEFAULT)
    assert msgspec.json.decode(stored, type=AgentSpec) == DEFAULT
    assert hash_of(stored) == hash_of(encode_json(DEFAULT)) != hash_of(b"{}")
