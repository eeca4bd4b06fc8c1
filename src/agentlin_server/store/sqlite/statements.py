"""The SQL statements of this store, by name, from the `.sql` files beside this module."""

import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Final

_NAME: Final = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


def load(file_name: str) -> Mapping[str, str]:
    """Return the statements of one file: each follows a line `-- name: <name>`."""
    text = files("agentlin_server.store.sqlite").joinpath(file_name).read_text("utf-8")
    _, *parts = _NAME.split(text)
    return {name: sql.strip() for name, sql in zip(parts[::2], parts[1::2], strict=True)}


SQL: Final = load("queries.sql")
