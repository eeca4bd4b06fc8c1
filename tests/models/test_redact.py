"""Secrets are taken out; everything else stays, the very same object."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlin_server.models.redact import Redactor

PRIVATE_KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet="abc \n", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(json_values)
def test_a_value_without_secrets_is_returned_itself(value: Any) -> None:
    assert Redactor(["hunter22"]).redact(value) is value


def test_known_secrets_are_found_everywhere() -> None:
    value = {"a": ["x hunter22 y", ("hunter22", 1)], "hunter22": None, "b": {"c": "hunter2"}}
    assert Redactor(["hunter22"]).redact(value) == {
        "a": ["x [redacted] y", ("[redacted]", 1)],
        "[redacted]": None,
        "b": {"c": "hunter2"},
    }
    assert value["a"][0] == "x hunter22 y"  # what was given stays as it is


def test_a_secret_is_found_in_json_text_too() -> None:
    secret = 'pass"w\u00f6rd'
    redactor = Redactor([secret])
    for ensure_ascii in (True, False):
        text = json.dumps({"key": secret}, ensure_ascii=ensure_ascii)
        assert json.loads(redactor.redact_text(text)) == {"key": "[redacted]"}


def test_a_secret_that_contains_another_goes_whole() -> None:
    assert (
        Redactor(["secret", "secret-long"]).redact_text("secret-long secret")
        == "[redacted] [redacted]"
    )


def test_short_and_empty_secrets_are_ignored() -> None:
    assert Redactor(["", "none"]).redact_text("none of it") == "none of it"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("key sk-abcdefghijklmnop1234 end", "key [redacted] end"),
        ("sk-proj-abc_def-1234567890abcdef", "[redacted]"),
        ("Incorrect API key: sk-abcd************6789.", "Incorrect API key: [redacted]."),
        ("Authorization: Bearer abc.def-123==", "Authorization: Bearer [redacted]"),
        ("authorization: bearer aaaaaaaaaaaaaaaaaaaaaaaa", "authorization: bearer [redacted]"),
        ("ghp_" + "a1" * 18, "[redacted]"),
        ("github_pat_" + "a1_" * 10, "[redacted]"),
        ("id AKIAIOSFODNN7EXAMPLE.", "id [redacted]."),
        ("AIza" + "Sy0" * 11 + "ab", "[redacted]"),
        ("xoxb-123456789012-abc", "[redacted]"),
        ("hf_" + "aB3" * 12, "[redacted]"),
        (f"a {PRIVATE_KEY} b", "a [redacted] b"),
        (f"a {PRIVATE_KEY[:40]}", "a [redacted]"),
    ],
)
def test_well_known_shapes_are_redacted(text: str, clean: str) -> None:
    assert Redactor().redact(text) == clean


@pytest.mark.parametrize(
    "text",
    [
        "sk-learn is a library",
        "task-based-approaches-are-many",
        "sk-learn-contrib-and-friends",
        "the bearer certificates",
        "Bearer of news",
        "AKIA",
        "-----BEGIN PUBLIC KEY----- x",
        "risk-aaaaaaaaaaaaaaaa1",
    ],
)
def test_ordinary_words_stay(text: str) -> None:
    assert Redactor().redact(text) is text


@pytest.mark.parametrize(
    "piece", ["sk-", "Bearer ", "Bearer  ", "-----BEGIN PRIVATE KEY-----", "ghp_", "xoxb-", "AKIA"]
)
def test_hostile_text_costs_linear_time(piece: str) -> None:
    Redactor(["hunter22"]).redact(piece * (400_000 // len(piece)))


def test_what_is_nested_too_deep_is_redacted_whole() -> None:
    value: Any = "fine"
    for _ in range(5000):
        value = [value]
    clean = Redactor().redact(value)
    depth = 0
    while isinstance(clean, list):
        clean, depth = clean[0], depth + 1
    assert (clean, depth) == ("[redacted]", 200)
