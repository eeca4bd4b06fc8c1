"""What the figures were measured on."""

import os
import platform
import sqlite3
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

PACKAGES = (
    "agentlin",
    "uvicorn",
    "uvloop",
    "httptools",
    "aiohttp",
    "starlette",
    "msgspec",
    "pydantic",
    "pydantic-core",
)


def cpu_model() -> str:
    """Return the CPU's name as the system gives it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def describe() -> dict[str, str]:
    """Return the machine and the versions of what matters here, as name -> value."""
    load = ", ".join(f"{value:.2f}" for value in psutil.getloadavg())
    machine = {
        "cpu": cpu_model(),
        "cores": f"{os.cpu_count()} ({platform.machine()})",
        "memory": f"{psutil.virtual_memory().total / 2**30:.1f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "load average before": load,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "sqlite": sqlite3.sqlite_version,
    }
    found = {package: _version(package) for package in PACKAGES}
    return machine | {package: seen for package, seen in found.items() if seen is not None}
