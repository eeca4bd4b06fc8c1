"""What is said when blocking code is given an async thing, or the other way round.

Python's own words ("object does not support the context manager protocol") don't tell what to do
instead. The guards are mixed into clients and streams; they are hidden from type checkers, which
report such a mistake themselves.

Two mistakes are left to Python. To iterate by `async for` over what is blocking: a `Stream` with an
`__aiter__` would count as an AsyncIterable, and frameworks look at that to choose how to iterate.
And a coroutine that nobody awaits, which a RuntimeWarning names: something else in its place would
break `asyncio.create_task` and its like.

A guard is a property that raises: `with` looks `__enter__` up before it does anything else, and the
error comes from there. There is no `__exit__`, so a guarded object is no context manager of the
other kind to `isinstance`; and the error is an AttributeError too, so it has none to `hasattr`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NoReturn


class WrongContextError(TypeError, AttributeError):
    """A thing was entered in the other kind of code."""


class AsyncContextGuard:
    """For async classes that are entered: refuses to be entered by blocking code."""

    __slots__ = ()

    if not TYPE_CHECKING:

        @property
        def __enter__(self) -> NoReturn:
            raise _wrong_with(
                self, instead="async with", used="with", where="async", client="Client"
            )


class AsyncIterationGuard:
    """For async classes that are iterated over: refuses to be by blocking code."""

    __slots__ = ()

    if not TYPE_CHECKING:
        # Not `__iter__`, which would make it an Iterable for those who look. Python's `for` asks
        # for the first element by its index, too.
        def __getitem__(self, index: object) -> NoReturn:
            name = type(self).__name__.lstrip("_")
            raise TypeError(f"{name} is async: write `async for`, not `for`, or use Client")


class ContextGuard:
    """For blocking classes that are entered: refuses to be entered by async code."""

    __slots__ = ()

    if not TYPE_CHECKING:

        @property
        def __aenter__(self) -> NoReturn:
            raise _wrong_with(
                self, instead="with", used="async with", where="blocking", client="AsyncClient"
            )


def check_http_client(http_client: object, kind: Literal["Client", "AsyncClient"]) -> None:
    """Make sure that a client is given an HTTP client of its own kind.

    Args:
        http_client: What it is given.
        kind: Name of the class in httpx; our client of that kind has the same name.

    Raises:
        TypeError: It is of the other kind, or something else; the message says what to do.
    """
    import httpx

    if isinstance(http_client, getattr(httpx, kind)):
        return
    if isinstance(http_client, type):
        given, hint = http_client.__name__, ": pass an instance, not the class"
    else:
        given, hint = type(http_client).__name__, ""
    if isinstance(http_client, httpx.Client | httpx.AsyncClient):
        other = "Client" if kind == "AsyncClient" else "AsyncClient"
        hint = f": give it to {other}, or make an httpx.{kind}"
    raise TypeError(f"http_client must be an httpx.{kind}, not {given}{hint}")


def _wrong_with(
    thing: object, *, instead: str, used: str, where: str, client: str
) -> WrongContextError:
    return WrongContextError(
        f"{type(thing).__name__} is for {where} code: write `{instead}`, not `{used}`, "
        f"or use {client}"
    )
