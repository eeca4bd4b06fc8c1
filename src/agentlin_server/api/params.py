"""Bodies, checked once against the contract's types; above all that of a create."""

from collections.abc import Mapping
from difflib import get_close_matches
from itertools import islice
from typing import Any, Final, cast, get_type_hints

from pydantic import TypeAdapter, ValidationError

from agentlin_client.types.task_create_params import TaskCreateBody
from agentlin_server.agent import context as contexts
from agentlin_server.api.envelope import REQUEST_ID_CHARS_MAX
from agentlin_server.domain.errors import InvalidRequestError, UnsupportedParamError
from agentlin_server.domain.events import Json

_ADAPTER: Final[TypeAdapter[TaskCreateBody]] = TypeAdapter(TaskCreateBody)
_KNOWN: Final = frozenset(get_type_hints(TaskCreateBody))
_MISSPELT_FROM: Final = 0.8
"""How alike an unknown key must be to a param to be taken for a misspelt one (difflib ratio)."""
_UNKNOWN_KEYS_MAX: Final = 32
"""How many unknown keys are compared with the params: each takes about half a millisecond."""

_NOT_BUILT: Final = (
    "allowed_subagents",
    "allowed_tools",
    "disallowed_tools",
    "env",
    "include_compress_model_rollout",
    "include_subagent_rollout",
    "log_dir",
    "require_approval",
    "return_rollout",
    "rollout_save_dir",
    "stop_tools",
    "structured_output",
    "webhook_url",
    "workspace_dir",
)
"""Params whose feature comes later; an empty value asks for nothing and passes."""


def checked(body: Json) -> TaskCreateBody:
    """Return the body of a create as the contract's params.

    A body without `stream` asks for none.

    Raises:
        InvalidRequestError: a key is misspelt, missing, or of a wrong type.
        UnsupportedParamError: a param asks for what is not built yet.
        UnsupportedContentError: a message holds content that models can't take yet.
    """
    if body.get("on_busy") == "":  # null, as everywhere an empty value asks for nothing
        body = body | {"on_busy": None}
    params = cast("TaskCreateBody", validated(body, _ADAPTER, known=_KNOWN))
    _refuse_not_built(params)
    _check_messages(params)
    return params


def validated(body: Json, adapter: TypeAdapter[Any], *, known: frozenset[str]) -> Json:
    """Return the params of a body that are known and not null.

    Args:
        body: The body.
        adapter: Of the contract's type for it.
        known: The names of that type's params.

    Raises:
        InvalidRequestError: a key is misspelt, missing, or of a wrong type.
    """
    _refuse_misspelt(body, known)
    given = {key: value for key, value in body.items() if key in known and value is not None}
    try:
        adapter.validate_python(given, strict=True)
    except ValidationError as exc:
        raise InvalidRequestError(_problems(exc)) from None
    if len(given.get("request_id") or "") > REQUEST_ID_CHARS_MAX:
        msg = f"must be at most {REQUEST_ID_CHARS_MAX} characters"
        raise InvalidRequestError.at("request_id", msg=msg, kind="string_too_long")
    return given


def _refuse_misspelt(body: Mapping[str, Any], known: frozenset[str]) -> None:
    problems: list[Json] = []
    unknown = (key for key in body if key not in known)
    for key in islice(unknown, _UNKNOWN_KEYS_MAX):
        near = get_close_matches(key, known - body.keys(), n=1, cutoff=_MISSPELT_FROM)
        if near:
            msg = f"unknown param; did you mean {near[0]!r}?"
            problems.append({"loc": [key[:100]], "msg": msg, "type": "misspelt_param"})
    if problems:
        raise InvalidRequestError(problems)


def _problems(exc: ValidationError) -> list[Json]:
    """Return what is wrong and where, without the input itself: it may hold secrets."""
    faults = exc.errors(include_url=False, include_context=False, include_input=False)
    return [{"loc": list(f["loc"]), "msg": f["msg"], "type": f["type"]} for f in faults]


def _refuse_not_built(params: TaskCreateBody) -> None:
    for name in _NOT_BUILT:
        if params.get(name):
            raise UnsupportedParamError(name)


def _check_messages(params: TaskCreateBody) -> None:
    history = params.get("history_messages") or ()
    thoughts = params.get("thought_messages") or ()
    content = params["user_message_content"]
    if not (content or history or thoughts):
        raise InvalidRequestError.at("user_message_content", msg="must not be empty")
    # Built once to see that the model can take it; the run builds it again with its session.
    contexts.start(
        "",
        turns=(),
        history=cast("list[Json]", history),
        user_content=content,
        thoughts=cast("list[Json]", thoughts),
    )
