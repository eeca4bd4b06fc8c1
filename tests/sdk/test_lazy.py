"""`import agentlin_client` costs next to nothing; its names are there all the same."""

import subprocess
import sys
import tomllib
import typing
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import validate_call

import agentlin_client
from agentlin_client import _config, _version

ROOT = Path(__file__).parents[2]


def run(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=30
    ).stdout.strip()


def test_importing_the_package_loads_nothing_else() -> None:
    code = (
        "import sys; before = set(sys.modules); import agentlin_client;"
        "print(*sorted(set(sys.modules) - before))"
    )
    assert run(code) == "agentlin_client"


@pytest.mark.parametrize("name", ["NotFoundError", "TaskResponseError", "omit", "__version__"])
def test_errors_and_plain_values_load_no_heavy_library(name: str) -> None:
    heavy = {"httpx", "pydantic", "anyio", "agentlin_client._client", "agentlin_client.types"}
    loaded = run(f"import sys; from agentlin_client import {name}; print(*sys.modules)").split()
    assert heavy.isdisjoint(loaded)


def test_the_client_loads_no_event_loop_library_and_no_server() -> None:
    code = "import sys, agentlin_client; agentlin_client.Client().close(); print(*sys.modules)"
    loaded = run(code).split()
    assert not [name for name in loaded if name.split(".")[0] in {"agentlin_server", "aiohttp"}]


@pytest.mark.parametrize("name", agentlin_client.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(agentlin_client, name) is not None
    assert name in dir(agentlin_client)


def test_the_table_of_lazy_names_is_the_public_list() -> None:
    submodules = {"lib", "testing", "types"}
    assert {*agentlin_client._MODULE_OF} | submodules == set(agentlin_client.__all__)


@pytest.mark.parametrize("name", ["lib", "testing", "types"])
def test_a_submodule_is_there_without_an_import_of_its_own(name: str) -> None:
    code = f"import sys, agentlin_client as a; print(a.{name}.__name__, 'pytest' in sys.modules)"
    assert run(code).split() == [f"agentlin_client.{name}", "False"]


def test_the_hints_of_plain_records_can_be_resolved() -> None:
    assert typing.get_type_hints(agentlin_client.Retry)["error"] is agentlin_client.APIError
    options = typing.get_type_hints(agentlin_client.RequestOptions)
    assert httpx.Timeout in typing.get_args(options["timeout"])

    @validate_call(config={"arbitrary_types_allowed": True})
    def take(options: agentlin_client.RequestOptions) -> object:
        return options

    given: Any = {"max_retries": 1, "timeout": 2.5, "headers": {"X-A": agentlin_client.omit}}
    assert take(given) == given


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Cleint'"):
        _ = agentlin_client.Cleint


def test_the_version_is_that_of_the_distribution_and_the_user_agent_says_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert _version.__version__ == project["version"]
    assert _config.user_agent().startswith(f"agentlin-client/{project['version']} python/3.")
