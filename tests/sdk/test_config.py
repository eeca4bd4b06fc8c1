"""What a client is configured with: arguments, environment, defaults, and what is refused."""

import copy
import logging
import pickle
from typing import Any

import httpx
import pytest

import agentlin_client
from agentlin_client import AsyncClient, Client, ClientError, NotGiven, Omit, not_given, omit
from agentlin_client._config import ClientConfig, merge_headers, resolve_config
from agentlin_client._log import redact_headers, redact_url, set_up_logging

REMOTE = "https://agents.example/v1"


def resolve(environ: dict[str, str] | None = None, **options: Any) -> ClientConfig:
    given: dict[str, Any] = {
        "api_key": None,
        "client_id": None,
        "base_url": None,
        "timeout": not_given,
        "max_retries": 2,
        "default_headers": None,
        "default_query": None,
        "stream_idle_timeout": not_given,
        "on_retry": None,
        "is_strict": False,
    }
    return resolve_config(**(given | options), environ=environ or {})


def test_the_local_server_needs_no_key_and_gets_no_authorization() -> None:
    config = resolve()
    assert str(config.base_url) == "http://127.0.0.1:9999/v1"
    assert config.api_key is None
    assert "Authorization" not in config.base_headers


def test_any_other_server_needs_a_key() -> None:
    with pytest.raises(ClientError, match=r"api_key= or set AGENTLIN_API_KEY"):
        resolve(base_url=REMOTE)
    with pytest.raises(ClientError):
        resolve({"AGENTLIN_BASE_URL": REMOTE, "AGENTLIN_API_KEY": ""})


def test_the_key_comes_from_the_argument_else_from_the_environment() -> None:
    environ = {"AGENTLIN_API_KEY": "from-env"}
    assert resolve(environ, base_url=REMOTE).api_key == "from-env"
    config = resolve(environ, base_url=REMOTE, api_key="from-arg")
    assert config.base_headers["Authorization"] == "Bearer from-arg"


def test_the_base_url_comes_from_the_argument_else_agentlin_else_client_variable() -> None:
    environ = {"AGENTLIN_API_KEY": "k", "CLIENT_BASE_URL": "http://c/v1"}
    assert str(resolve(environ).base_url) == "http://c/v1"
    environ["AGENTLIN_BASE_URL"] = "http://a/v1/"
    assert str(resolve(environ).base_url) == "http://a/v1"
    assert str(resolve(environ, base_url="http://b/v1/").base_url) == "http://b/v1"


def test_the_client_id_is_sent_as_a_header() -> None:
    assert "X-Client-Id" not in resolve().base_headers
    assert resolve({"AGENTLIN_CLIENT_ID": "AIME"}).base_headers["X-Client-Id"] == "AIME"
    assert resolve({"AGENTLIN_CLIENT_ID": "e"}, client_id="a").client_id == "a"


@pytest.mark.parametrize(
    "url", ["localhost:9999/v1", "ftp://host/v1", "http://", "http://[::1/v1", "http://h/v1?a=b"]
)
def test_a_base_url_that_can_not_work_is_refused_at_once(url: str) -> None:
    with pytest.raises(ClientError, match="base URL"):
        resolve(base_url=url, api_key="k")


@pytest.mark.parametrize(
    "url",
    [
        "http://1.2.3.999/v1",
        "http://[::g]/v1",
        "http://a..b/v1",
        "http://ex%ample/v1",
        "http://xn--/v1",
        "http://a\u200bb/v1",
        f"http://{'a' * 70}.example/v1",
        f"http://{'a.' * 200}example/v1",
        "http://h:99999/v1",
        f"http://h/{'a' * 9000}",
    ],
)
def test_a_host_that_can_not_be_one_is_refused_at_once(url: str) -> None:
    with pytest.raises(ClientError, match="base URL"):
        Client(base_url=url, api_key="k")


@pytest.mark.parametrize(
    "host", ["b\u00fccher.example", "xn--bcher-kva.example", "a.b.", "my_host", "[::1]", "1.2.3.4"]
)
def test_a_host_that_can_be_one_is_taken(host: str) -> None:
    url = f"http://{host}:80/v1"
    assert resolve(base_url=url, api_key="k").base_url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://me:hunter2/x@h/v1",
        "http://me:hunter2\u2100@host/v1",
        "http://me:hunter2[@host",
        "http://me:hunter2@1.2.3.999/v1",
        "http://me:hunter2@h:port/v1",
    ],
)
def test_an_error_about_a_base_url_shows_no_password(url: str) -> None:
    with pytest.raises(ClientError, match="base URL") as caught:
        resolve(base_url=url, api_key="k")
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_key_that_no_header_can_hold_is_refused_without_being_shown() -> None:
    for key in ("s3cret\n", "s3cret\x00", "s3cr\u00e9t"):
        with pytest.raises(ClientError, match="Authorization") as caught:
            resolve(api_key=key)
        assert "s3cr" not in str(caught.value)
        assert caught.value.__cause__ is None


def test_a_negative_number_of_retries_is_refused() -> None:
    with pytest.raises(ClientError, match="max_retries"):
        resolve(max_retries=-1)


