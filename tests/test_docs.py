"""The generated parts of the docs follow from the code."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Final
from xml.etree import ElementTree as ET

import pytest

import agentlin_client
from agentlin_client import lib, testing
from agentlin_client.lib import console
from agentlin_client.types import TaskCreateParams
from agentlin_server.domain.status import TRANSITIONS, Signal, Status

ROOT: Final = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def generate_docs() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location(
        "generate_docs", ROOT / "scripts/generate_docs.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "scripts")  # where a script finds the others
        spec.loader.exec_module(module)
        yield module


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


def test_the_diagram_shows_every_status_and_every_move(generate_docs: ModuleType) -> None:
    root = ET.fromstring(generate_docs.life_cycle_diagram())
    texts = [text.text or "" for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert [text for text in texts if text in set(Status)] == [status.value for status in Status]
    ends = {signal.value for signal in (Signal.CANCEL, Signal.EXPIRE)}
    moves = [(of, signal) for of, signal in TRANSITIONS if signal.value not in ends]
    shown = [text for text in texts if text in set(Signal) - ends]
    assert sorted(shown) == sorted(signal.value for _, signal in moves)
    for signal in (Signal.CANCEL, Signal.EXPIRE):
        sources = [of.value for of, by in TRANSITIONS if by is signal]
        assert texts[texts.index(signal.value) + 1] == f"from {', '.join(sources)}"


def test_the_page_of_names_has_every_public_name_of_the_sdk(generate_docs: ModuleType) -> None:
    page = (ROOT / "docs/reference/sdk-names.md").read_text(encoding="utf-8")
    for package in (agentlin_client, lib, console, testing):
        assert [name for name in package.__all__ if f"| `{name}` |" not in page] == []
    assert "| `submit_tool_results(task_id, *, tool_results, ...)` | Answer calls" in page
    assert "| `list(...)` | List tasks, newest first" in page


def test_a_public_name_without_words_is_an_error(
    generate_docs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agentlin_client.Client.close, "__doc__", None)
    with pytest.raises(LookupError, match=r"Client\.close is public"):
        generate_docs.members_of("agentlin_client", "Client")


def test_each_parameter_of_create_has_its_meaning(
    generate_docs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = generate_docs.parameters()
    assert "| `stream` | `bool` | True: answer with server-sent events." in table
    assert "| `user_message_content` | `MessageContentParam` | What the user says;" in table
    assert "| `timeout_s` | `float \\| None` | Extension: wall time in seconds," in table
    assert [
        name for name in TaskCreateParams.__annotations__ if f"\n| `{name}` | " not in table
    ] == []
    monkeypatch.setattr(generate_docs, "_texts_in", lambda body: {})
    with pytest.raises(LookupError, match=r"create\(stream=\)"):
        generate_docs.parameters()


def test_every_page_is_up_to_date(
    generate_docs: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["generate_docs.py", "--check"])
    assert (generate_docs.main(), capsys.readouterr().out) == (0, "")
