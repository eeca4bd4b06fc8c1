"""Reads the SQL files of the migrations (0001 was released before this and reads its own)."""

from collections.abc import Iterator
from pathlib import Path


def statements(path: Path) -> Iterator[str]:
    """Yield the statements of a file, without comments: no text in it holds `--` or `;`."""
    lines = (line.partition("--")[0] for line in path.read_text("utf-8").splitlines())
    for statement in "\n".join(lines).split(";"):
        if statement.strip():
            yield statement.strip()
