"""Which adapter a model's name means: `provider/model`, or a bare name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from agentlin_server.domain.errors import ModelNotFoundError
from agentlin_server.domain.model import Model

if TYPE_CHECKING:
    from typing_extensions import TypeIs

_TYPO_SIMILARITY: Final = 0.8


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """A model ready to be called.

    Attributes:
        model_port: The adapter of its provider.
        name: The provider's own name of the model, for `ModelRequest.model`.
    """

    model_port: Model
    name: str

    @property
    def full_name(self) -> str:
        """The name with its provider: `provider/model`."""
        return f"{self.model_port.provider}/{self.name}"


class ModelRegistry:
    """The providers that are configured.

    Args:
        providers: By name, adapters or functions that make one; a function is called once,
            when its provider is first asked for.
        default_provider: Where bare names go; None: they are refused.

    Raises:
        ValueError: `default_provider` is not among `providers`, or a name holds a slash.
    """

    def __init__(
        self,
        providers: Mapping[str, Model | Callable[[], Model]],
        default_provider: str | None = None,
    ) -> None:
        if default_provider is not None and default_provider not in providers:
            raise ValueError(
                f"the default provider {default_provider!r} is not configured "
                f"(known: {_listed(providers)})"
            )
        if slashed := [name for name in providers if "/" in name or not name]:
            raise ValueError(
                f"a provider's name must be non-empty and without a slash: {slashed[0]!r}"
            )
        self._entries = dict(providers)
        self._default = default_provider
        # adapters that were given are closed too: they may have been used before (`choice`)
        self._made = {name: entry for name, entry in providers.items() if _is_model(entry)}

    @property
    def providers(self) -> tuple[str, ...]:
        """The names of the configured providers, sorted."""
        return tuple(sorted(self._entries))

    def resolve(self, name: str) -> ResolvedModel:
        """Return the model that `name` means.

        `name` is split at its first slash, and only if what stands before is a provider:
        `openrouter/meta/llama-3` is the model `meta/llama-3` of `openrouter`. All else is a
        bare name and goes to the default provider, slashes included, unless its head looks
        like a misspelt provider.

        Raises:
            ModelNotFoundError: no such provider; the message lists the known ones.
        """
        head, slash, tail = name.partition("/")
        if slash and head in self._entries:
            return ResolvedModel(self._model(head), self._named(tail, provider=head))
        misspelt = (
            get_close_matches(head, self._entries, n=1, cutoff=_TYPO_SIMILARITY) if slash else []
        )
        if misspelt or self._default is None:
            hint = f"; did you mean {misspelt[0]!r}?" if misspelt else ""
            raise ModelNotFoundError(
                f"no provider is configured for the model {name!r}{hint} "
                f"(known: {_listed(self._entries)})",
                provider=head if slash else "",
            )
        return ResolvedModel(self._model(self._default), self._named(name, provider=self._default))

    async def aclose(self) -> None:
        """Close every adapter that was given or made, also if closing one fails.

        Raises:
            ExceptionGroup: what the failing ones raised.
        """
        failures: list[Exception] = []
        while self._made:
            _, model = self._made.popitem()
            aclose = getattr(model, "aclose", None)
            if aclose is None:
                continue
            try:
                await aclose()
            except Exception as exc:  # noqa: BLE001 - raised below, once the others are closed
                failures.append(exc)
        if failures:
            raise ExceptionGroup("model adapters failed to close", failures)

    def _model(self, provider: str) -> Model:
        if (model := self._made.get(provider)) is None:
            entry = self._entries[provider]
            model = self._made[provider] = entry if _is_model(entry) else entry()
        return model

    def _named(self, name: str, *, provider: str) -> str:
        if not name.strip():
            raise ModelNotFoundError(
                f"the model's name is empty; write {provider}/<model>", provider=provider
            )
        return name


def _is_model(entry: Model | Callable[[], Model]) -> "TypeIs[Model]":
    return hasattr(entry, "stream") and not isinstance(entry, type)


def _listed(names: Mapping[str, object]) -> str:
    return ", ".join(sorted(names)) or "none"
