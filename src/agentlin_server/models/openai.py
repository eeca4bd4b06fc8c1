"""The OpenAI-compatible adapter: streaming chat completions of any server that speaks them.

OpenAI, vLLM, llama.cpp, Ollama, DeepSeek, OpenRouter and many more. aiohttp is imported at the
first call, so that a server which never uses it does not pay for it.
"""

import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit, urlunsplit

import anyio

from agentlin_server.domain.errors import (
    ModelError,
    ModelRequestError,
    ModelStreamError,
    ModelTimeoutError,
    ModelUnavailableError,
)
from agentlin_server.domain.model import Chunk, ModelRequest
from agentlin_server.models.openai_errors import ErrorTable
from agentlin_server.models.openai_wire import AnswerDecoder, decode_models, encode_request
from agentlin_server.models.redact import Redactor
from agentlin_server.models.timeouts import ModelTimeouts

if TYPE_CHECKING:
    import aiohttp

    from agentlin_server.models.openai_http import HttpReply, HttpTransport

OutputTokensField = Literal["max_tokens", "max_completion_tokens"]

_OPENAI_HOST: Final = "api.openai.com"
_HTTP_OK: Final = 200
_ERROR_BODY_BYTES_MAX: Final = 64 * 1024
_MODELS_BODY_BYTES_MAX: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """When to send a call again that failed before the first byte of its answer.

    Only refused or broken connections and 5xx are tried again; all else is the engine's choice.

    Attributes:
        retries_max: How many more times, >= 0.
        first_s: Pause before the first retry, in seconds; each later one is twice as long.
        cap_s: Longest pause, in seconds. A provider that asks for more is not tried again.
        jitter: Returns 0 to 1: which part of a quarter of the pause is taken off.
        sleep: Waits for as many seconds.
    """

    retries_max: int = 2
    first_s: float = 0.5
    cap_s: float = 8.0
    jitter: Callable[[], float] = random.random
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep

    def pause_s(self, retries: int, error: ModelError) -> float | None:
        """Return the pause before the next attempt after `retries` retries; None: give up."""
        asked = error.retry_after_s or 0.0
        if not error.retryable or retries >= self.retries_max or asked > self.cap_s:
            return None
        backoff = min(self.cap_s, self.first_s * 2**retries)
        return max(asked, backoff * (1 - self.jitter() / 4))


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """Where calls go: `url` and `models_url` with query, `address` (for people) without, `host`."""

    url: str
    models_url: str
    address: str
    host: str


