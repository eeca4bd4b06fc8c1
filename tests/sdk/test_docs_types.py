"""The examples in the docs are typed: pyright, in strict mode, finds nothing in any of them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from tests.sdk.pages import ROOT, Section, sections_of

pytestmark = pytest.mark.slow

PAGES: Final = (
    "README.md",
    "docs/tutorials/first-task.md",
    "docs/reference/sdk.md",
    *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs/howto").glob("*.md")),
)
MISTAKES: Final = """
from agentlin_client.types import AgentTaskEvent, TaskObject


def check(event: AgentTaskEvent, task: TaskObject) -> bool:
    if task.output[0].type == "mesage":
        return True
    return event.type == "task.txt.delta"
"""
"""What must be found, or this test finds nothing at all."""


def source_of(section: Section) -> str:
    """Return the examples of a section as one module, each line where the page has it."""
    source = ""
    for block in section.python:
        source += "\n" * (block.line - 1 - source.count("\n")) + block.code
    return source


def strict_errors(folder: Path) -> list[dict[str, Any]]:
    """Return what pyright reports on the modules of a folder."""
    config = {"typeCheckingMode": "strict", "pythonVersion": "3.11"}
    (folder / "pyrightconfig.json").write_text(json.dumps(config))
    command = (sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable)
    # It exits with 1 if there is anything to report.
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=110
    )
    return json.loads(done.stdout)["generalDiagnostics"]


def test_every_example_passes_the_strict_type_checker(tmp_path: Path) -> None:
    modules = {"mistakes.py": "mistakes"}
    (tmp_path / "mistakes.py").write_text(MISTAKES)
    for page in PAGES:
        for number, section in enumerate(sections_of(page)):
            if section.python:
                name = f"{Path(page).stem.replace('-', '_')}_{number}.py"
                assert modules.setdefault(name, page) == page
                (tmp_path / name).write_text(source_of(section), encoding="utf-8")
    found = [
        (modules[Path(e["file"]).name], e["range"]["start"]["line"] + 1, e["message"])
        for e in strict_errors(tmp_path)
    ]
    assert [f"{page}:{line}: {text}" for page, line, text in found if page != "mistakes"] == []
    assert [line for page, line, _ in found if page == "mistakes"] == [6, 8]
    assert {"README.md", "docs/reference/sdk.md"} < set(modules.values())
