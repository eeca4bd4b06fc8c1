"""What every test runs under: one event loop, reproducible examples, no network but loopback."""

import ipaddress
import os
import sys
from typing import Any

import pytest
from hypothesis import settings

# Machines are noisy, so no example has a deadline. In CI the examples are the same in every run:
# a failure there is always the change's own.
settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


def _is_loopback(host: object) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False


def _refuse_foreign_addresses(event: str, args: tuple[Any, ...]) -> None:
    """Refuse to connect anywhere but to this machine, whichever library asks.

    An audit hook, so that C extensions built on the socket module are seen too. Child processes
    and uvloop are not: the guard catches mistakes, not malice.
    """
    if event != "socket.connect":
        return
    address = args[1]
    if isinstance(address, tuple) and not _is_loopback(address[0]):
        raise PermissionError(f"a test tried to connect to {address!r}; tests stay on loopback")


sys.addaudithook(_refuse_foreign_addresses)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Run async tests on plain asyncio, which shows its tasks better than uvloop."""
    return "asyncio", {"use_uvloop": False}
