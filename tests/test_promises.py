"""What README and docs promise names its test; every test that is named exists."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
READMES: Final = ("README.md", "README.zh-CN.md")
_NAMED: Final = re.compile(r"\b(tests/[\w/]+\.py)(?:::(\w+))?")
_ROW: Final = re.compile(
    r"^\| .+ \| `(tests/\S+::\w+)` \| `make test PYTEST_ARGS=(\S+)` \|$", re.MULTILINE
)


@cache
def _tests_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text())
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in tree.body if isinstance(node, functions))


def _pages() -> Iterator[Path]:
    yield from (ROOT / name for name in (*READMES, "ARCHITECTURE.md", "CONTRIBUTING.md"))
    yield from sorted((ROOT / "docs").rglob("*.md"))


@pytest.mark.parametrize(
    "page", [pytest.param(p, id=p.relative_to(ROOT).as_posix()) for p in _pages()]
)
def test_every_test_that_a_page_names_exists(page: Path) -> None:
    missing = [
        match[0]
        for match in _NAMED.finditer(page.read_text(encoding="utf-8"))
        if not (ROOT / match[1]).is_file() or (match[2] and match[2] not in _tests_in(match[1]))
    ]
    assert missing == []


@pytest.mark.parametrize("name", READMES)
def test_a_readme_opens_with_the_recording_then_the_promises(name: str) -> None:
    title, picture, *rest = (ROOT / name).read_text(encoding="utf-8").split("\n\n")
    assert title == "# agentlin"
    found = re.fullmatch(r"!\[[^\]]+\]\((\S+)\)", picture)
    assert found is not None
    assert (ROOT / found[1]).is_file()
    assert next(i for i, part in enumerate(rest) if part.startswith("| ")) <= 2


@pytest.mark.parametrize("name", READMES)
def test_each_promise_has_a_test_and_a_command_that_runs_it(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    rows = _ROW.findall(text)
    table = next(part for part in text.split("\n\n") if part.startswith("| "))
    assert len(rows) == len(table.splitlines()) - 2 >= 10
    assert [test for test, path in rows if not test.startswith(f"{path}::")] == []


def test_both_readmes_name_the_same_tests() -> None:
    named = [_ROW.findall((ROOT / name).read_text(encoding="utf-8")) for name in READMES]
    assert named[0] == named[1]


def test_each_section_of_what_happens_when_names_its_tests() -> None:
    text = (ROOT / "docs/explanation/what-happens-when.md").read_text(encoding="utf-8")
    _, *sections = text.split("\n## ")
    assert len(sections) >= 12
    assert [s.splitlines()[0] for s in sections if "\nTests: `tests/" not in s] == []
