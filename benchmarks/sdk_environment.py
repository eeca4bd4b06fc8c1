"""Where the SDKs are measured: virtual environments with the published ones, and ours from `src`.

One interpreter, one httpx and one pydantic serve all subjects, in the versions that ours is tested
with. There are two environments, because generated SDKs import aiohttp wherever it is installed:
only rows that use it pay for it.
"""

import hashlib
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.processes import ROOT, BenchmarkError, environment, run_to_end
from benchmarks.sdk_published_events import source
from benchmarks.sdk_subjects import EVENTS_MODULE

PUBLISHED: Final = "agentlin-client==1.14.0"
OPENAI: Final = "openai==3.54.0"
HTTPX_AIOHTTP: Final = "httpx-aiohttp==0.2.0"
AS_TESTED: Final = ("anyio", "h11", "httpcore", "httpx", "pydantic", "typing-extensions")
"""Packages that all subjects share, in the versions of `requirements/test.txt`."""
CACHE: Final = ROOT / ".pytest_cache" / "d" / "benchmarks"
"""Beside the published clients of the tests: git ignores it, `make clean` removes it."""
INSTALL_TIMEOUT_S: Final = 300.0
_VERSIONS: Final = """
from importlib.metadata import version
for name in ("agentlin-client", "openai", "httpx", "pydantic", "pydantic-core", "anyio",
             "aiohttp", "httpx-aiohttp"):
    print(name, version(name))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pythons:
    """The interpreters of the two environments, and what is on the path besides them.

    Attributes:
        base: The environment of rows that do not use aiohttp.
        aiohttp: The same with aiohttp.
        source: The folder that holds our `agentlin_client`.
        events: The folder that holds the module of the published events.
    """

    base: Path
    aiohttp: Path
    source: Path
    events: Path

    def variables(self, subject: str) -> dict[str, str]:
        """Return the whole environment of a subject's process."""
        own = self.source if subject == "ours" else self.events
        path = os.pathsep.join([str(ROOT), str(own)])
        kept = environment({"PYTHONPATH": path})
        kept.pop("PYTHONDONTWRITEBYTECODE", None)  # byte code is written once, then measured
        return kept

    def versions(self) -> dict[str, str]:
        """Return the versions of the packages that are compared, name -> version."""
        output = run_to_end(
            [str(self.aiohttp), "-c", _VERSIONS],
            core=None,
            timeout_s=INSTALL_TIMEOUT_S,
            env=self.variables("published"),
        )
        return dict(line.split() for line in output.splitlines())

    def check(self) -> None:
        """Check that each process finds the `agentlin_client` that it should.

        Raises:
            BenchmarkError: It finds another one.
        """
        program = "import agentlin_client; print(agentlin_client.__file__)"
        for python in (self.base, self.aiohttp):
            for subject in ("ours", "published"):
                command, env = [str(python), "-c", program], self.variables(subject)
                found = run_to_end(command, core=None, timeout_s=INSTALL_TIMEOUT_S, env=env)
                if Path(found.strip()).is_relative_to(self.source) != (subject == "ours"):
                    raise BenchmarkError(f"{subject} was to be imported, but {found} was")


def prepare(folder: Path, source_folder: Path) -> Pythons:
    """Return the interpreters, installed now if they are not in the cache.

    Args:
        folder: Where the module of the published events is written.
        source_folder: Where our `agentlin_client` is.

    Raises:
        BenchmarkError: pip failed; its words are the message.
    """
    (folder / f"{EVENTS_MODULE}.py").write_text(source())
    pins = pinned_versions()
    base = [PUBLISHED, OPENAI, *(f"{name}=={pins[name]}" for name in AS_TESTED)]
    aiohttp = [*base, HTTPX_AIOHTTP, f"aiohttp=={pins['aiohttp']}"]
    pythons = Pythons(
        base=_installed(base), aiohttp=_installed(aiohttp), source=source_folder, events=folder
    )
    pythons.check()
    return pythons


def pinned_versions() -> Mapping[str, str]:
    """Return the pinned version of every package that the tests run with."""
    text = (ROOT / "requirements" / "test.txt").read_text()
    return dict(re.findall(r"^([a-z0-9.-]+)==([^\s;]+)", text, flags=re.MULTILINE))


def _installed(requirements: list[str]) -> Path:
    """Return the interpreter of an environment with these packages; made once, then cached."""
    tag = f"py{sys.version_info.major}{sys.version_info.minor}"
    digest = hashlib.sha256("\n".join(requirements).encode()).hexdigest()[:12]
    folder = CACHE / f"sdk-{tag}-{digest}"
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if (folder / "ready").exists():
        return python
    print(f"installing {', '.join(requirements[:2])} into {folder.name}", file=sys.stderr)
    create = [sys.executable, "-m", "venv", "--clear", str(folder)]
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for command in (create, [*pip, *requirements]):  # pip may need a proxy: all of our environment
        run_to_end(command, core=None, timeout_s=INSTALL_TIMEOUT_S, env=os.environ)
    (folder / "ready").touch()
    return python
