"""What the options of clients and requests are made of: names for type hints.

Importing it loads httpx. So a module that a client is built from imports it for type checkers only;
one that is loaded on use imports it for good, which lets `typing.get_type_hints` find the names.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import httpx

from ._retry import Retry
from ._sentinels import Omit

TimeoutTypes: TypeAlias = float | httpx.Timeout | None
"""A time-out in seconds, the same for each phase, or one per phase; None waits for ever."""
HeaderValues: TypeAlias = Mapping[str, str | Omit]
"""Headers of a request; `omit` leaves out the header that would be sent otherwise."""
RetryHook: TypeAlias = Callable[[Retry], object]
"""Called before each wait for another attempt."""
