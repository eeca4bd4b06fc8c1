"""api.md holds what it promises, and the package imports as lightly as it should."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from agentlin_client import types

ROOT = Path(__file__).parents[2]
API = (ROOT / "api.md").read_text(encoding="utf-8")


def imported_names() -> list[str]:
    (block,) = re.findall(r"```python\n(.*?)```", API, re.DOTALL)
    (statement,) = ast.parse(block).body
    assert isinstance(statement, ast.ImportFrom)
    assert statement.module == "agentlin_client.types"
    return [alias.name for alias in statement.names]


def test_api_md_names_58_types() -> None:
    assert len(set(imported_names())) == len(imported_names()) == 58


@pytest.mark.parametrize("name", imported_names())
def test_every_type_of_api_md_can_be_imported(name: str) -> None:
    namespace: dict[str, object] = {}
    exec(f"from agentlin_client.types import {name}", namespace)
    assert name in types.__all__
    assert name in dir(types)


@pytest.mark.parametrize("link", sorted(set(re.findall(r'href="([^"]+)"', API))))
def test_every_link_of_api_md_resolves(link: str) -> None:
    assert (ROOT / link).is_file()


def test_the_linked_files_hold_what_the_links_say() -> None:
    for link, name in re.findall(r'href="([^"]+/types/[^"]+)">(\w+)<', API):
        module = importlib.import_module(f"agentlin_client.types.{Path(link).stem}")
        linked = getattr(module, "TaskCreateParams" if name == "params" else name)
        assert linked.__module__ == module.__name__


def test_every_exported_name_is_there() -> None:
    assert [name for name in types.__all__ if getattr(types, name, None) is None] == []
    with pytest.raises(AttributeError, match="no attribute 'TaskFrozenEvent'"):
        types.TaskFrozenEvent  # noqa: B018  # the look-up is the test


def test_the_types_the_fold_and_the_validator_import_nothing_heavy() -> None:
    program = (
        "import sys, agentlin_client.types.fold, agentlin_client.types.order\n"
        "heavy = {'pydantic', 'httpx', 'typing_extensions', 'agentlin_server'}\n"
        "print(*sorted(heavy & {*sys.modules}))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert run.stdout.strip() == ""