def test_the_time_outs_are_60_seconds_and_5_to_connect() -> None:
    assert Client().timeout == httpx.Timeout(60.0, connect=5.0)
    assert Client().timeout == agentlin_client.DEFAULT_TIMEOUT
    assert Client(timeout=1.5).timeout == httpx.Timeout(1.5)
    assert Client(timeout=None).timeout == httpx.Timeout(None)


def test_a_time_out_that_was_set_on_the_http_client_is_kept() -> None:
    with httpx.Client(timeout=7.0) as http:
        assert Client(http_client=http).timeout == httpx.Timeout(7.0)
        assert Client(http_client=http, timeout=3.0).timeout == httpx.Timeout(3.0)
    with httpx.Client() as http:
        assert Client(http_client=http).timeout == agentlin_client.DEFAULT_TIMEOUT


@pytest.mark.parametrize(
    ("url", "trusted"),
    [
        ("http://127.0.0.1:9999/v1", False),
        ("http://127.8.8.8/v1", False),
        ("http://localhost:1/v1", False),
        ("http://agents.localhost/v1", False),
        ("http://[::1]:1/v1", False),
        ("http://10.0.0.1/v1", True),
        ("https://agents.example/v1", True),
    ],
)
def test_proxies_of_the_environment_do_not_apply_to_this_machine(
    url: str, *, trusted: bool
) -> None:
    assert resolve(base_url=url, api_key="k").trusts_environment is trusted


def test_a_client_for_the_local_server_can_be_built_where_a_broken_proxy_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")  # httpx needs an extra for it
    with Client() as client:
        assert not client.is_closed
    assert client.is_closed


def test_later_headers_win_whatever_their_case_and_omit_takes_one_out() -> None:
    merged = merge_headers(
        {"Accept": "a", "X-One": "1", "X-Two": "2"}, {"accept": "b"}, {"X-ONE": omit}
    )
    assert merged == {"accept": "b", "X-Two": "2"}


def test_a_header_value_with_a_line_end_is_refused_without_being_shown() -> None:
    with pytest.raises(ValueError, match="X-Note") as caught:
        merge_headers({"X-Note": "a\r\nX-Admin: yes"})
    assert "Admin" not in str(caught.value)


def test_neither_the_client_nor_its_options_show_the_key() -> None:
    with Client(api_key="s3cret", default_headers={"X-Api-Key": "s3cret"}) as client:
        assert "s3cret" not in repr(client)
        assert "s3cret" not in repr(client._config)
    with Client(base_url="http://user:s3cret@127.0.0.1/v1", api_key="k") as client:
        assert repr(client) == "Client(base_url='http://127.0.0.1/v1')"


def test_the_wrong_kind_of_http_client_is_refused() -> None:
    with httpx.Client() as http, pytest.raises(TypeError, match=r"httpx\.AsyncClient"):
        AsyncClient(http_client=http)  # type: ignore[arg-type] - the mistake under test


def test_the_log_level_comes_from_agentlin_log_else_client_log() -> None:
    log = logging.getLogger("agentlin_client")
    before = log.level
    try:
        for environ, level in (
            ({"CLIENT_LOG": "debug"}, logging.DEBUG),
            ({"AGENTLIN_LOG": "info", "CLIENT_LOG": "debug"}, logging.INFO),
            ({"AGENTLIN_LOG": "loud"}, logging.INFO),
            ({}, logging.INFO),
        ):
            set_up_logging(environ)
            assert log.level == level
    finally:
        log.setLevel(before)


def test_headers_that_may_hold_a_secret_are_redacted() -> None:
    secret = ["Authorization", "X-Api-Key", "Cookie", "Set-Cookie", "X-Auth", "X-Session-Token"]
    harmless = ["Accept", "Content-Type", "User-Agent", "Idempotency-Key", "X-Client-Id"]
    shown = redact_headers((name, "value") for name in [*secret, *harmless])
    assert [name for name in shown if shown[name] == "<redacted>"] == secret


def test_a_url_is_logged_without_user_and_query() -> None:
    url = httpx.URL("https://user:pass@host/v1/tasks?key=s3cret#part")
    assert redact_url(url) == "https://host/v1/tasks"


def test_the_two_values_for_no_value_are_false_and_say_who_they_are() -> None:
    assert not not_given
    assert not omit
    assert isinstance(not_given, NotGiven)
    assert isinstance(omit, Omit)
    assert (repr(not_given), repr(omit)) == ("NOT_GIVEN", "omit")


@pytest.mark.parametrize("value", [omit, not_given])
def test_a_copy_of_no_value_is_the_very_value(value: Any) -> None:
    assert copy.copy(value) is value
    assert copy.deepcopy({"a": [value]})["a"][0] is value
    assert pickle.loads(pickle.dumps(value)) is value
    assert pickle.loads(pickle.dumps(type(value)())) is value


def test_a_path_that_no_url_can_hold_is_named_and_cut() -> None:
    with Client() as client:
        with pytest.raises(ValueError, match=r"'/a\\x00b' can't be a path"):
            client.get("/a\0b", cast_to=object)
        with pytest.raises(ValueError, match=r"aaa\.\.\.' can't be a path") as caught:
            client.tasks.retrieve("a" * 70_000)
    assert len(str(caught.value)) < 200
