"""Keeps the house tidy: what the guides ask and the repository promises, and no linter checks."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).parents[1]
FILE_LINES_MAX: Final = 400
FUNCTION_LINES_MAX: Final = 60

# Files that are better long, each with its reason.
LONG_FILES: Final[dict[str, str]] = {}
# Functions that are better long, as `path:name`, each with its reason.
_DOCUMENTED: Final = "`help()` shows its docstring, in which each of its many parameters has a line"
LONG_FUNCTIONS: Final[dict[str, str]] = {
    f"src/agentlin_client/resources/{name}.py:create": _DOCUMENTED
    for name in ("async_tasks", "tasks")
}

BANNED_NAMES: Final = {"utils", "helpers", "common", "misc", "manager", "base"}
CODE_FOLDERS: Final = ("src", "tests", "benchmarks", "examples", "scripts")
TEXT_SUFFIXES: Final = {
    "", ".cfg", ".json", ".md", ".py", ".sh", ".sql", ".toml", ".txt", ".yaml", ".yml",
}  # fmt: skip
# Built or cached here, never committed.
SKIPPED_FOLDERS: Final = {"site", "dist", "__pycache__"}

# A path of somebody's machine. The folders are spelt in two parts so that this file passes.
MACHINE_PATH: Final = re.compile(
    r"(?<![\w.~}/-])/(?:ho" + r"me|Us" + r"ers|ro" + r"ot|wo" + r"rk|pri" + r"vate)/[\w.]"
)


def _files(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from (
            path
            for path in sorted((ROOT / folder).rglob("*"))
            if path.is_file() and not SKIPPED_FOLDERS & set(path.relative_to(ROOT).parts)
        )


def _python_files() -> list[Path]:
    return [path for path in _files(*CODE_FOLDERS) if path.suffix == ".py"]


def _committed_texts() -> list[Path]:
    folders = (*CODE_FOLDERS, "docs", "requirements", ".ci")
    top = [path for path in ROOT.iterdir() if path.is_file() and path.name != ".coverage"]
    return [path for path in (*top, *_files(*folders)) if path.suffix in TEXT_SUFFIXES]


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _pins(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / name).read_text()
    return dict(re.findall(r"^([a-z0-9.-]+)==([^\s;]+)", text, flags=re.MULTILINE))


def test_no_file_is_longer_than_the_guide() -> None:
    lines = {_name(path): path.read_text().count("\n") for path in _python_files()}
    long = {name: count for name, count in lines.items() if count > FILE_LINES_MAX}
    assert set(long) == set(LONG_FILES), "look for the missing concept, or give the reason here"


def test_no_function_is_longer_than_the_guide() -> None:
    long: set[str] = set()
    for path in _python_files():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES_MAX:
                    long.add(f"{_name(path)}:{node.name}")
    assert long == set(LONG_FUNCTIONS), "look for the missing concept, or give the reason here"


def test_no_file_of_the_server_has_a_name_that_says_nothing() -> None:
    modules = [path.relative_to(ROOT) for path in _files("src/agentlin_server")]
    banned = [
        path.as_posix()
        for path in modules
        if {Path(part).stem for part in path.parts} & BANNED_NAMES or re.search(r"_v\d", path.stem)
    ]
    assert banned == []


def test_every_package_says_that_it_is_typed() -> None:
    packages = {path.name for path in (ROOT / "src").iterdir() if path.is_dir()}
    packages -= {name for name in packages if name.endswith(".egg-info")}
    assert {path.parent.name for path in (ROOT / "src").glob("*/py.typed")} == packages


def test_no_file_holds_a_path_of_somebodys_machine() -> None:
    found = [
        f"{_name(path)}:{number}: {line.strip()}"
        for path in _committed_texts()
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if MACHINE_PATH.search(line)
    ]
    assert found == []


def test_every_text_file_ends_with_one_newline() -> None:
    texts = {_name(path): path.read_text() for path in _committed_texts()}
    assert [n for n, text in texts.items() if text and not re.search(r"[^\n]\n\Z", text)] == []


@pytest.mark.parametrize(
    ("pins", "extras"),
    [("demo.txt", {"local", "server"}), ("test.txt", {"local", "server", "dev"})],
    ids=["demo", "test"],
)
def test_the_pins_satisfy_the_project(pins: str, extras: set[str]) -> None:
    pinned = _pins(pins)
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [*config["project"]["dependencies"], *config["dependency-groups"]["build"]]
    for extra in extras:
        wanted += config["project"]["optional-dependencies"][extra]
    unmet = [
        str(requirement)
        for requirement in map(Requirement, wanted)
        if requirement.name != config["project"]["name"]
        and not requirement.specifier.contains(pinned.get(canonicalize_name(requirement.name), "0"))
    ]
    assert unmet == [], "run `make lock`"


@pytest.mark.parametrize("pins", ["demo.txt", "test.txt"])
def test_the_pins_carry_hashes_and_name_no_index(pins: str) -> None:
    text = (ROOT / "requirements" / pins).read_text()
    assert re.findall(r"^--|://|^-e|find-links", text, flags=re.MULTILINE) == []
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert entries
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_demo_runs_on_the_versions_that_were_tested() -> None:
    assert _pins("demo.txt").items() <= _pins("test.txt").items()
