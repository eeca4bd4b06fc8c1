"""Settings: read once, bounded; what is misspelt is refused, secrets stay secret."""

import os
from pathlib import Path
from typing import Any

import pytest

from agentlin_server.settings import Settings, SettingsError


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("AGENTLIN_", "OPENAI_")):
            monkeypatch.delenv(name)


def test_the_defaults_are_those_of_the_contract() -> None:
    settings = Settings.load()
    assert (settings.host, settings.port) == ("127.0.0.1", 9999)
    assert settings.body_size_max == 32 * 1024 * 1024
    assert (settings.keep_alive_s, settings.heartbeat_s) == (10.0, 15.0)
    assert settings.step_max == 50
    assert Path(settings.db).name == "agentlin.db"
    assert not settings.is_in_memory
    assert settings.secrets == []


def test_a_setting_is_read_from_the_environment_and_a_given_value_wins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AGENTLIN_PORT", "1234")
    monkeypatch.setenv("AGENTLIN_MODEL", "scripted/echo")
    assert Settings.load(port=None).port == 1234
    settings = Settings.load(port=5)
    assert (settings.port, settings.model) == (5, "scripted/echo")


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTLIN_ALLOWED_HOSTS", "a.example.com, b.example.com,")
    monkeypatch.setenv("AGENTLIN_ALLOWED_ORIGINS", "")
    settings = Settings.load()
    assert settings.allowed_hosts == ("a.example.com", "b.example.com")
    assert settings.allowed_origins == ()


@pytest.mark.parametrize(
    "name",
    [
        "AGENTLIN_PROT",
        "AGENTLIN_",
        "AGENTLIN_PORTS",
        "AGENTLIN_SECRETS",
        "AGENTLIN_OPENAI_API_KEY",  # it is read as OPENAI_API_KEY only
        "AGENTLIN_OPENAI_BASE_URL",
        "AGENTLIN_PROVIDER__VLLM__BASE_URL",
        "AGENTLIN_PORT__NUMBER",
    ],
)
def test_a_variable_that_is_no_setting_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "value-that-is-kept-quiet")
    with pytest.raises(SettingsError, match=name) as caught:
        Settings.load()
    assert "kept-quiet" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["AGENTLIN_API_KEY", "AGENTLIN_BASE_URL", "AGENTLIN_CLIENT_ID", "AGENTLIN_LOG"]
)
def test_a_variable_of_the_client_is_none_of_the_servers_business(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "x")
    Settings.load()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "65536"),
        ("port", "-1"),
        ("port", "http"),
        ("body_size_max", "0"),
        ("running_max", "0"),
        ("waiting_max", "-1"),
        ("step_max", "0"),
        ("stop_grace_s", "-1"),
        ("keep_alive_s", "0"),
        ("keep_alive_s", "51"),
        ("heartbeat_s", "0"),
        ("model_idle_s", "0"),
        ("local_context_tokens", "1"),
        ("log_level", "loud"),
    ],
)
def test_a_value_out_of_range_is_refused_and_the_variable_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"AGENTLIN_{name.upper()}", value)
    with pytest.raises(SettingsError, match=f"AGENTLIN_{name.upper()}: "):
        Settings.load()


def test_providers_are_read_from_nested_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTLIN_PROVIDERS__VLLM__BASE_URL", "http://127.0.0.1:8000/v1")
    monkeypatch.setenv("AGENTLIN_PROVIDERS__VLLM__API_KEY", "sk-vllm")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai")
    settings = Settings.load()
    assert settings.providers["vllm"].base_url == "http://127.0.0.1:8000/v1"
    assert sorted(settings.secrets) == ["sk-openai", "sk-vllm"]
    assert "sk-" not in repr(settings)
    assert "sk-" not in str(settings)


@pytest.mark.parametrize("part", ["BASEURL", "KEY"])
def test_a_misspelt_part_of_a_provider_is_refused(
    monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.setenv("AGENTLIN_PROVIDERS__VLLM__BASE_URL", "http://127.0.0.1:8000/v1")
    monkeypatch.setenv(f"AGENTLIN_PROVIDERS__VLLM__{part}", "kept-quiet")
    with pytest.raises(SettingsError, match=part) as caught:
        Settings.load()
    assert "kept-quiet" not in str(caught.value)


def test_an_unknown_name_among_the_given_values_is_refused() -> None:
    given: dict[str, Any] = {"prot": 1}
    with pytest.raises(SettingsError, match="PROT"):
        Settings.load(**given)


def test_settings_do_not_change() -> None:
    settings = Settings.load()
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1


def test_every_setting_is_described() -> None:
    assert [name for name, one in Settings.model_fields.items() if not one.description] == []
