"""Which model to use when nobody named one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import anyio

from agentlin_server.domain.errors import ModelError, ModelNotFoundError

PROBE_TIMEOUT_S: Final = 0.5
"""How long a service that may run on this machine has to answer, in seconds."""

_OPENAI_PREFERRED: Final = ("gpt-5-mini", "gpt-4.1-mini", "gpt-4o-mini")
"""Small, cheap and good enough for a first task; OpenAI lists some hundred models, unordered."""
_NO_CHAT: Final = ("embed", "whisper", "tts", "rerank", "moderation", "dall-e")
"""Parts of the names of models that can't hold a conversation."""


class ModelLister(Protocol):
    """A provider that can say which models it has, e.g. `OpenAIModel`."""

    @property
    def provider(self) -> str:
        """The provider's name."""
        ...

    async def list_models(self) -> list[str]:
        """Return the names of its models; raises ModelError."""
        ...


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model and why it was chosen.

    Attributes:
        name: `provider/model`.
        reason: Completes the sentence "this model, because ...".
    """

    name: str
    reason: str


async def choose_model(
    *,
    named: str | None,
    configured: Sequence[ModelLister] = (),
    running: Sequence[ModelLister] = (),
    cached: Sequence[str] = (),
    fallback: str,
) -> ModelChoice:
    """Return the model to use: the first of what is there, in the order of the arguments.

    Args:
        named: The model that the operator named; wins over everything.
        configured: Providers with a configured key or URL. The first one is used; if it fails,
            so does the choice, for a silent switch to another model would surprise.
        running: Services that may run on this machine (Ollama); each is asked, briefly.
        cached: Names (`local/...`) of weights in the cache, best first.
        fallback: Name of the model that can always be fetched.

    Raises:
        ModelError: the configured provider can't be asked.
        ModelNotFoundError: it has no model that can be chosen for the operator.
    """
    if named:
        return ModelChoice(named, "it was named")
    for lister in configured:
        return ModelChoice(
            f"{lister.provider}/{_choose(lister, await lister.list_models())}",
            f"the provider {lister.provider!r} is configured",
        )
    for lister in running:
        names: list[str] = []
        with anyio.move_on_after(PROBE_TIMEOUT_S):
            try:
                names = _chat_models(await lister.list_models())
            except ModelError:
                continue  # it does not run, which is no error
        if names:
            return ModelChoice(f"{lister.provider}/{names[0]}", f"{lister.provider} runs here")
    for name in cached:
        return ModelChoice(name, "its weights are in the cache")
    return ModelChoice(fallback, "nothing else is configured, running or cached")


def _choose(lister: ModelLister, names: Sequence[str]) -> str:
    for preferred in _OPENAI_PREFERRED:
        if preferred in names:
            return preferred
    if not (usable := _chat_models(names)):
        raise ModelNotFoundError(
            f"the provider {lister.provider!r} lists no model to choose; name one as "
            f"{lister.provider}/<model>",
            provider=lister.provider,
        )
    return usable[0]


def _chat_models(names: Sequence[str]) -> list[str]:
    return [name for name in names if not any(part in name.lower() for part in _NO_CHAT)]
