"""What a create's body may be; whatever else comes is refused, and never echoed."""

import json
from typing import Any, get_type_hints

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentlin_client.types.task_create_params import TaskCreateBody
from tests.api.asgi import exchange
from tests.api.serving import JSON, Api, serving
from tests.api.test_envelope import BODY, checked

pytestmark = pytest.mark.anyio

SECRET = "s3cret-of-the-input"


async def sent(
    api: Api, raw: bytes, content_type: str | None = "application/json"
) -> httpx.Response:
    headers = {} if content_type is None else {"content-type": content_type}
    return await api.client.post("/v1/tasks", content=raw, headers=headers)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b'{"user_message_content": NaN}',
        b'{"user_message_content": "\\ud800"}',
        b'{"user_message_content": "\xff"}',
        b'{"user_message_content": 1e999}',
        b"{} {}",
        b"{'user_message_content': 'Hi'}",
        b"[" * 100_000,
    ],
)
async def test_what_is_no_json_is_400(api: Api, raw: bytes) -> None:
    assert checked(await sent(api, raw), 400)["error"]["code"] == -32700


@pytest.mark.parametrize("levels", [198, 199, 200, 500, 965, 20_000])
async def test_json_is_taken_as_deep_as_it_can_be_handled_later(api: Api, levels: int) -> None:
    nested = b'{"a":' * levels + b"1" + b"}" * levels
    raw = b'{"user_message_content":"Hi","task_id":"deep","metadata":' + nested + b"}"
    answer = await sent(api, raw)
    if levels < 200:
        task = checked(answer, 200)["result"]
        assert task["metadata"] == json.loads(nested)
        assert (await api.task("deep")) == task
    else:
        assert checked(answer, 400)["error"]["code"] == -32700
        assert (await api.get("/v1/tasks/deep")).status_code == 404


@pytest.mark.parametrize("raw", [b"[]", b'"Hi"', b"null", b"5", b"true"])
async def test_json_that_is_no_object_is_422(api: Api, raw: bytes) -> None:
    error = checked(await sent(api, raw), 422)["error"]
    assert error["code"] == -32602
    assert error["data"] == [{"loc": ["body"], "msg": "must be a JSON object", "type": "dict_type"}]


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "x" * 9999,
    ],
)
async def test_a_body_of_another_type_is_415(api: Api, content_type: str | None) -> None:
    answer = await sent(api, json.dumps(BODY).encode(), content_type)
    assert checked(answer, 415)["error"]["code"] == -32600
    assert len(answer.content) < 500


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "Application/JSON", "application/json ;x"]
)
async def test_json_may_be_declared_with_parameters(api: Api, content_type: str) -> None:
    checked(await sent(api, json.dumps(BODY).encode(), content_type), 200)


@pytest.mark.parametrize(
    ("wrong", "loc"),
    [
        ({"user_message_content": 5}, ["user_message_content"]),
        ({"user_message_content": None}, ["user_message_content"]),
        ({"user_message_content": ""}, ["user_message_content"]),
        ({"user_message_content": []}, ["user_message_content"]),
        ({"user_message_content": [{"type": "text"}]}, ["user_message_content"]),
        ({"user_message_content": [{"type": SECRET, "text": SECRET}]}, ["user_message_content"]),
        ({"stream": "yes"}, ["stream"]),
        ({"stream": 1}, ["stream"]),
        ({"background": SECRET}, ["background"]),
        ({"task_id": 5}, ["task_id"]),
        ({"session_id": {SECRET: SECRET}}, ["session_id"]),
        ({"request_id": 5}, ["request_id"]),
        ({"metadata": [SECRET]}, ["metadata"]),
        ({"agent_config": SECRET}, ["agent_config"]),
        ({"agent_config": {}}, ["agent_config", "model"]),
        ({"agent_config": {"model": 5}}, ["agent_config", "model"]),
        ({"agent_config": {"model": "m", "max_response_length": 0}}, ["agent_config"]),
        ({"history_messages": SECRET}, ["history_messages"]),
        ({"history_messages": [{"type": SECRET}]}, ["history_messages"]),
        ({"thought_messages": [SECRET]}, ["thought_messages"]),
        ({"inference_args": SECRET}, ["inference_args"]),
        ({"env": {"KEY": 5}}, ["env"]),
        ({"timeout_s": -1}, ["timeout_s"]),
        ({"timeout_s": 0}, ["timeout_s"]),
        ({"on_busy": SECRET}, ["on_busy"]),
        ({"on_busy": "default"}, ["on_busy"]),
        ({"client_tools": SECRET}, ["client_tools"]),
        ({"client_tools": [{"type": SECRET, "function": {}}]}, ["client_tools", 0]),
        ({"client_tools": [{"type": "function"}]}, ["client_tools", 0, "function"]),
    ],
    ids=str,
)
async def test_a_wrong_type_is_422_and_is_not_echoed(
    api: Api, wrong: dict[str, Any], loc: list[str]
) -> None:
    answer = await api.post(BODY | wrong)
    error = checked(answer, 422)["error"]
    assert error["code"] == -32602
    assert error["data"]
    for problem in error["data"]:
        assert set(problem) == {"loc", "msg", "type"}
        assert problem["loc"][: len(loc)] == loc
    assert SECRET not in answer.text


