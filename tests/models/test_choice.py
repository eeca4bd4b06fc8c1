"""The model that is used when nobody named one."""

from dataclasses import dataclass, field

import anyio
import pytest

from agentlin_server.domain.errors import ModelError, ModelNotFoundError, ModelUnavailableError
from agentlin_server.models import choice
from agentlin_server.models.choice import choose_model

pytestmark = pytest.mark.anyio


@dataclass
class FakeLister:
    provider: str
    models: list[str] = field(default_factory=list)
    error: ModelError | None = None
    hangs: bool = False

    async def list_models(self) -> list[str]:
        if self.hangs:
            await anyio.sleep_forever()
        if self.error is not None:
            raise self.error
        return self.models


DOWN = ModelUnavailableError("down", provider="x")
CLOUD = FakeLister("openai", ["gpt-9-embed", "gpt-4o-mini", "gpt-4.1-mini"])
OLLAMA = FakeLister("ollama", ["nomic-embed-text", "llama3"])


async def chosen(**arguments: object) -> str:
    options = {"named": None, "fallback": "local/smol", **arguments}
    with anyio.fail_after(5):
        return (await choose_model(**options)).name


async def test_the_order_is_named_configured_running_cached_fallback() -> None:
    there = {"configured": [CLOUD], "running": [OLLAMA], "cached": ["local/a", "local/b"]}
    assert await chosen(named="x/y", **there) == "x/y"
    assert await chosen(**there) == "openai/gpt-4.1-mini"
    assert await chosen(**{**there, "configured": []}) == "ollama/llama3"
    assert await chosen(cached=["local/a", "local/b"]) == "local/a"
    assert await chosen() == "local/smol"


async def test_a_configured_provider_that_fails_fails_the_choice() -> None:
    with pytest.raises(ModelUnavailableError):
        await chosen(configured=[FakeLister("openai", error=DOWN)], running=[OLLAMA])
    with pytest.raises(ModelNotFoundError, match="name one as openai/<model>"):
        await chosen(configured=[FakeLister("openai", ["text-embedding-3"])])


async def test_a_configured_provider_with_one_model_uses_it() -> None:
    assert await chosen(configured=[FakeLister("openai", ["Qwen/Qwen3"])]) == "openai/Qwen/Qwen3"


@pytest.mark.parametrize(
    "absent",
    [
        FakeLister("ollama", error=DOWN),
        FakeLister("ollama", hangs=True),
        FakeLister("ollama", ["embed"]),
    ],
)
async def test_a_service_that_does_not_run_is_passed_over(
    absent: FakeLister, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "PROBE_TIMEOUT_S", 0.01)
    running = [absent, FakeLister("other", ["m"])]
    assert await chosen(running=running) == "other/m"
