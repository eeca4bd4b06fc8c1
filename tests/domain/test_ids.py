"""Which ids are taken, and how new ones look."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlin_server.domain.errors import InvalidIdError, InvalidRequestError
from agentlin_server.domain.ids import checked_id, new_id

_CHARS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-"


@given(st.text(_CHARS, min_size=1, max_size=128).filter(lambda value: value[0] != "."))
def test_an_id_of_the_allowed_characters_is_taken_as_it_is(value: str) -> None:
    assert checked_id(value, field="task_id") == value


@given(st.text(max_size=200))
def test_any_text_is_refused_unless_the_rule_of_the_contract_fits(value: str) -> None:
    fits = 1 <= len(value) <= 128 and set(value) <= set(_CHARS) and value[0] != "."
    if fits:
        assert checked_id(value, field="id") == value
    else:
        with pytest.raises(InvalidIdError):
            checked_id(value, field="id")


@pytest.mark.parametrize(
    "value", ["", ".", ".hidden", "..", "a b", "a/b", "a\n", "\u0661", "\u00e9", "x" * 129]
)
def test_an_odd_id_is_refused_and_never_repeated_in_the_error(value: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        checked_id(value, field="session_id")
    (problem,) = caught.value.problems
    assert problem["loc"] == ["session_id"]
    assert set(problem) == {"loc", "msg", "type"}


def test_new_ids_are_valid_and_differ() -> None:
    made = {new_id("task_") for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch(r"task_[0-9a-f]{24}", checked_id(one, field="id")) for one in made)
