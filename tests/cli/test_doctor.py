import json
import socket
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from agentlin_server.cli import checks, checks_models
from agentlin_server.settings import Settings
from tests.cli.conftest import Cli

pytestmark = pytest.mark.anyio


def _checks(cli: Cli) -> tuple[int, dict[str, Any]]:
    result = cli("doctor", "--json")
    found = json.loads(result.stdout)
    assert found["ok"] is (result.exit_code == 0)
    return result.exit_code, {check["name"]: check for check in found["checks"]}


def test_a_sound_installation_passes(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTLIN_PORT", "0")
    monkeypatch.setenv("AGENTLIN_MODEL", "scripted/echo")
    exit_code, found = _checks(cli)
    assert exit_code == 0, found
    assert found["database"]["verdict"] == "ok"
    assert found["default model"]["detail"] == "scripted/echo, because it was named"
    assert "model" in found["settings"]["detail"]


def test_what_is_wrong_has_what_mends_it_and_the_exit_code_1(
    cli: Cli, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTLIN_PORT", "0")
    monkeypatch.setenv("AGENTLIN_MODEL", "nonsense/x")
    db.write_bytes(b"no database at all, but long enough to be taken for one" * 20)
    exit_code, found = _checks(cli)
    assert exit_code == 1
    for name in ("database", "default model"):
        assert found[name]["verdict"] == "fail"
        assert found[name]["mend"]


def test_a_misspelt_setting_is_found(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTLIN_PROT", "1")
    exit_code, found = _checks(cli)
    assert exit_code == 1
    assert "AGENTLIN_PROT" in found["settings"]["detail"]


def test_no_secret_is_shown(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "hunter22-hunter22")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    result = cli("doctor", "--json")
    assert result.exit_code == 1
    assert "hunter22" not in result.stdout + result.stderr


def test_for_people_each_check_is_a_line(cli: Cli) -> None:
    lines = cli("doctor").stdout.splitlines()
    assert any(line.startswith("ok\tpython\t") for line in lines)
    assert "\x1b" not in "".join(lines)


def test_an_old_python_fails() -> None:
    assert checks.check_python((3, 10, 4)).verdict == "fail"
    assert checks.check_python((3, 13, 0)).verdict == "ok"


def test_a_sqlite_with_the_wal_fault_is_a_warning() -> None:
    assert checks.check_sqlite("3.51.2").verdict == "warn"
    assert checks.check_sqlite("3.51.3").verdict == "ok"


def test_a_database_that_is_there_is_opened_without_a_change(tmp_path: Path) -> None:
    path = tmp_path / "there.db"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE t (x)")
    db.close()
    before = path.read_bytes()
    check = checks.check_database(Settings.load(db=str(path)))
    assert (check.verdict, "not in use" in check.detail) == ("ok", True)
    assert path.read_bytes() == before
    assert checks.check_database(Settings.load(db=":memory:")).verdict == "ok"


@pytest.mark.usefixtures("server")
def test_who_serves_the_database_is_named(db: Path) -> None:
    check = checks.check_database(Settings.load())
    assert check.verdict == "ok"
    assert "served at http://127.0.0.1:" in check.detail
    port = int(check.detail.rpartition(":")[2])
    assert "an agentlin server listens" in checks.check_port(Settings.load(port=port)).detail


def test_a_port_that_something_else_uses_is_a_warning() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        taken.settimeout(0)
        check = checks.check_port(Settings.load(port=taken.getsockname()[1]))
    assert (check.verdict, check.mend) == ("warn", "agentlin serve --port 0")


def test_a_folder_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert checks.check_folder("x", tmp_path / "file" / "models", "mend").verdict == "fail"
    assert checks.check_folder("x", tmp_path / "new" / "models", "mend").verdict == "ok"


def test_missing_weights_are_a_warning_and_wrong_ones_a_failure(tmp_path: Path) -> None:
    assert checks_models.check_weights(tmp_path).verdict == "warn"
    (tmp_path / "SmolLM2-135M-Instruct.Q4_1.gguf").write_bytes(b"GGUF")
    check = checks_models.check_weights(tmp_path)
    assert (check.verdict, check.mend) == ("fail", "agentlin models pull")


def test_the_engine_loads() -> None:
    assert checks_models.check_engine().verdict == "ok"


async def test_only_configured_providers_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await checks_models.check_providers(Settings.load()) == []
    monkeypatch.setenv("AGENTLIN_PROVIDERS__VLLM__BASE_URL", "http://127.0.0.1:9/v1")
    (check,) = await checks_models.check_providers(Settings.load())
    assert (check.name, check.verdict) == ("provider vllm", "fail")
