"""Which tools a server has."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from agentlin_server.domain.tool import Tool
from agentlin_server.tools.ledger import ledger_tools


def build_tools(*, ledger_dir: Path | None = None) -> Mapping[str, Tool]:
    """Return the tools that are switched on, by name.

    Args:
        ledger_dir: Folder of the ledger, for tests and demos; None: there is no ledger.
    """
    tools: list[Tool] = []
    if ledger_dir is not None:
        tools += ledger_tools(ledger_dir)
    return by_name(tools)


def by_name(tools: Iterable[Tool]) -> Mapping[str, Tool]:
    """Return the tools by name, in their order.

    Raises:
        ValueError: two have the same name: a model could not tell them apart.
    """
    named: dict[str, Tool] = {}
    for tool in tools:
        if tool.name in named:
            raise ValueError(f"two tools have the name {tool.name!r}")
        named[tool.name] = tool
    return named
