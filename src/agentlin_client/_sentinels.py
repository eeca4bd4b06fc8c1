"""The two values that mean "no value": `not_given` and `omit`.

`None` can't play either part: on the wire it is JSON null, and for a time-out it means
"wait for ever".

There is one object of each: what is copied or pickled stays that object.
"""

from collections.abc import Callable
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

    def __reduce__(self) -> tuple[Callable[[], "NotGiven"], tuple[()]]:
        return _the_not_given, ()


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

    def __reduce__(self) -> tuple[Callable[[], "Omit"], tuple[()]]:
        return _the_omit, ()


not_given: Final = NotGiven()
"""The argument was left out, so the client's own value applies."""
NOT_GIVEN: Final = not_given
"""Another name of `not_given`."""
omit: Final = Omit()
"""The parameter, or the header of that name, is not sent at all."""


def _the_not_given() -> NotGiven:
    return not_given


def _the_omit() -> Omit:
    return omit


NoneType: Final = type(None)
"""As `cast_to`: the answer is not looked at."""
