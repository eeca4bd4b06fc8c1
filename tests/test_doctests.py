"""Every example in a docstring runs."""

import doctest
import importlib
import pkgutil
from typing import Final

import pytest

import agentlin_client
import agentlin_server

MODULES: Final = sorted(
    info.name
    for package in (agentlin_client, agentlin_server)
    for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if not info.name.endswith("__main__") and ".migrations." not in info.name  # these do work
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(name: str) -> None:
    results = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert results.failed == 0
