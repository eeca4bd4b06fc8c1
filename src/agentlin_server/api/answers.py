"""Answers to the calls that a task waits for: the body of tool_results, checked once."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast, get_type_hints

from pydantic import TypeAdapter

from agentlin_client.types import ToolResultsParams
from agentlin_server.agent import context as contexts
from agentlin_server.api.params import validated
from agentlin_server.domain.errors import InvalidRequestError
from agentlin_server.domain.events import Json
from agentlin_server.engine.answers import ToolAnswer

_ADAPTER: Final[TypeAdapter[ToolResultsParams]] = TypeAdapter(ToolResultsParams)
_KNOWN: Final = frozenset(get_type_hints(ToolResultsParams))


def checked(body: Json) -> ToolResultsParams:
    """Return the body of tool_results as the contract's params.

    Raises:
        InvalidRequestError: a key is misspelt, missing, or of a wrong type; there is no result,
            or two are for the same call.
        UnsupportedContentError: a result holds content that models can't take yet.
    """
    params = cast("ToolResultsParams", validated(body, _ADAPTER, known=_KNOWN))
    results = params["tool_results"]
    if not results:
        raise InvalidRequestError.at("tool_results", msg="must not be empty", kind="too_short")
    seen: set[str] = set()
    for n, result in enumerate(results):
        if (call_id := result["call_id"]) in seen:
            raise InvalidRequestError.at(
                "tool_results", n, "call_id", msg="is answered twice", kind="repeated_call_id"
            )
        seen.add(call_id)
        contexts.to_chat(result)  # to see that the model can take it
    return params


def of_item(result: Mapping[str, Any]) -> ToolAnswer:
    """Return a tool_result item, in the contract's form, as an answer."""
    return ToolAnswer(
        call_id=result["call_id"],
        message_content=result["message_content"],
        block_list=result["block_list"],
    )


def of_chat(message: Mapping[str, Any]) -> ToolAnswer:
    """Return an OpenAI chat message of role tool as an answer; a screen shows what the model sees.

    The message has a `tool_call_id`.
    """
    content: str | Sequence[Json] = message.get("content") or ""
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return ToolAnswer(
        call_id=message["tool_call_id"], message_content=content, block_list=list(blocks)
    )
