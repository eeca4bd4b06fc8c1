"""The key under which idempotency keys and bodies are kept: a file that only its owner reads."""

import os
import secrets
from pathlib import Path
from typing import Final

_BYTES: Final = 32
_MODE: Final = 0o600


def load_or_make(path: Path) -> bytes:
    """Return the key in the file, made on first use with mode 0600."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
    except FileExistsError:
        return path.read_bytes()
    key = secrets.token_bytes(_BYTES)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)
    return key


def one_time() -> bytes:
    """Return a key that nobody will know again: for a database in memory."""
    return secrets.token_bytes(_BYTES)
