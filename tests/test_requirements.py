"""Every listed decision of the contract is held by a test."""

import ast
from pathlib import Path

import pytest

from tests.requirements import REQUIREMENTS, requirement


def _named_in_tests() -> set[str]:
    named: set[str] = set()
    for path in Path(__file__).parent.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for decorator in node.decorator_list:
                match decorator:
                    case ast.Call(func=ast.Name(id="requirement"), args=args):
                        constants = [arg.value for arg in args if isinstance(arg, ast.Constant)]
                        named |= {value for value in constants if isinstance(value, str)}
                    case _:
                        pass
    return named


def test_every_requirement_has_a_test() -> None:
    assert set(REQUIREMENTS) - _named_in_tests() == set()


def test_a_test_cannot_name_a_requirement_that_is_not_listed() -> None:
    with pytest.raises(KeyError, match="not listed"):
        requirement("task.of.fancy")
