"""The docstrings of fields: string literals that follow an annotation or an assignment.

Python does not keep them, so they are read from the source. Pydantic can do so too, but only
when a class is made, and then every program that imports the types would pay for it.
"""

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise


def of_fields(cls: type) -> dict[str, str]:
    """Return the docstrings of a class's fields by name, inherited ones included.

    Works for pydantic models and for TypedDicts. A module without source has none.
    """
    docs: dict[str, str] = {}
    for origin in _lineage(cls):
        docs |= _of_module(origin.__module__).get(origin.__qualname__, {})
    return docs


def of_names(module: str) -> Mapping[str, str]:
    """Return the docstrings of the names that an imported module assigns."""
    return _of_module(module).get("", {})


def _lineage(cls: type) -> Iterator[type]:
    """Yield the bases, farthest first, then the class. A TypedDict has them, but no MRO."""
    bases: tuple[object, ...] = vars(cls).get("__orig_bases__", cls.__bases__)
    for base in bases:
        if isinstance(base, type):
            yield from _lineage(base)
    yield cls


@cache
def _of_module(module: str) -> Mapping[str, Mapping[str, str]]:
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (OSError, TypeError):
        return {}
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    return {"": _of_body(tree.body)} | {node.name: _of_body(node.body) for node in classes}


def _of_body(body: list[ast.stmt]) -> dict[str, str]:
    docs: dict[str, str] = {}
    for statement, following in pairwise(body):
        match statement, following:
            case (
                ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                docs[name] = inspect.cleandoc(text)
            case _:
                pass
    return docs
