"""The pytest plugin: three fixtures, loaded by its entry point. At start-up it loads pytest only.

Fixtures:
    agentlin_server: A `FakeServer` without scripts, new in each test.
    agentlin_client: A `Client` of it.
    agentlin_async_client: An `AsyncClient` of it.
"""

# Type checkers take the name for true.
TYPE_CHECKING = False

import pytest  # noqa: E402  # after the name that is none of the imports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentlin_client import AsyncClient, Client

    from ._server import FakeServer


@pytest.fixture
def agentlin_server() -> "FakeServer":
    """An agentlin server in memory; give it scripts, then use `agentlin_client`."""
    from ._server import FakeServer

    return FakeServer()


@pytest.fixture
def agentlin_client(agentlin_server: "FakeServer") -> "Iterator[Client]":
    """A client of `agentlin_server`."""
    with agentlin_server.client() as client:
        yield client


@pytest.fixture
def agentlin_async_client(agentlin_server: "FakeServer") -> "AsyncClient":
    """An async client of `agentlin_server`, for tests under any async plugin."""
    # It is not closed: that would need an event loop here, and there is no connection to close.
    return agentlin_server.async_client()
