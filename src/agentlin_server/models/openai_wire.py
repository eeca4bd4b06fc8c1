"""The chat-completions protocol: a request to bytes, data payloads to chunks. Pure, no I/O.

Source: OpenAI API reference, "Create chat completion" and "The chat completion chunk object",
with the extensions that other servers of the protocol add: `reasoning_content` (DeepSeek, vLLM,
llama.cpp) or `reasoning` (OpenRouter, Ollama) in the delta, `error` objects inside the stream.
Only the fields that we need are decoded; everything else is skipped, unread.
"""

import math
from collections.abc import Callable
from typing import Any, Final

import msgspec

from agentlin_server.domain.errors import ModelError, ModelStreamError
from agentlin_server.domain.model import (
    Chunk,
    Finish,
    ModelRequest,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    Usage,
)
from agentlin_server.models.sse import SseDecoder, SseLimitError, WholeBody
from agentlin_server.models.think import ThinkSplitter
from agentlin_server.models.toolcalls import ToolCallFragment, ToolCallTracker

_LOGPROB_MIN: Final = -9999.0
"""What the protocol writes for "very unlikely", as JSON has no infinity."""
_SNIPPET_CHARS_MAX: Final = 120
_LIMIT_FIELDS: Final = ("max_tokens", "max_completion_tokens")


class _TopLogprob(msgspec.Struct, gc=False):
    token: str
    logprob: float | None = None
    bytes: list[int] | None = None


class _Logprob(msgspec.Struct, gc=False):
    token: str
    logprob: float | None = None
    bytes: list[int] | None = None
    top_logprobs: list[_TopLogprob] | None = None


class _Logprobs(msgspec.Struct, gc=False):
    content: list[_Logprob] | None = None


class _Delta(msgspec.Struct, gc=False):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCallFragment] | None = None

    def is_plain(self) -> bool:
        """Whether the delta holds nothing beside `content`."""
        return not (self.reasoning_content or self.reasoning or self.tool_calls or self.refusal)


class _Choice(msgspec.Struct, gc=False):
    delta: _Delta | None = None
    message: _Delta | None = None  # instead of `delta` where the server did not stream
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _InputDetails(msgspec.Struct, gc=False):
    cached_tokens: int | None = None


class _OutputDetails(msgspec.Struct, gc=False):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None
    prompt_cache_hit_tokens: int | None = None  # DeepSeek's name for cached tokens


class _Body(msgspec.Struct, gc=False):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None


_decode: Final = msgspec.json.Decoder(_Body, strict=False).decode


class _ListedModel(msgspec.Struct, gc=False):
    id: str


class _ModelList(msgspec.Struct, gc=False):
    data: list[_ListedModel]


def decode_models(body: bytes) -> list[str]:
    """Return the names in the answer of `GET /models`.

    Raises:
        ValueError: it is no such answer.

    >>> decode_models(b'{"object": "list", "data": [{"id": "small"}]}')
    ['small']
    """
    return [model.id for model in msgspec.json.decode(body, type=_ModelList).data]


def encode_request(request: ModelRequest, *, output_tokens_field: str, with_usage: bool) -> bytes:
    """Return the JSON body of the call.

    Args:
        request: The call; its `sampling` is passed on as it is.
        output_tokens_field: Name of the field that takes `request.output_tokens_max`. If
            `sampling` sets a limit too, the lower one holds.
        with_usage: Ask for the usage at the end of the stream.
    """
    body: dict[str, Any] = {
        "model": request.model,
        "messages": request.messages,
        **request.sampling,
    }
    body["stream"] = True
    if with_usage:
        body["stream_options"] = {"include_usage": True}
    if request.tools:
        body["tools"] = request.tools
    if (limit := request.output_tokens_max) is not None:
        given = next((name for name in _LIMIT_FIELDS if body.get(name) is not None), None)
        body[given or output_tokens_field] = limit if given is None else min(limit, body[given])
    return msgspec.json.encode(body)


