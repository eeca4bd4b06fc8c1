"""The log: off by default and free then; on, it says what happens and never a secret."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from agentlin_client import omit
from agentlin_client._log import redact_body, redact_headers, redact_url, set_up_logging
from agentlin_client._redact import HIDDEN, is_secret_name
from agentlin_client.types import MessageItem
from tests.sdk import wire
from tests.sdk.conftest import KEY, Sdk

SECRET = "hunter2-hunter2"


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    log = logging.getLogger("agentlin_client")
    level = log.level
    yield log
    log.setLevel(level)


def loaded_by(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    )
    return set(done.stdout.split())


def test_without_a_wish_for_a_log_the_log_module_loads_no_library() -> None:
    loaded = loaded_by("import agentlin_client._log as l; l.set_up_logging({})")
    assert loaded.isdisjoint({"logging", "httpx", "pydantic", "json"})


def test_the_environment_and_the_first_use_load_logging() -> None:
    wish = "import agentlin_client._log as l; l.set_up_logging({'CLIENT_LOG': 'debug'})"
    assert "logging" in loaded_by(wish)
    assert "logging" in loaded_by("from agentlin_client._log import logger")


def test_the_level_is_the_one_that_the_environment_names(log: logging.Logger) -> None:
    set_up_logging({"AGENTLIN_LOG": " Info ", "CLIENT_LOG": "debug"})
    assert log.level == logging.INFO
    set_up_logging({"CLIENT_LOG": "debug"})
    assert log.level == logging.DEBUG


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "Proxy-Authorization",
        "X-API-Key",
        "apiKey",
        "openai_api_key",
        "Set-Cookie",
        "password",
        "db_pwd",
        "client_secret",
        "access_token",
        "credentials",
        "X-Signature",
        "jwt",
        "bearer",
        "pass",
        "db_pass",
        "smtp-pass",
        "smtpPass",
        "pwd",
        "dsn",
        "SENTRY_DSN",
        "private_note",
    ],
)
def test_a_name_that_sounds_like_a_secret_is_one(name: str) -> None:
    assert is_secret_name(name)
    assert redact_headers([(name, SECRET)]) == {name: HIDDEN}
    assert redact_body({"deep": [{name: SECRET}]}) == {"deep": [{name: HIDDEN}]}


def test_counts_of_tokens_flags_and_absent_secrets_are_shown() -> None:
    body = {"max_tokens": 9, "has_key": True, "api_key": None, "author": "Ada", "name": "n"}
    assert redact_body(body) == body
    assert redact_body({"password": 1234}) == {"password": HIDDEN}


@pytest.mark.parametrize(
    "body",
    [
        {"usage": {"input_tokens": 3, "input_tokens_details": {"cached_tokens": 1}}},
        {"prompt_token_ids": [1, 2], "token_ids": []},
        {"logprobs": [{"token": "Hi", "bytes": [72], "logprob": -0.1, "top_logprobs": []}]},
        {"passed": 3, "compassion": "much", "keywords": ["a"], "passenger": "Ada"},
    ],
)
def test_counts_of_tokens_and_tokens_of_logprobs_are_no_secrets(body: dict[str, object]) -> None:
    assert redact_body(body) == body


@pytest.mark.parametrize("name", ["tokens", "input_tokens_details"])
def test_tokens_that_are_no_numbers_are_hidden(name: str) -> None:
    for value in ({"a": SECRET}, [SECRET], [[1, SECRET]], SECRET):
        assert redact_body({name: value}) == {name: HIDDEN}


def test_of_a_webhook_only_the_host_is_shown() -> None:
    for url in (f"https://hooks.example/services/T0/{SECRET}", f"https://u:{SECRET}@hooks.example"):
        assert redact_body({"webhook_url": url}) == {
            "webhook_url": "https://hooks.example/<redacted>"
        }
    assert redact_body({"webhook_url": SECRET}) == {"webhook_url": HIDDEN}
    assert redact_body({"webhook_url": {"url": SECRET}}) == {"webhook_url": HIDDEN}


@pytest.mark.parametrize(
    "key",
    [
        "ghp_" + "a1" * 18,
        "gho_" + "a1" * 18,
        "github_pat_" + "a1" * 20,
        "AKIA" + "IOSFODNN7EXAMPLE",
        "xoxb-" + "1234567890-abc",
        "xoxp-" + "1234567890-abc",
        "sk-" + "a1" * 10,
        "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxIn0." + "c2lnbmF0dXJl",
        "AIza" + "a" * 35,
        "hf_" + "a1" * 17,
        "glpat-" + "a1" * 10,
        "-----BEGIN RSA PRIVATE KEY-----\nMII\nabc\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nMII\nabc",
    ],
)
def test_a_key_is_known_by_its_shape_wherever_it_stands(key: str) -> None:
    assert redact_body({"text": f"take {key}"}) == {"text": f"take {HIDDEN}"}
    assert redact_body({"file_url": f"https://h/{key}"}) == {"file_url": f"https://h/{HIDDEN}"}


def test_user_and_password_of_a_url_in_a_text_are_hidden() -> None:
    text = f"use postgres://u:{SECRET}@db/x, http://{SECRET}@h and me@mail.example"
    assert redact_body({"text": text}) == {
        "text": f"use postgres://{HIDDEN}@db/x, http://{HIDDEN}@h and me@mail.example"
    }


def test_the_values_of_env_and_of_headers_are_hidden_wherever_they_are() -> None:
    body = {
        "env": {"CITY": SECRET},
        "agent_config": {
            "env": {"A": SECRET},
            "tool_mcp_config": {
                "mcpServers": {
                    "far": {
                        "url": f"https://u:{SECRET}@h/mcp?k={SECRET}",
                        "headers": {"X": SECRET},
                    },
                    "near": {"command": "npx", "args": ["--secret", SECRET], "env": {"B": SECRET}},
                }
            },
        },
        "extra_headers": [SECRET],
    }
    shown = redact_body(body)
    assert SECRET not in json.dumps(shown)
    assert shown["env"] == {"CITY": HIDDEN}
    servers: Any = shown["agent_config"]
    assert servers["tool_mcp_config"]["mcpServers"] == {
        "far": {"url": "https://h/mcp", "headers": {"X": HIDDEN}},
        "near": {"command": "npx", "args": HIDDEN, "env": {"B": HIDDEN}},
    }


def test_keys_in_texts_and_in_the_arguments_of_calls_are_hidden() -> None:
    shown = redact_body(
        {
            "text": f"curl -H 'Authorization: Bearer {SECRET}' with sk-{SECRET}-{SECRET}",
            "arguments": json.dumps({"city": "Rome", "token": SECRET}),
            "more": [{"arguments": f'{{"broken": "Bearer {SECRET}'}],
        }
    )
    assert SECRET not in json.dumps(shown)
    assert json.loads(str(shown["arguments"])) == {"city": "Rome", "token": HIDDEN}


@pytest.mark.parametrize("text", ["hun", "hun\\", 'hu\\"n', "hu\\\nn"])
def test_a_secret_in_arguments_that_are_still_growing_is_hidden(text: str) -> None:
    arguments = f'{{"city": "Rome", "password" : "{text}'
    assert redact_body({"arguments": arguments}) == {
        "arguments": f'{{"city": "Rome", "password" : "{HIDDEN}"'
    }


def test_long_texts_base64_and_long_lists_are_cut() -> None:
    url = "data:image/png;base64," + "A" * 100_000
    shown = redact_body(
        {
            "text": "x" * 5000,
            "image_url": {"url": url},
            "input_audio": {"data": "B" * 9000, "format": "wav"},
            "stop_tools": ["t"] * 50,
            "raw": b"12345",
        }
    )
    assert shown["image_url"] == {"url": "data:image/png;base64,<100000 characters>"}
    assert shown["input_audio"] == {"data": "<9000 characters>", "format": "wav"}
    assert shown["text"] == "x" * 200 + "... (5000 characters)"
    assert shown["stop_tools"] == ["t"] * 20 + ["... 30 more"]
    assert shown["raw"] == "<5 bytes>"


def test_models_are_shown_as_fields_iterators_are_left_alone_and_omitted_values_left_out() -> None:
    item = MessageItem(type="message", role="user", message_content="Hi")
    turns = iter([item])
    body = {"history_messages": [item], "thought_messages": turns, "env": omit, "log_dir": Path()}
    shown = redact_body(body)
    assert shown["history_messages"] == [
        {"type": "message", "role": "user", "message_content": "Hi"}
    ]
    assert next(turns) is item
    assert set(shown) == {"history_messages", "thought_messages", "log_dir"}


def test_a_body_that_nests_without_end_is_shown_to_a_depth() -> None:
    loop: dict[str, Any] = {"name": "loop"}
    loop["self"] = [loop]
    assert "..." in json.dumps(redact_body(loop))


@pytest.mark.parametrize("make", [str, httpx.URL])
def test_a_url_is_shown_without_user_query_and_fragment(make: Any) -> None:
    assert (
        redact_url(make(f"https://u:{SECRET}@h:1/v1/tasks?key={SECRET}#x"))
        == "https://h:1/v1/tasks"
    )
    assert redact_url("no url") == "no url"


@pytest.mark.anyio
async def test_a_call_at_debug_level_logs_no_secret(
    sdk: Sdk, log: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="agentlin_client")
    sdk.server.script(wire.answer(wire.task()))
    client = sdk.client(default_query={"key": SECRET}, default_headers={"X-Token": SECRET})
    await sdk.done(
        client.tasks.create(stream=False, user_message_content="Hi", env={"CITY": SECRET})
    )
    text = "\n".join(record.getMessage() for record in caplog.records)
    assert "/v1/tasks" in text
    assert "'env': {'CITY': '<redacted>'}" in text
    assert SECRET not in text
    assert KEY not in text
