"""Drives the OpenAI-compatible adapter in tests."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from agentlin_server.domain import errors as e
from agentlin_server.domain.model import (
    Chunk,
    ModelRequest,
    TextDelta,
)
from agentlin_server.models.openai import OpenAIModel
from tests.models.mock_provider import (
    DONE,
    SSE_HEAD,
    Act,
    delta,
)

KEY = "sk-test-0123456789abcdef"
REQUEST = ModelRequest(
    model="m-1", messages=[{"role": "user", "content": "Hi"}], output_tokens_max=9
)
HI = delta(content="Hi")
END = delta("stop") + DONE
WHOLE = (SSE_HEAD, HI + END, Act.CLOSE)


Make = Callable[..., OpenAIModel]
"""Makes an adapter that is closed after the test; arguments as of `adapter`."""


class Pauses(list[float]):
    """Stands in for sleeping: notes the pauses."""

    async def sleep(self, seconds: float) -> None:
        self.append(seconds)


def adapter(base_url: str, **options: Any) -> OpenAIModel:
    return OpenAIModel(**{"provider": "acme", "base_url": base_url, "api_key": KEY, **options})


async def batches_of(model: OpenAIModel, request: ModelRequest = REQUEST) -> list[list[Chunk]]:
    with anyio.fail_after(5):
        async with model.stream(request) as batches:
            return [list(batch) async for batch in batches]


async def chunks_of(model: OpenAIModel, request: ModelRequest = REQUEST) -> list[Chunk]:
    return [chunk for batch in await batches_of(model, request) for chunk in batch]


async def failing_after_hi(model: OpenAIModel) -> BaseException:
    """Return what a stream raises after its first batch, which holds `Hi` alone."""
    with anyio.fail_after(5):
        async with model.stream(REQUEST) as batches:
            assert await anext(batches) == [TextDelta("Hi")]
            with pytest.raises(e.ModelError) as caught:
                await anext(batches)
    return caught.value
