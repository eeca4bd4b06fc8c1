"""The examples in the docs of the SDK run as they stand, and print what the page shows."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.processes import ServerProcess
from tests.sdk.bridge import bridged
from tests.sdk.pages import BEFORE, SCRIPT, Section, scripted, sections_of

PAGES: Final = (
    "README.md",
    "README.zh-CN.md",
    "docs/tutorials/first-task.md",
    "docs/reference/sdk.md",
    "docs/howto/run-tools-in-your-program.md",
    "docs/howto/keep-a-stream-alive.md",
)
SECTIONS: Final = [section for page in PAGES for section in sections_of(page)]
ON_A_REAL_SERVER: Final = {
    "Use it",
    "Python SDK",
    "使用",
    "Run the server",
    "The first task",
    "Streaming",
    "To the end in one call",
    "Async",
    "Tools",
    "When the connection breaks",
    "Raw responses",
    "Types",
    "Copies, threads, processes",
    "Options",
    "Async tools",
    "Answer by hand",
    "Go on in another process",
    "Through questions and pauses",
}
"""Sections that ask for nothing but what our server, with its scripted model, can do today."""
PIXEL: Final = b"\x89PNG\r\n\x1a\n" + b"\x00" * 16


def parametrized(sections: list[Section]) -> pytest.MarkDecorator:
    ids = [f"{section.page.stem}: {section.title}" for section in sections]
    return pytest.mark.parametrize("section", sections, ids=ids)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the files that the examples send, and no settings around."""
    for name in ("AGENTLIN_CLIENT_ID", "CLIENT_BASE_URL", "AGENTLIN_LOG", "CLIENT_LOG"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "chart.png").write_bytes(PIXEL)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@parametrized([section for section in SECTIONS if section.python])
def test_the_examples_run_and_print_what_the_page_shows(
    section: Section, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = scripted()
    BEFORE.get(section.title, lambda _: None)(fake)
    with bridged(fake) as base_url:
        monkeypatch.setenv("AGENTLIN_BASE_URL", base_url)
        monkeypatch.setenv("AGENTLIN_API_KEY", "test-key")
        section.run()


@pytest.fixture(scope="module")
def real_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("server")
    script = folder / "script.yaml"
    script.write_text(SCRIPT, encoding="utf-8")
    with ServerProcess(str(folder / "agentlin.db"), {"script": script}) as server:
        yield server


@parametrized([section for section in SECTIONS if section.title in ON_A_REAL_SERVER])
def test_they_do_the_same_on_a_real_server(
    section: Section, real_server: ServerProcess, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTLIN_BASE_URL", f"{real_server.address}/v1")
    monkeypatch.setenv("AGENTLIN_API_KEY", "any")  # this server checks none
    section.run()


def test_every_section_that_is_to_run_on_a_real_server_is_there() -> None:
    assert {section.title for section in SECTIONS} >= ON_A_REAL_SERVER


@parametrized([s for s in SECTIONS if any(block.language == "bash" for block in s.blocks)])
def test_what_is_typed_into_a_shell_is_one_that_a_shell_can_read(section: Section) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash")
    for block in section.blocks:
        if block.language == "bash":
            subprocess.run([bash, "-n"], input=block.code, text=True, check=True, timeout=10)


def test_the_chinese_page_has_the_same_examples() -> None:
    english, chinese = (sections_of(f"docs/reference/sdk{end}.md") for end in ("", ".zh-CN"))
    assert [s.blocks and [(b.language, b.code, b.output) for b in s.blocks] for s in chinese] == [
        [(b.language, b.code, b.output) for b in s.blocks] for s in english
    ]
