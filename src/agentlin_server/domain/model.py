"""The port to a language model: what a call needs, what a stream yields.

An adapter turns one provider's protocol into batches of chunks. A batch is what one
read of the provider's socket held: the engine pays its per-batch costs once, however
many tokens came together, and still writes one delta event per chunk.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

ChatMessage = dict[str, Any]
"""One message in the OpenAI chat-completions form: `role`, `content`, ..."""


class TextDelta(msgspec.Struct, frozen=True, gc=False):
    """A piece of the answer's text; never empty. `logprobs` as in the contract's LogProb."""

    text: str
    logprobs: tuple[dict[str, Any], ...] = ()


class ReasoningDelta(msgspec.Struct, frozen=True, gc=False):
    """A piece of the model's reasoning text; never empty."""

    text: str


class RefusalDelta(msgspec.Struct, frozen=True, gc=False):
    """A piece of the model's refusal; never empty."""

    text: str


class ToolCallDelta(msgspec.Struct, frozen=True, gc=False):
    """A piece of a tool call. `index` tells the calls of one answer apart.

    `call_id` and `name` are set on the first piece of a call ("" if the provider gave
    no id); later pieces carry `arguments` (JSON text fragments) only.
    """

    index: int
    call_id: str = ""
    name: str = ""
    arguments: str = ""


class Usage(msgspec.Struct, frozen=True, gc=False):
    """What the provider says the call cost, in tokens; `estimated` if it did not say."""

    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False


class ProviderState(msgspec.Struct, frozen=True, gc=False):
    """Opaque data that must go back to the provider with the item (reasoning signatures)."""

    data: dict[str, Any]


class Finish(msgspec.Struct, frozen=True, gc=False):
    """Why the answer ended: `stop`, `length`, `tool_calls`, `content_filter` or its own word."""

    reason: str


Chunk = TextDelta | ReasoningDelta | RefusalDelta | ToolCallDelta | Usage | ProviderState | Finish


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """One model call, in the provider-neutral form.

    Attributes:
        model: The provider's own name of the model, without the `provider/` prefix.
        messages: The whole context, oldest first.
        tools: Function tools on offer, in the contract's form.
        sampling: Inference arguments (`temperature`, `top_p`, `seed`, ...), already
            checked; passed on as they are.
        output_tokens_max: Most tokens the answer may have; None leaves it to the provider.
    """

    model: str
    messages: Sequence[ChatMessage]
    tools: Sequence[Mapping[str, Any]] = ()
    sampling: Mapping[str, Any] = field(default_factory=dict[str, Any])
    output_tokens_max: int | None = None


class Model(Protocol):
    """A provider that streams answers."""

    @property
    def provider(self) -> str:
        """The provider's name, as in `provider/model`."""
        ...

    def stream(
        self, request: ModelRequest
    ) -> AbstractAsyncContextManager[AsyncIterator[Sequence[Chunk]]]:
        """Open the call; iterate over batches of chunks (a batch is never empty).

        Leaving the context closes the provider's connection at once, also in the middle.
        A stream that ends without an exception is whole. Its last chunk, after any Usage, is
        its one Finish: nothing follows.

        Raises:
            ModelError: see `domain.errors`; raised on entry or from the iteration.
        """
        ...