async def test_a_missing_param_is_422(api: Api) -> None:
    error = checked(await api.post({"stream": False}), 422)["error"]
    assert [(p["loc"], p["type"]) for p in error["data"]] == [(["user_message_content"], "missing")]


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("user_mesage_content", "user_message_content"),
        ("sesion_id", "session_id"),
        ("disalowed_tools", "disallowed_tools"),
        ("agentConfig", "agent_config"),
        ("strem", "stream"),
    ],
)
async def test_a_misspelt_param_is_422_and_the_right_one_is_named(
    api: Api, misspelt: str, meant: str
) -> None:
    body = {name: value for name, value in BODY.items() if name != meant}
    error = checked(await api.post(body | {misspelt: SECRET}), 422)["error"]
    assert meant in error["message"]
    assert SECRET not in error["message"]
    assert [(p["loc"], p["type"]) for p in error["data"]] == [([misspelt], "misspelt_param")]


async def test_other_unknown_params_are_ignored(api: Api) -> None:
    await api.create(vendor_extension={"a": 1}, x=None, temperature=0.5)


async def test_thousands_of_unknown_params_do_not_stop_the_server(api: Api) -> None:
    # Comparing each with all params would take minutes, in which nobody else is served.
    many = {f"user_message_{n}": 1 for n in range(50_000)}
    assert (await api.post(BODY | many)).status_code in {200, 422}


NOT_BUILT = {
    "allowed_subagents": ["*"],
    "allowed_tools": ["f"],
    "disallowed_tools": ["f"],
    "env": {"A": "b"},
    "include_compress_model_rollout": True,
    "include_subagent_rollout": True,
    "log_dir": "logs",
    "require_approval": ["f"],
    "return_rollout": True,
    "rollout_save_dir": "r",
    "stop_tools": ["f"],
    "structured_output": {"type": "object"},
    "webhook_url": "http://127.0.0.1/",
    "workspace_dir": "w",
}
EMPTY: dict[str, list[Any]] = {
    "env": [None, {}],
    "structured_output": [None, {}],
}
IN_AGENT = {
    "builtin_subagents": ["a"],
    "builtin_tools": ["CodeInterpreter"],
    "builtin_skills": ["s"],
    "code_for_interpreter": "x = 1",
    "code_interpreter_config": {"a": 1},
    "compress_model": "m",
    "compress_prompt": "p",
    "env": {"A": "b"},
    "tool_mcp_config": {"mcpServers": {"x": {"url": "http://127.0.0.1/"}}},
}


@pytest.mark.parametrize("param", NOT_BUILT)
async def test_a_param_that_is_not_built_is_refused_and_its_empty_value_passes(
    api: Api, param: str
) -> None:
    error = checked(await api.post(BODY | {param: NOT_BUILT[param]}), 400)["error"]
    assert error["code"] == -32004
    assert param in error["message"]
    assert error["data"] == {"param": param}
    value = NOT_BUILT[param]
    for empty in EMPTY.get(param, [None, type(value)()]):
        await api.create(**{param: empty})


@pytest.mark.parametrize(
    ("param", "value"),
    [
        *(("client_tools", value) for value in (None, [])),
        *(("timeout_s", value) for value in (None, 60, 0.5)),
        *(("on_busy", value) for value in (None, "", "enqueue", "reject", "interrupt")),
    ],
)
async def test_a_param_that_is_built_is_taken_and_its_empty_value_passes(
    api: Api, param: str, value: Any
) -> None:
    assert (await api.create(**{param: value}))["status"] == "completed"


@pytest.mark.parametrize("param", IN_AGENT)
async def test_so_is_one_in_the_agent_config(api: Api, param: str) -> None:
    agent = {"model": "scripted/echo"}
    refused = await api.post(BODY | {"agent_config": agent | {param: IN_AGENT[param]}})
    error = checked(refused, 400)["error"]
    assert (error["code"], error["data"]) == (-32004, {"param": f"agent_config.{param}"})
    for empty in (None, type(IN_AGENT[param])()):
        await api.create(agent_config=agent | {param: empty})


