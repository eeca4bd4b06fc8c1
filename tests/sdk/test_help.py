"""`help()` of the method that has the most parameters says what each is for."""

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

from agentlin_client.resources.async_tasks import AsyncTasks
from agentlin_client.resources.tasks import Tasks


@pytest.mark.parametrize("create", [Tasks.create, AsyncTasks.create], ids=["sync", "async"])
def test_each_parameter_of_create_has_one_line_in_the_order_of_the_signature(
    create: Callable[..., Any],
) -> None:
    text = inspect.getdoc(create) or ""
    section = text.partition("\nArgs:\n")[2].partition("\n\n")[0]
    described = re.findall(r"^    (\w+): [A-Z].*\.$", section, flags=re.MULTILINE)
    assert described == [*inspect.signature(create).parameters][1:]
    assert len(described) == len(section.splitlines())
