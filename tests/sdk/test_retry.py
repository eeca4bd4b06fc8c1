"""Which failures are retried, and after how long."""

import time
from collections.abc import Iterator
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlin_client._retry import is_retryable, retry_delay_s

NOW_S = 1_790_000_000.0


@pytest.fixture
def far_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A local time that is eleven hours from UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "XYZ-11")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 599])
def test_these_statuses_are_retried_unless_the_server_says_no(status: int) -> None:
    assert is_retryable(status, {})
    assert not is_retryable(status, {"x-should-retry": "false"})


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 405, 413, 415, 422])
def test_these_statuses_are_final_unless_the_server_says_otherwise(status: int) -> None:
    assert not is_retryable(status, {})
    assert is_retryable(status, {"x-should-retry": "true"})


@pytest.mark.parametrize(
    ("headers", "delay_s"),
    [
        ({"retry-after": "20"}, 20),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after": "60"}, 60),
        ({"retry-after": formatdate(NOW_S + 30, usegmt=True)}, 30),
        ({"retry-after-ms": "1500", "retry-after": "20"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "20"}, 20),
    ],
)
def test_the_wait_that_the_server_asks_for_is_kept_to_the_letter(
    headers: dict[str, str], delay_s: float
) -> None:
    assert retry_delay_s(0, headers, now_s=NOW_S, jitter=1.0) == delay_s


@pytest.mark.usefixtures("far_zone")
@pytest.mark.parametrize("zone", [" -0000", "", " GMT", " +0000"])
def test_a_date_without_a_zone_is_in_utc_wherever_the_client_runs(zone: str) -> None:
    date = formatdate(NOW_S + 30, usegmt=True).removesuffix(" GMT") + zone
    assert retry_delay_s(0, {"retry-after": date}, now_s=NOW_S, jitter=0.0) == 30


@pytest.mark.parametrize(
    "value",
    [
        "61",
        "0",
        "-10",
        "nan",
        "inf",
        "1e999",
        "soon",
        "",
        "99999999999999999999",
        formatdate(NOW_S + 90),
        formatdate(NOW_S - 5),
    ],
)
def test_any_other_wait_gives_way_to_the_back_off(value: str) -> None:
    assert retry_delay_s(1, {"retry-after": value}, now_s=NOW_S, jitter=0.0) == 1.0


@given(st.integers(0, 10**6), st.floats(0, 1))
def test_the_back_off_doubles_to_its_cap_and_jitter_takes_at_most_a_quarter(
    retries_taken: int, jitter: float
) -> None:
    full_s = min(0.5 * 2 ** min(retries_taken, 20), 8.0)
    delay_s = retry_delay_s(retries_taken, {}, now_s=NOW_S, jitter=jitter)
    assert 0.75 * full_s <= delay_s <= full_s