class OpenAIModel:
    """A provider that speaks streaming chat completions; implements the port `Model`.

    To be used in one event loop. Every delta of the provider becomes one chunk, never merged; a
    batch is what one read of the socket held. Usage (if the provider gives it) and Finish come
    last.

    Args:
        provider: Its name, as in `provider/model`.
        base_url: E.g. `https://api.openai.com/v1`; a query (`?api-version=...`) is kept.
        api_key: Sent as a bearer token; None or empty: none is sent.
        timeouts: How long to wait.
        retries: When to try again.
        headers: Sent with every call, beside the usual ones.
        output_tokens_field: What the limit of output tokens is called; None: what the host
            wants (only api.openai.com has another name than the rest).
        session_factory: Makes the aiohttp session; None: our own.

    Raises:
        ValueError: the base URL or the key can't be one.
    """

    def __init__(
        self,
        *,
        provider: str,
        base_url: str,
        api_key: str | None = None,
        timeouts: ModelTimeouts | None = None,
        retries: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
        output_tokens_field: OutputTokensField | None = None,
        session_factory: "Callable[[], aiohttp.ClientSession] | None" = None,
    ) -> None:
        key = (api_key or "").strip()
        if not key.isascii() or not (key.isprintable() or not key):
            raise ValueError(f"the API key of the provider {provider!r} has characters no key has")
        endpoint = _endpoint(provider, base_url)
        self._provider = provider
        self._endpoint = endpoint
        self._timeouts = timeouts or ModelTimeouts()
        self._retries = retries or RetryPolicy()
        self._headers = _call_headers(key, headers or {})
        self._session_factory = session_factory
        self.output_tokens_field = output_tokens_field or (
            "max_completion_tokens" if endpoint.host == _OPENAI_HOST else "max_tokens"
        )
        self._errors = ErrorTable(
            provider=provider,
            address=endpoint.address,
            redactor=Redactor([key, *(headers or {}).values()]),
        )
        self._transport: HttpTransport | None = None
        self._without_usage: set[str] = set()  # models whose server refuses `stream_options`

    def __repr__(self) -> str:
        return f"OpenAIModel(provider={self._provider!r}, base_url={self._endpoint.address!r})"

    @property
    def provider(self) -> str:
        """The provider's name."""
        return self._provider

    def stream(
        self, request: ModelRequest
    ) -> AbstractAsyncContextManager[AsyncIterator[Sequence[Chunk]]]:
        """Open the call; see `Model.stream`.

        Raises:
            ModelError: on entry whatever happens before the answer begins, from the iteration
                whatever happens later. Messages never hold the key.
        """
        return self._stream(request)

    async def list_models(self) -> list[str]:
        """Return the names of the models that the provider offers, in its order.

        Source: OpenAI API reference, "List models".

        Raises:
            ModelError: the provider can't be reached, or does not answer with such a list.
        """
        reply = await self._http().send("GET", self._endpoint.models_url)
        try:
            checked = await self._checked(reply, model="")
            body = await checked.read_body(bytes_max=_MODELS_BODY_BYTES_MAX)
        finally:
            reply.close()
        try:
            return decode_models(body)
        except ValueError as exc:
            raise ModelStreamError(
                f"{self._provider} at {self._endpoint.address} has no list of models ({exc}).",
                provider=self._provider,
            ) from exc

    async def aclose(self) -> None:
        """Close all connections; a later call opens new ones."""
        if self._transport is not None:
            await self._transport.aclose()

    @asynccontextmanager
    async def _stream(
        self, request: ModelRequest
    ) -> AsyncGenerator[AsyncIterator[Sequence[Chunk]]]:
        reply = await self._open(request)
        try:
            async with aclosing(self._batches(reply, request.model)) as batches:
                yield batches
        finally:
            reply.close()

    async def _open(self, request: ModelRequest) -> "HttpReply":
        """Return the answer once it has begun with success, trying again where that may help."""
        retries = 0
        while True:
            with_usage = request.model not in self._without_usage
            body = encode_request(
                request, output_tokens_field=self.output_tokens_field, with_usage=with_usage
            )
            try:
                return await self._attempt(body, request.model)
            except ModelRequestError as exc:
                if not (with_usage and _refuses_usage(exc)):
                    raise
                self._without_usage.add(request.model)
            except ModelUnavailableError as exc:
                if (pause_s := self._retries.pause_s(retries, exc)) is None:
                    raise
                retries += 1
                await self._retries.sleep(pause_s)

    async def _attempt(self, body: bytes, model: str) -> "HttpReply":
        reply = await self._http().send("POST", self._endpoint.url, body)
        return await self._checked(reply, model=model)

    async def _checked(self, reply: "HttpReply", *, model: str) -> "HttpReply":
        """Return the answer if it has begun with success; raise what it says otherwise."""
        if reply.status == _HTTP_OK and reply.content_type != "text/html":
            return reply
        try:
            said = await reply.read_body(bytes_max=_ERROR_BODY_BYTES_MAX)
        finally:
            reply.close()
        if reply.status == _HTTP_OK:
            raise ModelRequestError(
                f"{self._provider} at {self._endpoint.address} answered with a web page. "
                "Is the base URL right? It often ends in /v1.",
                provider=self._provider,
                status=reply.status,
            )
        raise self._errors.from_answer(
            reply.status, said, reply.headers, model=model, now=datetime.now(UTC)
        )

    async def _batches(self, reply: "HttpReply", model: str) -> AsyncGenerator[Sequence[Chunk]]:
        answer = AnswerDecoder(
            provider=self._provider,
            describe_error=partial(self._errors.from_stream, model=model),
            is_streamed=reply.content_type != "application/json",
        )
        while not answer.has_ended:
            try:
                data = await reply.read()
            except (ModelStreamError, ModelTimeoutError):
                if not answer.is_whole:
                    raise
                data = b""  # all that is lost is the usage
            if chunks := answer.feed(data):
                yield chunks
                reply.mark_piece()
            if answer.failure is not None:
                raise answer.failure
        await reply.drain()

    def _http(self) -> "HttpTransport":
        if self._transport is None:
            try:
                from agentlin_server.models.openai_http import HttpTransport
            except ImportError as exc:
                raise ImportError(
                    "model providers need aiohttp: pip install 'agentlin[server]'"
                ) from exc
            self._transport = HttpTransport(
                provider=self._provider,
                address=self._endpoint.address,
                headers=self._headers,
                timeouts=self._timeouts,
                session_factory=self._session_factory,
            )
        return self._transport


def _endpoint(provider: str, base_url: str) -> _Endpoint:
    """Return where to send calls, or raise ValueError."""
    parts = urlsplit(base_url.strip())
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(
            f"the base URL of the provider {provider!r} must look like https://host/v1"
        )
    if parts.username is not None or parts.password is not None:
        raise ValueError(
            f"the base URL of the provider {provider!r} holds credentials; set them as the API key"
        )
    path = parts.path.rstrip("/").removesuffix("/chat/completions")
    return _Endpoint(
        url=urlunsplit((parts.scheme, parts.netloc, f"{path}/chat/completions", parts.query, "")),
        models_url=urlunsplit((parts.scheme, parts.netloc, f"{path}/models", parts.query, "")),
        address=urlunsplit((parts.scheme, parts.netloc, path, "", "")),
        host=parts.hostname,
    )


def _call_headers(key: str, extra: Mapping[str, str]) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "Accept": "text/event-stream, application/json",
        "Accept-Encoding": "identity",  # compression delays tokens
        "User-Agent": "agentlin",
    }
    if key:
        headers["Authorization"] = f"Bearer {key}"
    return {**headers, **extra}


def _refuses_usage(error: ModelError) -> bool:
    said = str(error)
    return "stream_options" in said or "include_usage" in said
