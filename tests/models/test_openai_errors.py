"""What providers answer becomes the right error, with advice and without the key."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import msgspec
import pytest

from agentlin_server.domain import errors as e
from agentlin_server.models.openai_errors import ErrorTable, describe, retry_after_s
from agentlin_server.models.redact import Redactor

NOW = datetime(2030, 1, 1, tzinfo=UTC)
TABLE = ErrorTable(provider="acme", address="http://acme/v1", redactor=Redactor(["my-secret-key"]))


def error(status: int, body: Any = None, headers: dict[str, str] | None = None) -> e.ModelError:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body) if body else b""
    return TABLE.from_answer(status, raw, headers or {}, model="m-1", now=NOW)


@pytest.mark.parametrize(
    ("status", "kind", "retryable", "advice"),
    [
        (400, e.ModelRequestError, False, "acme answered 400: no details."),
        (
            401,
            e.ModelAuthenticationError,
            False,
            "Check the API key that is set for the provider 'acme'",
        ),
        (402, e.ModelRequestError, False, ""),
        (403, e.ModelAuthenticationError, False, "Check the API key"),
        (
            404,
            e.ModelNotFoundError,
            False,
            "the name of the model ('m-1') and the base URL (http://acme/v1)",
        ),
        (408, e.ModelUnavailableError, True, "Try again later"),
        (422, e.ModelRequestError, False, ""),
        (429, e.ModelRateLimitError, True, "Wait, or raise the limit"),
        (500, e.ModelUnavailableError, True, "Try again later"),
        (503, e.ModelUnavailableError, True, "Try again later"),
    ],
)
def test_every_status_has_its_error(
    status: int, kind: type[e.ModelError], retryable: object, advice: str
) -> None:
    mapped = error(status)
    assert type(mapped) is kind
    assert (mapped.status, mapped.retryable, mapped.provider) == (status, retryable, "acme")
    assert advice in str(mapped)


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        (
            400,
            {
                "code": "context_length_exceeded",
                "message": "This model's maximum context length is 8 tokens.",
            },
        ),
        (
            400,
            {"message": "This model's maximum context length is 4096 tokens. However, ..."},
        ),
        (
            400,
            {
                "code": 400,
                "type": "exceed_context_size_error",
                "message": "the request exceeds the size",
            },
        ),
        (500, {"message": "the request exceeds the available context size. try increasing it"}),
        (400, {"message": "prompt is too long: 210000 tokens > 200000 maximum"}),
        (413, {"message": "Please reduce the length of the messages or completion."}),
        (
            400,
            {"message": "The input token count (9) exceeds the maximum number of tokens."},
        ),
        (
            400,
            {"message": "This model's maximum prompt length is 9 but the request has 10."},
        ),
        (422, {"message": "Input exceeds the context window of this model"}),
        (
            400,
            {"message": "Prompt contains 9 tokens, too large for model with 8 maximum"},
        ),
    ],
)
def test_a_context_that_is_too_long_is_told_by_code_or_words(
    status: int, fields: dict[str, Any]
) -> None:
    mapped = error(status, {"error": fields})
    assert type(mapped) is e.ContextLengthError
    assert "Shorten the conversation" in str(mapped)
    assert not mapped.retryable


@pytest.mark.parametrize(
    "fields",
    [
        {"code": "content_filter", "message": "The response was filtered."},
        {"code": "x", "message": "m", "innererror": {"code": "ResponsibleAIPolicyViolation"}},
        {"message": "Content Exists Risk", "type": "invalid_request_error"},
    ],
)
def test_a_content_filter_is_told_by_code_or_words(fields: dict[str, Any]) -> None:
    assert type(error(400, {"error": fields})) is e.ContentFilterError


@pytest.mark.parametrize(
    "message",
    ["The model `gpt-9` does not exist", 'model "llama9" not found, try pulling it first'],
)
def test_an_unknown_model_is_told_by_words_too(message: str) -> None:
    assert type(error(400, {"error": message})) is e.ModelNotFoundError


def test_an_empty_account_is_a_rate_limit_that_waiting_does_not_mend() -> None:
    mapped = error(
        429, {"error": {"code": "insufficient_quota", "message": "You exceeded your quota."}}
    )
    assert type(mapped) is e.ModelRateLimitError
    assert not mapped.retryable
    assert "credit" in str(mapped)


def test_a_redirect_is_refused_and_named_without_its_query() -> None:
    mapped = error(307, headers={"Location": "https://other/v1?key=x"})
    assert type(mapped) is e.ModelRequestError
    assert "a redirect to https://other/v1: set the base URL" in str(mapped)


def test_the_message_is_redacted_before_it_is_shortened() -> None:
    text = str(error(400, {"error": {"message": "x" * 495 + "my-secret-key" + "y" * 1000}}))
    assert "my-se" not in text
    assert len(text) < 600
    assert "[reda..." in text


@pytest.mark.parametrize(
    ("answer", "described"),
    [
        ({"error": {"message": "m", "type": "t", "code": "c"}}, ("c t", "m")),
        ({"error": "m"}, ("", "m")),
        ({"object": "error", "message": "m", "code": 400}, ("400", "m")),
        ({"detail": "m"}, ("", "m")),
        ({"detail": [{"loc": ["body"]}]}, ("", '{"detail":[{"loc":["body"]}]}')),
        ([{"error": {"message": "m", "status": "INVALID"}}], ("INVALID", "m")),
        ("plain text", ("", "plain text")),
        (None, ("", "no details")),
        ([], ("", "no details")),
        ({}, ("", "{}")),
    ],
)
def test_every_form_of_an_error_answer_is_read(answer: Any, described: tuple[str, str]) -> None:
    assert describe(answer) == described


@pytest.mark.parametrize("body", [b"<h1>Bad\n gateway</h1>", b"\xff\xfe", b"[" * 5000])
def test_an_answer_that_is_no_json_is_quoted(body: bytes) -> None:
    assert type(error(502, body)) is e.ModelUnavailableError


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-1"}, None),
        ({"retry-after-ms": "250", "Retry-After": "7"}, 0.25),
        ({"Retry-After": format_datetime(NOW + timedelta(seconds=90), usegmt=True)}, 90.0),
        ({"Retry-After": format_datetime(NOW - timedelta(seconds=90), usegmt=True)}, 0.0),
    ],
)
def test_the_wait_that_a_provider_asks_for_is_read(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after_s(headers, now=NOW) == seconds
    assert error(429, None, headers).retry_after_s == seconds


@pytest.mark.parametrize(
    ("inside", "kind", "status"),
    [
        ({"code": 429, "message": "slow"}, e.ModelRateLimitError, 429),
        ({"code": "rate_limit_exceeded", "message": "slow"}, e.ModelRateLimitError, None),
        ({"code": 401, "message": "no"}, e.ModelAuthenticationError, 401),
        ({"code": 500, "type": "server_error", "message": "boom"}, e.ModelStreamError, 500),
        ({"message": "boom"}, e.ModelStreamError, None),
        ("boom", e.ModelStreamError, None),
        ({"code": "context_length_exceeded", "message": "long"}, e.ContextLengthError, None),
        ({"code": "content_filter", "message": "no"}, e.ContentFilterError, None),
    ],
)
def test_an_error_inside_a_stream_is_mapped(
    inside: Any, kind: type[e.ModelError], status: int | None
) -> None:
    mapped = TABLE.from_stream(inside, model="m-1")
    assert type(mapped) is kind
    assert mapped.status == status
    assert "acme" in str(mapped)


def test_an_answer_that_is_nested_without_end_is_no_trap() -> None:
    nested: Any = "boom"
    for _ in range(900):
        nested = {"error": nested, "x": [nested] if nested == "boom" else 1}
    assert type(TABLE.from_stream(nested, model="m-1")) is e.ModelStreamError
