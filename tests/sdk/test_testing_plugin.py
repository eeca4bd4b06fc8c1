"""The pytest plugin: its fixtures work where nothing else is set up, and cost nothing at start."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sdk.pages import sections_of

SECTIONS = {s.title: s for s in sections_of("docs/howto/test-your-application.md") if s.python}
WITH_PYTEST = SECTIONS.pop("With pytest")

ASYNC_TEST = """
import pytest

@pytest.mark.anyio
async def test_async(agentlin_server, agentlin_async_client):
    agentlin_server.otherwise("Hi")
    created = await agentlin_async_client.tasks.create(stream=False, user_message_content="x")
    assert created.unwrap().id == "task_1"

def test_each_test_has_a_server_of_its_own(agentlin_server, agentlin_client):
    assert agentlin_server.tasks == {}
    agentlin_server.otherwise("Hi")
    stream = agentlin_client.tasks.create(stream=True, user_message_content="x")
    assert [event.type for event in stream][-1] == "task.completed"
"""


def run_pytest(folder: Path, test: str) -> str:
    (folder / "test_it.py").write_text(test)
    # The plugin by its name: the test holds also where the entry point is not installed.
    named = ["-p", "agentlin_client.testing.plugin", "-p", "anyio.pytest_plugin"]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "pytest", "-q", "--rootdir", folder, *named, folder],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_fixtures_are_there_for_blocking_and_async_tests(tmp_path: Path) -> None:
    output = run_pytest(tmp_path, ASYNC_TEST)
    assert "passed" in output
    assert "failed" not in output


def test_the_test_that_the_docs_show_passes(tmp_path: Path) -> None:
    shown = [block.code for block in WITH_PYTEST.python]
    assert "1 passed" in run_pytest(tmp_path, "\n".join(shown))


@pytest.mark.parametrize("title", SECTIONS)
def test_the_examples_of_the_docs_run_as_they_stand(title: str) -> None:
    SECTIONS[title].run()


def test_the_plugin_loads_nothing_heavy_when_pytest_starts() -> None:
    code = "import sys, agentlin_client.testing.plugin; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=30
    )
    loaded = set(done.stdout.split())
    assert loaded.isdisjoint(
        {"httpx", "pydantic", "agentlin_client.types", "agentlin_client._client"}
    )
