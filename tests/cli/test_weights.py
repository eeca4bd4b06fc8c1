import json
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

GGUF = b"GGUF" + bytes(64)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "Tiny-Q4.gguf"
    path.write_bytes(GGUF)
    return path


def test_pulled_weights_are_named_and_listed(cli: Cli, source: Path) -> None:
    pulled = cli("models", "pull", str(source))
    assert (pulled.exit_code, pulled.stdout) == (0, "local/Tiny-Q4\n")
    assert "--model local/Tiny-Q4" in pulled.stderr
    listed = cli("models", "list")
    assert listed.stdout.split("\t")[:2] == ["local/Tiny-Q4", str(len(GGUF))]


def test_json_tells_name_path_and_size(cli: Cli, source: Path) -> None:
    pulled = json.loads(cli("models", "pull", str(source), "--json").stdout)
    assert pulled == json.loads(cli("models", "list", "--json").stdout)
    assert pulled["model"] == "local/Tiny-Q4"
    assert Path(pulled["path"]).read_bytes() == GGUF


def test_what_cannot_be_pulled_ends_with_3_and_says_why(cli: Cli, tmp_path: Path) -> None:
    result = cli("models", "pull", str(tmp_path / "nothing.gguf"))
    assert (result.exit_code, result.stdout) == (3, "")
    assert "there is no file" in result.stderr


def test_an_empty_folder_says_what_to_do(cli: Cli) -> None:
    result = cli("models", "list")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "agentlin models pull" in result.stderr
