"""The generated parts of the docs follow from the code."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

from agentlin_server.domain.status import Status

ROOT: Final = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def generate_docs() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "generate_docs", ROOT / "scripts/generate_docs.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_part_is_made_anew_and_what_stands_around_it_stays(generate_docs: ModuleType) -> None:
    page = "# Hand-written\n\n<!-- generated: life-cycle -->\nstale\n<!-- end -->\n\nBelow.\n"
    fresh = generate_docs.rendered(page)
    assert fresh.startswith("# Hand-written\n")
    assert fresh.endswith("<!-- end -->\n\nBelow.\n")
    assert "stale" not in fresh
    assert all(f"| `{status}` |" in fresh for status in Status)
    assert generate_docs.rendered(fresh) == fresh


def test_a_part_that_nobody_makes_is_an_error(generate_docs: ModuleType) -> None:
    with pytest.raises(KeyError, match="poetry"):
        generate_docs.rendered("<!-- generated: poetry -->\n<!-- end -->\n")


def test_the_settings_are_named_as_they_are_read_and_no_machine_shows(
    generate_docs: ModuleType,
) -> None:
    table = generate_docs.settings()
    assert "| `OPENAI_API_KEY` |" in table
    assert "AGENTLIN_OPENAI" not in table
    assert str(Path.home()) not in table
    assert "<class" not in table


def test_the_examples_of_a_command_are_code(generate_docs: ModuleType) -> None:
    page = generate_docs.cli()
    assert "## `agentlin run PROMPT`" in page
    assert "```bash\nagentlin serve\n" in page
    assert "\b" not in page


def test_every_page_is_up_to_date(
    generate_docs: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["generate_docs.py", "--check"])
    assert (generate_docs.main(), capsys.readouterr().out) == (0, "")
