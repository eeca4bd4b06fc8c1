"""Hypothesis strategies for the JSON of any contract model, built from the model itself."""

import types
import typing
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pydantic
from hypothesis import strategies as st
from pydantic import AfterValidator

_SCALARS: Mapping[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=8),
    int: st.integers(-(2**63), 2**63),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    type(None): st.none(),
}
_KEYS = st.text(max_size=6)

json_values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(*_SCALARS.values()),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_KEYS, inner, max_size=2),
    max_leaves=4,
)
"""Any JSON, small."""


def json_of(annotation: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for JSON that is valid for a model, a union or a field's annotation."""
    if annotation in _SCALARS:
        return _SCALARS[annotation]
    if annotation is Any:
        return json_values
    if get_origin(annotation) is None:
        return _model(annotation)
    return _composed(get_origin(annotation), get_args(annotation))


@cache
def _model(model: type[pydantic.BaseModel]) -> st.SearchStrategy[dict[str, Any]]:
    return st.deferred(lambda: _fields(model))


def _composed(origin: Any, args: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    if origin is Annotated:
        return _annotated(args[0], args[1:])
    if origin in (Union, types.UnionType):
        return st.one_of(*(json_of(arg) for arg in args))
    if origin is Literal:
        return st.sampled_from(args)
    if origin is list:
        return st.lists(json_of(args[0]), max_size=2)
    assert origin is dict
    return st.dictionaries(_KEYS, json_of(args[1]), max_size=2)


def _annotated(annotation: Any, metadata: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    refusals = [m.func for m in metadata if isinstance(m, AfterValidator)]
    return json_of(annotation).filter(lambda value: all(_passes(r, value) for r in refusals))


def _passes(validate: Any, value: Any) -> bool:
    try:
        validate(value)
    except ValueError:
        return False
    return True


def _fields(model: type[pydantic.BaseModel]) -> st.SearchStrategy[dict[str, Any]]:
    hints = typing.get_type_hints(model, include_extras=True)
    needed = {k: json_of(hints[k]) for k, f in model.model_fields.items() if f.is_required()}
    others = {k: json_of(hints[k]) for k, f in model.model_fields.items() if not f.is_required()}
    unknown = st.dictionaries(_KEYS.filter(lambda key: key not in hints), json_values, max_size=1)
    known = st.fixed_dictionaries(needed, optional=others)
    return st.builds(lambda a, b: b | a, known, unknown)