class AnswerDecoder:
    """Turns the bytes of one answer into chunks, one per delta of the provider.

    Usage and Finish come last, because some providers repeat them, or send more text after them.

    Args:
        provider: Name of the provider, for errors.
        describe_error: Makes an exception of an `error` object inside the stream.
        is_streamed: False for a server that answers with one JSON object instead of a stream.
    """

    __slots__ = ("_describe_error", "_finish_reason", "_is_done", "_provider", "_source", "_think",
                 "_tools", "_usage", "failure", "has_ended")  # fmt: skip

    def __init__(
        self,
        *,
        provider: str,
        describe_error: Callable[[Any], ModelError],
        is_streamed: bool = True,
    ) -> None:
        self._provider = provider
        self._describe_error = describe_error
        self._source = SseDecoder() if is_streamed else WholeBody()
        self._think: ThinkSplitter | None = ThinkSplitter()
        self._tools = ToolCallTracker()
        self._finish_reason: str | None = None
        self._usage: _Usage | None = None
        self._is_done = False  # the provider said `[DONE]`; nothing after it counts
        self.failure: ModelError | None = None
        """What went wrong; to be raised after the chunks that came before it are passed on."""
        self.has_ended = False
        """The answer is whole and all its chunks are out."""

    @property
    def is_whole(self) -> bool:
        """Whether the provider has ended its answer: what may still follow is only the usage."""
        return self._is_done or self._finish_reason is not None

    def feed(self, data: bytes) -> list[Chunk]:
        """Return the chunks that `data` completes; empty `data` is the end of the bytes.

        Sets `failure` or `has_ended`, after either of which nothing more may be fed.
        """
        try:
            payloads = self._source.feed(data) if data else self._source.close()
        except SseLimitError as exc:
            self._fail(f"sent {exc}.")
            return []
        chunks = self._parse(payloads, is_rest=not data)
        if self.failure is None and (self._is_done or not data):
            if self.is_whole:
                self._finish(chunks)
            else:
                self._fail("broke off in the middle of its answer.")
        return chunks

    def _parse(self, payloads: list[bytes], *, is_rest: bool) -> list[Chunk]:
        """Return the chunks in `payloads`; `is_rest`: the last may be cut off, so skip it then."""
        chunks: list[Chunk] = []
        for payload in payloads:
            try:
                body = _decode(payload)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
                if self._is_end(payload, exc, is_rest=is_rest):
                    break
                continue
            if body.error:
                self.failure = self._describe_error(body.error)
                break
            if body.usage is not None:
                self._usage = body.usage
            if body.choices:
                self._take(body.choices[0], chunks)
        return chunks

    def _take(self, choice: _Choice, chunks: list[Chunk]) -> None:
        if choice.finish_reason is not None and self._finish_reason is None:
            self._finish_reason = choice.finish_reason
        if (delta := choice.delta or choice.message) is None:
            return
        text = delta.content
        # most deltas are plain text: they must not pay for all that others may hold
        if text and self._think is None and choice.logprobs is None and delta.is_plain():
            chunks.append(TextDelta(text))
        else:
            self._add(chunks, delta, choice.logprobs)

    def _is_end(self, payload: bytes, exc: Exception, *, is_rest: bool) -> bool:
        """Whether a payload that is no chunk ends the stream: `[DONE]`, or it is broken."""
        text = payload.strip()
        if text == b"[DONE]":
            self._is_done = True
        elif text and not is_rest:
            snippet = text[:_SNIPPET_CHARS_MAX].decode(errors="replace")
            self._fail(f"sent what is not a chat-completion chunk ({exc}): {snippet!r}")
        return self._is_done or self.failure is not None

    def _finish(self, chunks: list[Chunk]) -> None:
        self._flush_think(chunks)
        if (usage := _to_usage(self._usage)) is not None:
            chunks.append(usage)
        default = "tool_calls" if self._tools.has_calls else "stop"
        chunks.append(Finish(self._finish_reason or default))
        self.has_ended = True

    def _fail(self, what: str) -> None:
        self.failure = ModelStreamError(f"{self._provider} {what}", provider=self._provider)

    def _add(self, chunks: list[Chunk], delta: _Delta, logprobs: _Logprobs | None) -> None:
        """Append all that a delta holds, in the order in which models write it."""
        if reasoning := delta.reasoning_content or delta.reasoning:
            chunks.append(ReasoningDelta(reasoning))
        if delta.content:
            text = TextDelta(delta.content, _to_logprobs(logprobs) if logprobs else ())
            if self._think is None:
                chunks.append(text)
            else:
                chunks.extend(self._think.feed(text))
                if self._think.is_decided:
                    self._think = None
        if delta.refusal:
            self._flush_think(chunks)
            chunks.append(RefusalDelta(delta.refusal))
        if delta.tool_calls:
            self._flush_think(chunks)
            pieces = map(self._tools.feed, delta.tool_calls)
            chunks.extend(piece for piece in pieces if piece is not None)

    def _flush_think(self, chunks: list[Chunk]) -> None:
        if self._think is not None:
            chunks.extend(self._think.flush())
            self._think = None


def _to_logprobs(logprobs: _Logprobs) -> tuple[dict[str, Any], ...]:
    """Return the contract's LogProb objects; a token without bytes gets those of its text."""
    return tuple(
        {
            **_to_token(entry),
            "top_logprobs": [_to_token(top) for top in entry.top_logprobs or ()],
        }
        for entry in logprobs.content or ()
    )


def _to_token(entry: _Logprob | _TopLogprob) -> dict[str, Any]:
    is_finite = entry.logprob is not None and math.isfinite(entry.logprob)
    return {
        "token": entry.token,
        "bytes": list(entry.token.encode(errors="replace")) if entry.bytes is None else entry.bytes,
        "logprob": entry.logprob if is_finite else _LOGPROB_MIN,
    }


def _to_usage(usage: _Usage | None) -> Usage | None:
    """Return the usage, None if the provider gave none or an empty one."""
    if usage is None or (usage.prompt_tokens is None and usage.completion_tokens is None):
        return None
    input_details, output_details = usage.prompt_tokens_details, usage.completion_tokens_details
    cached = input_details.cached_tokens if input_details else usage.prompt_cache_hit_tokens
    return Usage(
        input_tokens=usage.prompt_tokens or 0,
        cached_tokens=cached or 0,
        output_tokens=usage.completion_tokens or 0,
        reasoning_tokens=(output_details.reasoning_tokens if output_details else 0) or 0,
    )
