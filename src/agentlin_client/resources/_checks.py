"""Misspelt parameters of the methods that hand theirs on, told before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._calls import HelperOptions, with_task_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentlin_client._config import HeaderValues


def checked_params(
    method: Callable[..., Any], params: HelperOptions, default_headers: HeaderValues
) -> HelperOptions:
    """Return what a method got besides its own parameters, with an id for the task; all checked.

    Args:
        method: The method, as it was called: its name, and its own parameters, are for the message.
        params: The others, by name: they are to be parameters of `create`.
        default_headers: Those of the client.

    Raises:
        TypeError: There is no such parameter; the message names the nearest one.
    """
    unknown = [name for name in params if name not in HelperOptions.__annotations__]
    if not unknown:
        return with_task_id(params, default_headers)
    from difflib import get_close_matches
    from inspect import signature

    known = [*signature(method).parameters, *HelperOptions.__annotations__]
    known.remove("params")
    near = get_close_matches(unknown[0], known, n=1)
    hint = f": did you mean {near[0]!r}?" if near else ""
    raise TypeError(f"tasks.{method.__name__}() has no parameter {unknown[0]!r}{hint}")
