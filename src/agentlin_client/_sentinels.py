"""The two values that mean "no value": `not_given` and `omit`.

`None` can't play either part: on the wire it is JSON null, and for a time-out it means
"wait for ever".
"""

from typing import Final, Literal, final


@final
class NotGiven:
    """The type of `not_given`: the argument was left out, so the client's own value applies.

    >>> bool(not_given)
    False
    """

    __slots__ = ()

    def __bool__(self) -> Literal[False]:
        return False

    def __repr__(self) -> str:
        return "NOT_GIVEN"


@final
class Omit:
    """The type of `omit`: the parameter, or the header of that name, is not sent at all.

    >>> bool(omit)
    False
    """

    __slots__ = ()

    def __bool__(self) -> Literal[False]:
        return False

    def __repr__(self) -> str:
        return "omit"


not_given: Final = NotGiven()
"""The argument was left out, so the client's own value applies."""
NOT_GIVEN: Final = not_given
"""Another name of `not_given`."""
omit: Final = Omit()
"""The parameter, or the header of that name, is not sent at all."""

NoneType: Final = type(None)
"""As `cast_to`: the answer is not looked at."""