async def test_every_param_is_built_or_refused() -> None:
    built = {
        "agent_config", "background", "client_id", "client_tools",
        "history_messages", "inference_args", "metadata", "on_busy", "request_id", "session_id",
        "stream", "task_id", "thought_messages", "timeout_s", "user_id", "user_message_content",
    }  # fmt: skip
    assert {*NOT_BUILT, *built} == set(get_type_hints(TaskCreateBody))


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "file", "file": {"file_url": "http://127.0.0.1/f", "filename": "f"}},
    ],
    ids=lambda part: part["type"],
)
async def test_content_that_the_model_cannot_take_is_400(api: Api, part: dict[str, Any]) -> None:
    error = checked(await api.post({"user_message_content": [part]}), 400)["error"]
    assert error["code"] == -32005


@pytest.mark.parametrize(
    "name",
    ["api_key", "base_url", "OPENAI_API_KEY", "extra_headers", "messages", "tools", "stream", "n"],
)
async def test_credentials_and_the_like_are_never_taken_from_a_request(api: Api, name: str) -> None:
    for params in (
        {"inference_args": {name: SECRET}},
        {"agent_config": {"model": "scripted/echo", "inference_args": {name: SECRET}}},
    ):
        answer = await api.post(BODY | params)
        assert checked(answer, 422)["error"]["data"][0]["loc"][-1] == name
        assert SECRET not in answer.text


async def test_a_body_over_the_limit_is_413_whether_declared_or_not() -> None:
    async with serving(body_size_max=1024) as api:
        raw = json.dumps(BODY | {"metadata": {"a": "x" * 2000}}).encode()
        assert checked(await sent(api, raw), 413)["error"]["code"] == -32013
        headers = JSON | {"content-length": "999999999"}
        async with exchange(api.app, "POST", "/tasks", headers=headers, body=[b"{"]) as declared:
            await declared.begun()
            assert declared.status == 413
        pieces = [raw[n : n + 100] for n in range(0, len(raw), 100)]
        async with exchange(api.app, "POST", "/tasks", headers=JSON, body=pieces) as chunked:
            await chunked.begun()
            assert chunked.status == 413
        too_large = await api.client.post(
            "/v1/tasks/none/cancel", content=raw, headers={"content-type": "application/json"}
        )
        checked(too_large, 413)


async def test_a_body_of_just_the_limit_is_taken() -> None:
    async with serving(body_size_max=1024) as api:
        raw = json.dumps(BODY).encode().ljust(1024)
        checked(await sent(api, raw), 200)
        checked(await sent(api, raw + b" "), 413)


keys = st.sampled_from(["type", "text", "role", "content", "id"]) | st.text(max_size=5)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(keys, children, max_size=3),
    max_leaves=6,
)
params = sorted(get_type_hints(TaskCreateBody))
bodies = st.dictionaries(st.sampled_from(params), json_values, max_size=4)
plausible = st.one_of(
    st.just({"type": "message", "role": "user", "message_content": "x"}),
    st.just({"role": "assistant", "content": None}),
    st.just({"type": "tool_call", "call_id": "c", "name": "f", "arguments": ""}),
    st.fixed_dictionaries({"type": st.just("tool_result"), "call_id": st.text(max_size=3)},
                          optional={"message_content": json_values, "block_list": json_values}),
    st.fixed_dictionaries({"role": st.sampled_from(["user", "tool", "system"])},
                          optional={"content": json_values, "tool_calls": json_values}),
)  # fmt: skip


@settings(
    max_examples=150,
    # The examples share a server, as requests do.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(body=bodies, messages=st.lists(plausible, max_size=3), said=st.booleans())
async def test_no_body_makes_the_server_fail(
    api: Api, body: dict[str, Any], messages: list[Any], *, said: bool
) -> None:
    if said:
        body = {"user_message_content": "Hi", "history_messages": messages} | body
    raw = json.dumps(body).encode()
    answer = await sent(api, raw)
    assert answer.status_code in {200, 400, 409, 422}, answer.text
    if answer.headers["content-type"] == "application/json":
        task = answer.json().get("result")
        # What was accepted can be run: nothing goes wrong later, inside.
        assert task is None or (task["error"] or {}).get("code") != -32603, task


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=st.binary(max_size=40))
async def test_no_bytes_make_the_server_fail(api: Api, raw: bytes) -> None:
    assert (await sent(api, raw)).status_code in {400, 422}
    assert (await sent(api, raw, None)).status_code == 415
