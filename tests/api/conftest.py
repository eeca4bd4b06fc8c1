"""What the tests of the HTTP interface share."""

from collections.abc import AsyncIterator

import pytest

from tests.api.serving import Api, Scripted, scripted_with, serving


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """A service whose model echoes."""
    async with serving() as api:
        yield api


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    """`async with scripted([answers], **settings) as api`: a service that plays a script."""
    return scripted_with(monkeypatch)
