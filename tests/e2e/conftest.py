"""Server processes for the end-to-end tests."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.processes import ServerProcess

Serve = Callable[..., ServerProcess]


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """`with serve(script, setting=value) as server`: a process on this test's own database."""

    def start(script: str = "", **settings: object) -> ServerProcess:
        given: dict[str, object] = {"stop_grace_s": 5, **settings}
        if script:
            path = tmp_path / "script.yaml"
            path.write_text(script, encoding="utf-8")
            given["script"] = path
        else:
            given.setdefault("model", "scripted/echo")
        return ServerProcess(str(tmp_path / "agentlin.db"), given)

    return start
