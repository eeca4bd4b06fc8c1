"""A model's name finds its provider."""

import pytest

from agentlin_server.domain.errors import ModelNotFoundError
from agentlin_server.domain.model import Model
from agentlin_server.models.registry import ModelRegistry
from agentlin_server.models.scripted import ScriptedModel

pytestmark = pytest.mark.anyio


class FakeModel(ScriptedModel):
    """A scripted model under another name, which can be closed."""

    def __init__(self, name: str, *, is_broken: bool = False) -> None:
        super().__init__()
        self._name = name
        self._is_broken = is_broken
        self.is_closed = False

    @property
    def provider(self) -> str:
        return self._name

    async def aclose(self) -> None:
        self.is_closed = True
        if self._is_broken:
            raise OSError(f"{self._name} does not close")


@pytest.mark.parametrize(
    ("name", "provider", "model"),
    [
        ("openai/gpt", "openai", "gpt"),
        ("openrouter/meta/llama-3", "openrouter", "meta/llama-3"),
        ("gpt", "openai", "gpt"),
        ("meta/llama-3", "openai", "meta/llama-3"),
        ("openai/openai/gpt", "openai", "openai/gpt"),
        ("gpt-4:latest", "openai", "gpt-4:latest"),
    ],
)
async def test_a_name_is_split_at_the_first_slash_after_a_provider(
    name: str, provider: str, model: str
) -> None:
    registry = ModelRegistry({p: FakeModel(p) for p in ("openai", "openrouter")}, "openai")
    resolved = registry.resolve(name)
    assert (resolved.model_port.provider, resolved.name) == (provider, model)
    assert resolved.full_name == f"{provider}/{model}"


async def test_an_unknown_provider_is_refused_with_the_known_ones() -> None:
    registry = ModelRegistry({"local": FakeModel("local"), "openai": FakeModel("openai")})
    with pytest.raises(ModelNotFoundError, match=r"'nope/x' \(known: local, openai\)") as caught:
        registry.resolve("nope/x")
    assert caught.value.provider == "nope"
    with pytest.raises(ModelNotFoundError, match=r"'bare' \(known"):
        registry.resolve("bare")
    with pytest.raises(ModelNotFoundError, match="known: none"):
        ModelRegistry({}).resolve("bare")


async def test_a_misspelt_provider_does_not_go_to_the_default_one() -> None:
    registry = ModelRegistry({"openai": FakeModel("openai")}, "openai")
    with pytest.raises(ModelNotFoundError, match="did you mean 'openai'"):
        registry.resolve("opneai/gpt")


@pytest.mark.parametrize("name", ["", " ", "openai/", "openai/ "])
async def test_an_empty_name_is_refused(name: str) -> None:
    with pytest.raises(ModelNotFoundError, match="openai/<model>"):
        ModelRegistry({"openai": FakeModel("openai")}, "openai").resolve(name)


async def test_a_default_that_is_not_configured_or_a_name_with_a_slash_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'x' is not configured \(known: openai\)"):
        ModelRegistry({"openai": FakeModel("openai")}, "x")
    with pytest.raises(ValueError, match="without a slash: 'a/b'"):
        ModelRegistry({"a/b": FakeModel("a/b")})


async def test_an_adapter_is_made_once_when_first_asked_for_and_closed_in_the_end() -> None:
    made: list[FakeModel] = []

    def make() -> Model:
        made.append(FakeModel("lazy"))
        return made[-1]

    registry = ModelRegistry({"lazy": make, "other": make, "plain": ScriptedModel()})
    assert made == []
    assert registry.resolve("lazy/a").model_port is registry.resolve("lazy/b").model_port
    registry.resolve("plain/a")
    assert len(made) == 1
    assert registry.providers == ("lazy", "other", "plain")
    await registry.aclose()
    assert made[0].is_closed
    assert len(made) == 1


async def test_one_that_fails_to_close_does_not_keep_the_others_open() -> None:
    models = [FakeModel("a", is_broken=True), FakeModel("b"), FakeModel("c", is_broken=True)]
    registry = ModelRegistry({model.provider: model for model in models})
    registry.resolve("a/x")
    with pytest.raises(ExceptionGroup) as caught:
        await registry.aclose()
    assert len(caught.value.exceptions) == 2
    assert all(model.is_closed for model in models)
