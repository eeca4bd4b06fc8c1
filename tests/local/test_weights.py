"""Names and places of local weights."""

import subprocess
import sys
from pathlib import Path

import pytest

from agentlin_server.models.local import (
    SMOLLM2,
    WeightsError,
    default_cache_dir,
    find_weights,
    list_local_models,
)
from agentlin_server.models.local.weights import cached_file_name


def test_importing_the_package_loads_no_engine_and_no_http_client() -> None:
    code = (
        "import sys, agentlin_server.models.local as local; "
        "print({'xllamacpp', 'httpx', 'aiohttp', 'anyio', 'msgspec'} & set(sys.modules)); "
        "from agentlin_server.models.local import LocalModel, pull, list_local_models; "
        "print({'xllamacpp', 'httpx', 'aiohttp'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["set()", "set()"]


def test_every_public_name_resolves() -> None:
    from agentlin_server.models import local

    assert all(getattr(local, name) is not None for name in local.__all__)
    assert dir(local) == sorted(local.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = local.nothing


def test_a_missing_folder_has_no_models(tmp_path: Path) -> None:
    assert list_local_models(tmp_path / "nowhere") == []


def test_models_are_listed_by_name_and_what_is_no_gguf_is_not_listed(tmp_path: Path) -> None:
    for name in ("Zephyr-7B.gguf", SMOLLM2.file_name, "alpha.gguf"):
        (tmp_path / name).write_bytes(b"GGUF....")
    (tmp_path / "page.gguf").write_text("<html>")
    (tmp_path / "folder.gguf").mkdir()
    (tmp_path / "notes.txt").write_bytes(b"GGUF....")
    assert [model.name for model in list_local_models(tmp_path)] == [
        "Zephyr-7B",
        "alpha",
        "smollm2",
    ]


@pytest.mark.parametrize("name", ["smollm2", "SmolLM2", SMOLLM2.file_name.removesuffix(".gguf")])
def test_known_weights_are_found_by_their_name_and_by_their_stem(tmp_path: Path, name: str) -> None:
    (tmp_path / SMOLLM2.file_name).write_bytes(b"GGUF")
    found = find_weights(name, tmp_path)
    assert found is not None
    assert (found.name, found.known) == ("smollm2", SMOLLM2)


def test_the_exact_name_wins_over_another_case(tmp_path: Path) -> None:
    for stem in ("Model", "model"):
        (tmp_path / f"{stem}.gguf").write_bytes(b"GGUF")
    found = find_weights("model", tmp_path)
    assert found is not None
    assert found.path.stem == "model"
    assert find_weights("other", tmp_path) is None


@pytest.mark.parametrize(
    ("original", "kept"),
    [
        ("Qwen3-0.6B-Q8_0.gguf", "Qwen3-0.6B-Q8_0.gguf"),
        ("my model (1).GGUF", "my-model-1-.gguf"),
        ("..hidden.gguf", "hidden.gguf"),
        ("ü.gguf", "model.gguf"),
    ],
)
def test_a_file_name_is_kept_as_far_as_it_makes_a_model_name(original: str, kept: str) -> None:
    assert cached_file_name(original) == kept


@pytest.mark.parametrize(
    ("original", "why"),
    [
        ("model.bin", "not a .gguf file"),
        (".gguf", "not a .gguf file"),
        ("big-00001-of-00003.gguf", "one part of a split model"),
        ("SmolLM2.gguf", "rename the file"),
    ],
)
def test_a_name_that_makes_no_model_is_refused_with_the_reason(original: str, why: str) -> None:
    with pytest.raises(WeightsError, match=why):
        cached_file_name(original)


def test_weights_lie_in_the_users_cache_folder() -> None:
    assert default_cache_dir().parts[-2:] == ("agentlin", "models")
