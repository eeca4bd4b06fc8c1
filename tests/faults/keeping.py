"""Folders of runs: gone after a good run, kept after a bad one, to be looked into."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def kept_if_failed(name: str) -> Iterator[Path]:
    """Give a new folder; what is raised in the context gets a note that says where it is."""
    folder = Path(tempfile.mkdtemp(prefix=f"agentlin-faults-{name}-"))
    try:
        yield folder
    except BaseException as exc:
        if isinstance(exc, Exception):
            exc.add_note(f"its database, ledger and words are in {folder}")
        raise
    shutil.rmtree(folder)
