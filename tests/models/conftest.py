"""Fixtures of the adapter tests: a provider, and adapters that talk to it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from agentlin_server.models.openai import OpenAIModel, RetryPolicy
from tests.models.drive import (
    Make,
    Pauses,
    adapter,
)
from tests.models.mock_provider import (
    MockProvider,
    mock_provider,
)


@pytest.fixture
async def provider() -> AsyncIterator[MockProvider]:
    async with mock_provider() as server:
        yield server


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Make adapters that are closed after the test."""
    made: list[OpenAIModel] = []

    def make(base_url: str, **options: Any) -> OpenAIModel:
        made.append(adapter(base_url, **options))
        return made[-1]

    yield make
    for model in made:
        await model.aclose()


@pytest.fixture
async def model(provider: MockProvider, pauses: Pauses, make: Make) -> OpenAIModel:
    return make(provider.base_url, retries=RetryPolicy(sleep=pauses.sleep, jitter=lambda: 0.0))
