"""What a provider's error answer means: one of the ModelError classes, with advice. Pure."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, cast

import msgspec

from agentlin_server.domain.errors import (
    ContentFilterError,
    ContextLengthError,
    ModelAuthenticationError,
    ModelError,
    ModelNotFoundError,
    ModelRateLimitError,
    ModelRequestError,
    ModelStreamError,
    ModelUnavailableError,
)
from agentlin_server.models.redact import Redactor

_DETAIL_CHARS_MAX: Final = 500
_WRAPPINGS_MAX: Final = 5

# Codes, types and words of: OpenAI, Azure, vLLM, llama.cpp, Anthropic, Google, Groq, xAI, Mistral.
_CONTEXT_LENGTH: Final = re.compile(
    r"context_length_exceeded|exceed_context_size|maximum context length|maximum prompt length"
    r"|available context size|context window|context length (?:is|of|limit)|prompt is too long"
    r"|input is too long|too many input tokens|too large for model with"
    r"|reduce the length of (?:the|your) (?:messages|prompt|input)"
    r"|token count .{0,40}exceeds the maximum"
    r"|exceeds? the (?:model'?s )?(?:max|context)\w* ?(?:input )?(?:length|size)",
    re.IGNORECASE,
)
# Azure, OpenAI, DeepSeek, DashScope.
_CONTENT_FILTER: Final = re.compile(
    r"content_filter|content_policy_violation|ResponsibleAIPolicyViolation"
    r"|content management policy|Content Exists Risk|data_inspection_failed",
    re.IGNORECASE,
)
_UNKNOWN_MODEL: Final = re.compile(
    r"model_not_found|model [`'\"]?[^\s`'\"]{0,200}[`'\"]? (?:does not exist|(?:is )?not found)"
    r"|invalid model|no such model",
    re.IGNORECASE,
)
_OUT_OF_CREDIT: Final = re.compile(
    r"insufficient_quota|insufficient balance|billing", re.IGNORECASE
)


class ErrorTable:
    """Maps the error answers of one provider.

    Args:
        provider: Its name.
        address: Its base URL as a person should see it, without credentials.
        redactor: Cleans what the provider wrote, which may repeat the key.
    """

    __slots__ = ("_address", "_provider", "_redactor")

    def __init__(self, *, provider: str, address: str, redactor: Redactor) -> None:
        self._provider = provider
        self._address = address
        self._redactor = redactor

    def from_answer(
        self, status: int, body: bytes, headers: Mapping[str, str], *, model: str, now: datetime
    ) -> ModelError:
        """Return the error for an HTTP answer that is no success.

        Args:
            status: The HTTP status.
            body: The (beginning of the) body; JSON in any of the usual forms, or text.
            headers: The answer's headers, found without regard to case.
            model: The model that was asked for; empty if the call was for none.
            now: The time, in UTC, for a `Retry-After` that is a date.
        """
        if status < 400:  # noqa: PLR2004 - HTTP's own boundary
            return self._redirected(status, headers.get("Location", ""))
        code, detail = describe(_decoded(body))
        return self._error(
            status, code, detail, model=model, retry_after_s=retry_after_s(headers, now=now)
        )

    def from_stream(self, error: Any, *, model: str) -> ModelError:
        """Return the error for an `error` object inside a stream that had begun with 200."""
        code, detail = describe({"error": error})
        number = re.search(r"\b[45]\d\d\b", code)
        status = int(number[0]) if number else None
        if status is not None and status < 500:  # noqa: PLR2004 - HTTP's own boundary
            return self._error(status, code, detail, model=model, retry_after_s=None)
        kind = self._kind_by_words(f"{code} {detail}")
        if kind is None and "rate_limit" in code:
            kind = ModelRateLimitError
        message = f"{self._provider} reported an error in its stream: {self._clean(detail)}"
        return (kind or ModelStreamError)(message, provider=self._provider, status=status)

    def _error(
        self, status: int, code: str, detail: str, *, model: str, retry_after_s: float | None
    ) -> ModelError:
        said = f"{self._provider} answered {status}: {self._clean(detail)}"
        kind = self._kind_by_words(f"{code} {detail}") if status not in {401, 429} else None
        advice = ""
        retryable = None
        if kind is not None:
            advice = _ADVICE.get(kind, "")
        elif status in {401, 403}:
            kind = ModelAuthenticationError
            advice = f"Check the API key that is set for the provider {self._provider!r}."
        elif status == 404:  # noqa: PLR2004 - HTTP's own number
            kind = ModelNotFoundError
            name = f"the name of the model ({model!r}) and " if model else ""
            advice = f"Check {name}the base URL ({self._address})."
        elif status == 429:  # noqa: PLR2004 - HTTP's own number
            kind = ModelRateLimitError
            retryable = _OUT_OF_CREDIT.search(f"{code} {detail}") is None
            advice = "Wait, or raise the limit." if retryable else "Check the plan and its credit."
        elif status == 408 or status >= 500:  # noqa: PLR2004 - HTTP's own numbers
            kind = ModelUnavailableError
            advice = "Try again later."
        else:
            kind = ModelRequestError
        return kind(
            f"{said} {advice}".rstrip(),
            provider=self._provider,
            status=status,
            retryable=retryable,
            retry_after_s=retry_after_s,
        )

    def _kind_by_words(self, said: str) -> type[ModelError] | None:
        """Return the class for conditions that providers tell by a code or by their words only."""
        if _CONTENT_FILTER.search(said):
            return ContentFilterError
        if _CONTEXT_LENGTH.search(said):
            return ContextLengthError
        return ModelNotFoundError if _UNKNOWN_MODEL.search(said) else None

    def _redirected(self, status: int, location: str) -> ModelError:
        target = self._redactor.redact_text(location.partition("?")[0]) or "another address"
        return ModelRequestError(
            f"{self._provider} at {self._address} answered {status}, a redirect to {target}: "
            "set the base URL to where the service is (redirects would carry the key elsewhere).",
            provider=self._provider,
            status=status,
        )

    def _clean(self, detail: str) -> str:
        # first redact, then cut: half a key would not be recognised
        text = " ".join(self._redactor.redact_text(detail).split())
        if len(text) > _DETAIL_CHARS_MAX:
            text = text[:_DETAIL_CHARS_MAX] + "..."
        return text if not text or text[-1] in ".!?:" else text + "."


_ADVICE: Final[Mapping[type[ModelError], str]] = {
    ContextLengthError: "Shorten the conversation, or choose a model with a longer context.",
    ModelNotFoundError: "Check the name of the model.",
}


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body.decode(errors="replace")


def describe(answer: Any) -> tuple[str, str]:
    """Return (code and type, message) of an error answer, in whatever form the provider has.

    Known forms: `{"error": {"message", "code", "type"}}` (OpenAI), `{"error": "text"}` (Ollama),
    `{"object": "error", "message"}` (vLLM), `{"detail": ...}` (FastAPI), `[{"error": ...}]`
    (Google), plain text.

    >>> describe({"error": {"message": "No such key.", "code": "invalid_api_key"}})
    ('invalid_api_key', 'No such key.')
    """
    answer = _unwrapped(answer)
    if not isinstance(answer, dict):
        return "", answer if isinstance(answer, str) and answer else "no details"
    fields = cast("dict[str, Any]", answer)
    words: list[str] = [
        str(fields[name])
        for name in ("code", "type", "status")
        if isinstance(fields.get(name), str | int)
    ]
    inner = fields.get("innererror")
    if isinstance(inner, dict):
        words.append(str(cast("dict[str, Any]", inner).get("code", "")))
    for name in ("message", "error", "detail"):
        if isinstance(fields.get(name), str) and fields[name]:
            return " ".join(words), fields[name]
    try:
        return " ".join(words), msgspec.json.encode(fields).decode()
    except RecursionError:
        return " ".join(words), "no readable details"


def _unwrapped(answer: Any) -> object:
    """Return the object inside `[...]`, `error` and `detail`."""
    for _ in range(_WRAPPINGS_MAX):
        if isinstance(answer, list):
            items = cast("list[Any]", answer)
            answer = items[0] if items else None
        elif isinstance(answer, dict):
            fields = cast("dict[str, Any]", answer)
            wrapped = [
                fields[key] for key in ("error", "detail") if isinstance(fields.get(key), dict)
            ]
            if not wrapped:
                break
            answer = wrapped[0]
    return cast("object", answer)


def retry_after_s(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """Return how long the provider asks to wait, in seconds, >= 0; None if it does not say.

    Source: RFC 9110, section 10.2.3 (seconds or a date); `retry-after-ms` is OpenAI's.

    >>> retry_after_s({"Retry-After": "7"}, now=datetime(2030, 1, 1, tzinfo=UTC))
    7.0
    """
    for name, unit_s in (("retry-after-ms", 0.001), ("Retry-After", 1.0)):
        value = headers.get(name, "").strip()
        if re.fullmatch(r"\d{1,9}(?:\.\d{1,9})?", value):
            return float(value) * unit_s
    try:
        at = parsedate_to_datetime(headers.get("Retry-After", ""))
    except ValueError:
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds())
