"""A thousand clients are a thousand open files: the server makes room for them."""

import resource
from collections.abc import Iterator

import pytest

from agentlin_server.app.serve import raise_file_limit


@pytest.fixture
def hard() -> Iterator[int]:
    """Return the hard limit; the soft one is put back afterwards."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _soft_after(soft: int, hard: int) -> int:
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    raise_file_limit()
    now, still = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert still == hard
    return now


def test_a_low_limit_is_raised_as_far_as_needed_and_allowed(hard: int) -> None:
    enough = 10_240 if hard == resource.RLIM_INFINITY else min(10_240, hard)
    assert _soft_after(min(512, enough), hard) == enough


def test_a_higher_limit_is_left_alone(hard: int) -> None:
    if hard != resource.RLIM_INFINITY and hard <= 10_240:
        pytest.skip("this system allows no higher one")
    assert _soft_after(10_241, hard) == 10_241
