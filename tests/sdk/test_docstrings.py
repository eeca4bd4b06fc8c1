"""What a docstring says of a function and its parameters, in all styles."""

import pytest

from agentlin_client.lib.docstrings import Docstring, parse_docstring

GOOGLE = """Do it.

    More about it,
    in two lines.

    Args:
        a (int, optional): First
            of all.
        b: Second: with a colon.
        *rest (dict(str, int)): All else.
        c:
            On its own line.

    Returns:
        int: Gone.

    Raises:
        ValueError: Gone too.

    Note:
        Kept.
    """
NUMPY = """Do it.

    More about it,
    in two lines.

    Parameters
    ----------
    a : int, optional
        First
        of all.
    b, rest
        Shared.
    c : str

    Returns
    -------
    int
        Gone.

    Notes
    -----
    Kept.
    """
SPHINX = """Do it.

    More about it,
    in two lines.

    :param int a: First
        of all.
    :type a: int
    :param b: Second: with a colon.
    :returns: Gone.
    :raises ValueError: Gone too.

    Kept.
    """
TEXT = "Do it.\n\nMore about it,\nin two lines.\n\n"


@pytest.mark.parametrize(
    ("docstring", "parsed"),
    [
        (
            GOOGLE,
            Docstring(
                TEXT + "Note:\n    Kept.",
                {
                    "a": "First of all.",
                    "b": "Second: with a colon.",
                    "rest": "All else.",
                    "c": "On its own line.",
                },
            ),
        ),
        (
            NUMPY,
            Docstring(
                TEXT + "Notes\n-----\nKept.",
                {"a": "First of all.", "b": "Shared.", "rest": "Shared."},
            ),
        ),
        (
            SPHINX,
            Docstring(TEXT + "Kept.", {"a": "First of all.", "b": "Second: with a colon."}),
        ),
        (None, Docstring("")),
        ("Returns\nwhat it found.", Docstring("Returns\nwhat it found.")),
        ("Args: none to speak of.", Docstring("Args: none to speak of.")),
        ("Do.\n\nExample:\n    x: y", Docstring("Do.\n\nExample:\n    x: y")),
    ],
    ids=["google", "numpy", "sphinx", "none", "words", "prose", "example"],
)
def test_docstrings_of_all_styles_are_understood(docstring: str | None, parsed: Docstring) -> None:
    assert parse_docstring(docstring) == parsed
