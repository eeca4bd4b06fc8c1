from pathlib import Path

import pytest
from openapi_schema_validator import OAS31Validator

from agentlin_server.agent.spec import tool_spec
from agentlin_server.tools.ledger import ledger_tools
from agentlin_server.tools.registry import build_tools, by_name


def test_there_is_no_ledger_unless_it_has_a_folder(tmp_path: Path) -> None:
    assert build_tools() == {}
    assert list(build_tools(ledger_dir=tmp_path)) == ["ledger_record", "ledger_save", "ledger_read"]


def test_two_tools_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ledger_record"):
        by_name([*ledger_tools(tmp_path), *ledger_tools(tmp_path)])


def test_every_tool_can_be_offered_to_a_model(tmp_path: Path) -> None:
    for name, tool in build_tools(ledger_dir=tmp_path).items():
        OAS31Validator.check_schema(dict(tool.parameters))
        spec = tool_spec(tool)
        assert (spec.name, spec.effect) == (name, tool.effect)
        assert spec.definition["function"]["description"]
