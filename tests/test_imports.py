"""The import rules hold, and each of them fires: a rule that can't break proves nothing."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import grimp
import pytest
from importlinter.api import read_configuration
from importlinter.contracts.acyclic_siblings import AcyclicSiblingsContract
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.layers import LayersContract
from importlinter.contracts.protected import ProtectedContract
from importlinter.domain.contract import Contract

ROOT: Final = Path(__file__).parents[1]
CONTRACT_TYPES: Final[Mapping[str, type[Contract]]] = {
    "acyclic_siblings": AcyclicSiblingsContract,
    "forbidden": ForbiddenContract,
    "layers": LayersContract,
    "protected": ProtectedContract,
}

# For each contract, imports that it must refuse: (importer, imported).
PLANTED: Final[Mapping[str, list[tuple[str, str]]]] = {
    "layers": [
        ("agentlin_server.domain.status", "agentlin_server.store"),
        ("agentlin_server.models", "agentlin_server.engine"),
        ("agentlin_server.app", "agentlin_server.cli"),
        ("agentlin_server.tools", "agentlin_server.models"),
    ],
    "engine-knows-ports": [
        ("agentlin_server.engine", "agentlin_server.store"),
        ("agentlin_server.engine", "agentlin_server.models"),
        ("agentlin_server.engine", "agentlin_server.tools.ledger"),
    ],
    "sdk-without-server": [("agentlin_client.types", "agentlin_server.domain.status")],
    "server-takes-types": [
        ("agentlin_server.api", "agentlin_client"),
        ("agentlin_server.app", "agentlin_client.resources"),
    ],
    "settings-at-the-top": [("agentlin_server.api", "agentlin_server.settings")],
    "web-framework": [
        ("agentlin_server.engine", "starlette"),
        ("agentlin_server.app", "starlette"),
    ],
    "web-server": [("agentlin_server.engine", "uvicorn"), ("agentlin_client.resources", "uvicorn")],
    "migration-tool": [("agentlin_server.store.sqlite", "sqlalchemy")],
    "domain-is-pure": [
        ("agentlin_server.domain.status", "sqlite3"),
        ("agentlin_client.types.fold", "httpx"),
        ("agentlin_server.domain.ids", "time"),
    ],
    "no-cycles": [
        ("agentlin_server.domain.errors", "agentlin_server.domain.status"),
        ("agentlin_client.types", "agentlin_client.resources"),
    ],
}


@pytest.fixture(scope="module")
def configuration() -> dict[str, Any]:
    return read_configuration(str(ROOT / "pyproject.toml"))


@pytest.fixture(scope="module")
def graph(configuration: dict[str, Any]) -> grimp.ImportGraph:
    roots = configuration["session_options"]["root_packages"]
    return grimp.build_graph(*roots, include_external_packages=True, cache_dir=None)


def _is_kept(graph: grimp.ImportGraph, contract_id: str, configuration: dict[str, Any]) -> bool:
    (options,) = [o for o in configuration["contracts_options"] if o["id"] == contract_id]
    contract = CONTRACT_TYPES[options["type"]](
        name=options["name"],
        session_options=configuration["session_options"],
        contract_options=options,
    )
    return contract.check(deepcopy(graph), verbose=False).kept


def _plant(graph: grimp.ImportGraph, importer: str, imported: str) -> grimp.ImportGraph:
    planted = deepcopy(graph)
    assert importer in planted.modules, f"{importer} is gone: plant the import elsewhere"
    if imported not in planted.modules:
        assert not imported.startswith("agentlin"), f"{imported} is gone: plant another"
        planted.add_module(imported, is_squashed=True)
    planted.add_import(importer=importer, imported=imported, line_number=1, line_contents="planted")
    return planted


@pytest.mark.parametrize("contract_id", PLANTED)
def test_the_code_keeps_the_contract(
    contract_id: str, graph: grimp.ImportGraph, configuration: dict[str, Any]
) -> None:
    assert _is_kept(graph, contract_id, configuration)


def test_every_contract_is_shown_to_fire(configuration: dict[str, Any]) -> None:
    assert {options["id"] for options in configuration["contracts_options"]} == set(PLANTED)


@pytest.mark.parametrize(
    ("contract_id", "importer", "imported"),
    [
        pytest.param(contract_id, *planted, id=f"{contract_id}-{planted[0]}-{planted[1]}")
        for contract_id, imports in PLANTED.items()
        for planted in imports
    ],
)
def test_a_contract_breaks_on_a_forbidden_import(
    contract_id: str,
    importer: str,
    imported: str,
    graph: grimp.ImportGraph,
    configuration: dict[str, Any],
) -> None:
    assert not _is_kept(_plant(graph, importer, imported), contract_id, configuration)


def test_a_new_package_of_the_server_must_choose_its_layer(
    graph: grimp.ImportGraph, configuration: dict[str, Any]
) -> None:
    planted = deepcopy(graph)
    planted.add_module("agentlin_server.stray")
    assert not _is_kept(planted, "layers", configuration)


def test_the_command_of_make_check_sees_an_import_planted_in_a_file(tmp_path: Path) -> None:
    shutil.copytree(
        ROOT / "src", tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "agentlin_server/domain/status.py").open("a") as module:
        module.write("import sqlite3\n")
    lint = "from importlinter.cli import lint_imports_command as lint; lint()"
    run = subprocess.run(
        [sys.executable, "-c", lint, "--no-cache", "--no-logo"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 1, run.stdout + run.stderr
    assert "agentlin_server.domain.status -> sqlite3" in run.stdout
