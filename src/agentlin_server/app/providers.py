"""From settings to model providers, and which model is the default one."""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from agentlin_server.domain.errors import ModelNotFoundError
from agentlin_server.domain.model import Model
from agentlin_server.models.choice import ModelChoice, ModelLister, choose_model
from agentlin_server.models.local import SMOLLM2, EngineOptions, LocalModel, list_local_models
from agentlin_server.models.local.weights import PROVIDER as LOCAL
from agentlin_server.models.local.weights import Progress
from agentlin_server.models.openai import OpenAIModel
from agentlin_server.models.registry import ModelRegistry
from agentlin_server.models.script import load_script
from agentlin_server.models.scripted import ScriptedModel
from agentlin_server.models.timeouts import ModelTimeouts
from agentlin_server.settings import Settings, SettingsError

OPENAI_URL: Final = "https://api.openai.com/v1"

Providers = dict[str, Model | Callable[[], Model]]


@dataclass(frozen=True, slots=True)
class Models:
    """The providers, and the model of agents that name none."""

    registry: ModelRegistry
    choice: ModelChoice


async def open_models(settings: Settings, *, progress: Progress | None = None) -> Models:
    """Set the providers up and choose the default model; nothing is fetched yet.

    Args:
        settings: The server's settings.
        progress: Told how far a fetch of weights is, should the first call need one.

    Raises:
        SettingsError: a provider's settings can't be, or `default_provider` or the default
            model's provider is none of them.
        ModelError: the configured provider can't be asked for its models.
    """
    try:
        providers = _providers(settings, progress)
    except ValueError as exc:  # a base URL or a key that can't be one, or a faulty script
        raise SettingsError(str(exc)) from exc
    async with AsyncExitStack() as on_failure:  # what was asked for its models holds connections
        for adapter in providers.values():
            if isinstance(adapter, OpenAIModel):
                on_failure.push_async_callback(adapter.aclose)
        choice = await _choose(settings, providers)
        default = settings.default_provider or choice.name.partition("/")[0]
        if settings.default_provider is not None and default not in providers:
            known = ", ".join(sorted(providers))
            raise SettingsError(f"AGENTLIN_DEFAULT_PROVIDER: {default!r} is none of {known}")
        registry = ModelRegistry(providers, default if default in providers else None)
        try:
            registry.resolve(choice.name)
        except ModelNotFoundError as exc:
            raise SettingsError(f"AGENTLIN_MODEL: {exc}") from exc
        on_failure.pop_all()
    return Models(registry, choice)


def _providers(settings: Settings, progress: Progress | None) -> Providers:
    answers = () if settings.script is None else load_script(settings.script)
    return {
        "scripted": ScriptedModel(answers),
        LOCAL: lambda: LocalModel(
            cache_dir=settings.models_dir,
            options=EngineOptions(n_ctx=settings.local_context_tokens),
            progress=progress,
        ),
        **_compatible(settings),
    }


def _compatible(settings: Settings) -> Mapping[str, OpenAIModel]:
    """Return the adapters of the OpenAI-compatible providers; none connects before it is used."""
    timeouts = ModelTimeouts(
        connect_s=settings.model_connect_s,
        first_token_s=settings.model_first_token_s,
        idle_s=settings.model_idle_s,
    )
    wanted = {
        "openai": (settings.openai_base_url or OPENAI_URL, settings.openai_api_key),
        "ollama": (settings.ollama_base_url, None),
        **{name: (one.base_url, one.api_key) for name, one in settings.providers.items()},
    }
    return {
        name: OpenAIModel(
            provider=name,
            base_url=base_url,
            api_key=None if key is None else key.get_secret_value(),
            timeouts=timeouts,
        )
        for name, (base_url, key) in wanted.items()
    }


async def _choose(settings: Settings, providers: Providers) -> ModelChoice:
    has_openai = settings.openai_api_key is not None or settings.openai_base_url is not None
    names = [*(["openai"] if has_openai else []), *settings.providers]
    configured = [one for name in names if isinstance(one := providers[name], OpenAIModel)]
    ollama = providers["ollama"]
    running: list[ModelLister] = [ollama] if isinstance(ollama, OpenAIModel) else []
    cached = [] if settings.model else list_local_models(settings.models_dir)
    # Weights that someone put there count more than the small model that is always to be had.
    cached.sort(key=lambda weights: weights.name == SMOLLM2.name)
    return await choose_model(
        named=settings.model,
        configured=configured,
        running=running,
        cached=[f"{LOCAL}/{weights.name}" for weights in cached],
        fallback=f"{LOCAL}/{SMOLLM2.name}",
    )
