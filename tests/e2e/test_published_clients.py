"""The clients that are published already work against our server, unmodified."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.frames import read_frames
from tests.e2e.conftest import Serve

pytestmark = [pytest.mark.published_client, pytest.mark.slow]

DRIVER = Path(__file__).with_name("published_driver.py")
SCRIPT = """
- {match: quick, repeat: true, steps: [{text: a quick answer, chunks: words}]}
- {match: slow, repeat: true, steps: [{delay_s: 1}, {text: a slow answer, chunks: 1, delay_s: 0.1}]}
- {match: fail, repeat: true, steps: [{text: so far}, {error: {kind: request, message: refused}}]}
- {match: hang, repeat: true, steps: [{text: so far}, {delay_s: 3600}]}
"""


def _environment(cache: Path, version: str) -> Path:
    """Return the Python of an environment with this client; made once, then cached."""
    folder = cache / f"agentlin-client-{version}-py{sys.version_info.major}{sys.version_info.minor}"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, f"agentlin-client=={version}"], check=True, timeout=300)
        (folder / "ready").touch()
    return python


@pytest.fixture(params=["1.5.0", "1.14.0"])
def version(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def python(version: str, pytestconfig: pytest.Config) -> Path:
    cache = pytestconfig.cache
    assert cache is not None
    return _environment(cache.mkdir("published_clients"), version)


def _driven(python: Path, base_url: str) -> dict[str, Any]:
    done = subprocess.run(
        [str(python), "-I", str(DRIVER), base_url],
        check=False,  # below, with what it said
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _text(task: dict[str, Any]) -> str:
    return task["output"][0]["message_content"][0]["text"]


def test_a_published_client_works_unmodified(serve: Serve, version: str, python: Path) -> None:
    with serve(SCRIPT, keep_alive_s=0.3) as server, httpx.Client(base_url=server.address) as client:
        answers = _driven(python, f"{server.address}/v1")
        tasks = client.get("/v1/tasks?limit=100").json()["result"]

    assert answers["version"] == version
    assert answers["typed"][:2] == ["TaskCreateResponse", "TaskObject"]
    for name in ("created", "content_list", "retrieved", "deleted", "async_created"):
        assert answers[name]["result"]["status"] == "completed"
        assert _text(answers[name]["result"]) == "a quick answer"

    # One task and one model call, though it took longer than the client's read time-out.
    slow = answers["slow"]["result"]
    assert (slow["status"], _text(slow)) == ("completed", "a slow answer")
    assert slow["usage"]["model_calls"] == 1
    assert [task["id"] for task in tasks if task["user_message_content"] == "slow"] == ["slow"]

    frames = read_frames(answers["streamed"].encode())
    assert frames[-1].type == "task.completed"
    assert _text(frames[-1].event["task"]) == "a quick answer"

    failed = answers["failed"]
    assert failed.get("error") is None
    assert failed["result"]["status"] == "failed"
    assert failed["result"]["error"]["message"] == "refused"
    _check_control(answers, version)


def _check_control(answers: dict[str, Any], version: str) -> None:
    is_bare = version == "1.14.0"  # it parses the task itself, see the contract, section 3
    canceled = answers["canceled"] if is_bare else answers["canceled"]["result"]
    assert (canceled["id"], canceled["status"]) == ("hang", "canceled")
    assert answers["errors"] == [
        ["NotFoundError", 404],
        ["ConflictError", 409],
        ["NotFoundError", 404],
    ]
    if version == "1.14.0":
        assert answers["typed"][2:] == ["TaskObject", "TaskObject"]
        for name, is_to_pause in (("paused", True), ("resumed", False)):
            assert (answers[name]["id"], answers[name]["status"]) == ("hang", "working")
            assert answers[name]["pause_requested"] is is_to_pause
        assert answers["not_resumable"] == ["ConflictError", 409]
        assert answers["filtered"] == ["hang"]
        assert len(answers["listed"]) == 6  # all of them: it goes from page to page by itself
        assert answers["listed"][0] == "hang"


def test_its_time_out_is_real(serve: Serve, python: Path) -> None:
    """Without signs of life the same client gives up and retries; it still makes one task only."""
    with serve(SCRIPT, keep_alive_s=50) as server, httpx.Client(base_url=server.address) as client:
        code = (
            "import sys; from agentlin_client import Client, APITimeoutError\n"
            "client = Client(api_key='k', base_url=sys.argv[1], timeout=0.5, max_retries=1)\n"
            "try: client.tasks.create(stream=False, user_message_content='slow')\n"
            "except APITimeoutError: print('timed out')\n"
        )
        command = [str(python), "-I", "-c", code, f"{server.address}/v1"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout == "timed out\n"
        (task,) = client.get("/v1/tasks").json()["result"]
        frames = read_frames(client.get(f"/v1/tasks/{task['id']}/events").content)
        assert frames[-1].event["task"]["usage"]["model_calls"] == 1
