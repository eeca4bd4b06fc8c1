"""Scripts for the scripted model: their steps, and how they are read and checked.

A script in YAML is a list of answers (or `answers:` with that list)::

    answers:
      - match: weather            # a regular expression on the last user message; optional
        results: 0                # how many tool results follow that message; optional
        repeat: true              # otherwise an answer is given once
        steps:
          - {reasoning: "Let me see.", chunks: words}
          - {tool_call: {name: get_weather, arguments: {city: Oslo}}}
          - {usage: {input_tokens: 12, output_tokens: 7}}
      - text: "It rains."         # short for one step
"""

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, cast

import anyio
import msgspec

from agentlin_server.domain import errors
from agentlin_server.domain.model import (
    ChatMessage,
    Finish,
    ModelRequest,
    ProviderState,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)

Chunks = int | Literal["words"] | None
"""Where a text is cut into deltas: every n characters, after each word, or (None) not at all."""

ERROR_KINDS: Final[Mapping[str, type[errors.ModelError]]] = {
    "authentication": errors.ModelAuthenticationError,
    "not_found": errors.ModelNotFoundError,
    "request": errors.ModelRequestError,
    "context_length": errors.ContextLengthError,
    "content_filter": errors.ContentFilterError,
    "rate_limit": errors.ModelRateLimitError,
    "unavailable": errors.ModelUnavailableError,
    "stream": errors.ModelStreamError,
    "timeout": errors.ModelTimeoutError,
}
"""What a script may call the errors of `domain.errors`."""


class ScriptError(ValueError):
    """A script is not valid; the message names the field."""


@dataclass(frozen=True, slots=True)
class Text:
    """Stream `text`, cut by `chunks`, after a pause of `delay_s` seconds before each delta."""

    text: str
    chunks: Chunks = None
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Reasoning(Text):
    """Like `Text`, as reasoning."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """Call a tool; `arguments` is JSON text, cut by `chunks`."""

    name: str
    arguments: str = "{}"
    call_id: str = ""
    chunks: Chunks = None


@dataclass(frozen=True, slots=True)
class Delay:
    """Pause for `delay_s` seconds."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class Gate:
    """Wait for an event, for a hook, or for the gate of that name."""

    gate: str | anyio.Event | Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Fail:
    """Fail with an error of `kind` (see `ERROR_KINDS`); as the first step, on entry.

    `status`, `retryable` and `retry_after_s` as in `ModelError`.
    """

    kind: str
    message: str = "the script says so"
    status: int | None = None
    retryable: bool | None = None
    retry_after_s: float | None = None

    def error(self, provider: str) -> errors.ModelError:
        """Return a new exception."""
        return ERROR_KINDS[self.kind](
            self.message,
            provider=provider,
            status=self.status,
            retryable=self.retryable,
            retry_after_s=self.retry_after_s,
        )


Delta = TextDelta | ReasoningDelta | RefusalDelta | ToolCallDelta | ProviderState
Step = Text | Reasoning | ToolCall | Delay | Gate | Fail | Delta | Usage | Finish
"""One step of an answer. Chunks of the port are passed on as they are."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says to one call.

    Attributes:
        steps: Played in order. Without a Finish, the answer ends with `stop`, or with
            `tool_calls` if it called a tool.
        match: A regular expression that the last user message must contain; None: any.
        results: How many tool results must follow that message; None: any number. So a script
            that is begun anew, in a server that was restarted, goes on where a task is.
        repeat: Give the answer as often as it fits, instead of once.
    """

    steps: Sequence[Step]
    match: str | None = None
    results: int | None = None
    repeat: bool = False

    def fits(self, request: ModelRequest) -> bool:
        """Whether this answer is one to `request`."""
        if self.results is not None and self.results != results_since_user(request):
            return False
        return self.match is None or re.search(self.match, last_user_text(request)) is not None


def last_user_text(request: ModelRequest) -> str:
    """Return the text of the last user message; empty if there is none."""
    for message in reversed(request.messages):
        if message.get("role") == "user":
            return _text_of(message)
    return ""


def results_since_user(request: ModelRequest) -> int:
    """Return how many tool results stand after the last user message."""
    count = 0
    for message in reversed(request.messages):
        if message.get("role") == "user":
            break
        count += message.get("role") == "tool"
    return count


def split_text(text: str, chunks: Chunks) -> Iterator[str]:
    """Yield the non-empty pieces of `text`; they add up to it.

    >>> list(split_text("one two", "words")), list(split_text("abc", 2))
    (['one ', 'two'], ['ab', 'c'])
    """
    if chunks == "words":
        yield from re.findall(r"\s*\S+\s?|\s+", text)
    elif text:
        size = chunks or len(text)
        yield from (text[start : start + size] for start in range(0, len(text), size))


def load_script(path: Path) -> list[Answer]:
    """Read a script from a YAML file.

    Raises:
        ScriptError: the file can't be read, or is no valid script.
        ImportError: pyyaml is not installed.
    """
    try:
        import yaml
    except ImportError as exc:
        raise ImportError("scripts need pyyaml: pip install 'agentlin[server]'") from exc
    try:
        return parse_script(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ScriptError) as exc:
        raise ScriptError(f"script {path.name}: {exc}") from exc


def parse_script(data: Any) -> list[Answer]:
    """Return the answers of a script in its YAML form, decoded.

    Raises:
        ScriptError: it is not valid; the message names the field.

    >>> parse_script([{"text": "Hi"}])[0].steps
    (Text(text='Hi', chunks=None, delay_s=0.0),)
    """
    if isinstance(data, list):
        data = {"answers": cast("list[Any]", data)}
    try:
        forms = msgspec.convert(data, type=_ScriptForm).answers
    except msgspec.ValidationError as exc:
        raise ScriptError(str(exc).replace("`$.", "`")) from exc
    return [_answer(form, f"answers[{number}]") for number, form in enumerate(forms)]


_Positive = Annotated[int, msgspec.Meta(ge=1)]
_Seconds = Annotated[float, msgspec.Meta(ge=0)]
_Count = Annotated[int, msgspec.Meta(ge=0)]
_ChunksForm = _Positive | Literal["words"] | None


class _Form(msgspec.Struct, forbid_unknown_fields=True):
    pass


class _ToolCallForm(_Form):
    name: str
    arguments: str | dict[str, Any] = "{}"
    call_id: str = ""


class _ErrorForm(_Form):
    kind: str
    message: str = "the script says so"
    status: int | None = None
    retryable: bool | None = None
    retry_after_s: _Seconds | None = None


class _UsageForm(_Form):
    input_tokens: _Count = 0
    cached_tokens: _Count = 0
    output_tokens: _Count = 0
    reasoning_tokens: _Count = 0


class _StepForm(_Form):
    text: str | None = None
    reasoning: str | None = None
    tool_call: _ToolCallForm | None = None
    gate: str | None = None
    error: str | _ErrorForm | None = None
    usage: _UsageForm | None = None
    finish: str | None = None
    delay_s: _Seconds | None = None
    chunks: _ChunksForm = None


class _AnswerForm(_StepForm):
    steps: list[_StepForm] | None = None
    match: str | None = None
    results: _Count | None = None
    repeat: bool = False


class _ScriptForm(_Form):
    answers: list[_AnswerForm]


_KINDS: Final = ("text", "reasoning", "tool_call", "gate", "error", "usage", "finish")


def _answer(form: _AnswerForm, where: str) -> Answer:
    if form.match is not None:
        try:
            re.compile(form.match)
        except re.error as exc:
            raise ScriptError(f"`{where}.match` is no regular expression: {exc}") from exc
    is_short = any(getattr(form, name) is not None for name in (*_KINDS, "delay_s", "chunks"))
    if is_short is (form.steps is not None):
        raise ScriptError(f"`{where}` needs either `steps` or one step")
    if form.steps is None:
        steps = (_step(form, where),)
    else:
        steps = tuple(_step(step, f"{where}.steps[{i}]") for i, step in enumerate(form.steps))
    return Answer(steps, match=form.match, results=form.results, repeat=form.repeat)


def _step(form: _StepForm, where: str) -> Step:
    given = [name for name in _KINDS if getattr(form, name) is not None]
    if len(given) > 1 or not (given or form.delay_s is not None):
        raise ScriptError(
            f"`{where}` needs exactly one of {', '.join(_KINDS)} (or delay_s), "
            f"and has {' and '.join(given) or 'none'}"
        )
    kind = given[0] if given else "delay_s"
    for name, kinds in (
        ("chunks", {"text", "reasoning", "tool_call"}),
        ("delay_s", {"text", "reasoning", "delay_s"}),
    ):
        if getattr(form, name) is not None and kind not in kinds:
            raise ScriptError(f"`{where}.{name}` does not go with {kind}")
    return _BUILDERS[kind](form, where)


def _tool_call(form: _StepForm, where: str) -> ToolCall:
    call = form.tool_call
    assert call is not None
    arguments = call.arguments
    if not isinstance(arguments, str):
        try:
            arguments = msgspec.json.encode(arguments).decode()
        except TypeError as exc:
            raise ScriptError(f"`{where}.tool_call.arguments`: {exc}") from exc
    return ToolCall(call.name, arguments, call.call_id, form.chunks)


def _fail(form: _StepForm, where: str) -> Fail:
    error = _ErrorForm(form.error) if isinstance(form.error, str) else form.error
    assert error is not None
    if error.kind not in ERROR_KINDS:
        raise ScriptError(
            f"`{where}.error`: unknown kind {error.kind!r}; known: {', '.join(ERROR_KINDS)}"
        )
    return Fail(**msgspec.structs.asdict(error))


_BUILDERS: Final[Mapping[str, Callable[[_StepForm, str], Step]]] = {
    "text": lambda form, _: Text(form.text or "", form.chunks, form.delay_s or 0.0),
    "reasoning": lambda form, _: Reasoning(form.reasoning or "", form.chunks, form.delay_s or 0.0),
    "tool_call": _tool_call,
    "gate": lambda form, _: Gate(form.gate or ""),
    "error": _fail,
    "usage": lambda form, _: Usage(**msgspec.structs.asdict(form.usage or _UsageForm())),
    "finish": lambda form, _: Finish(form.finish or "stop"),
    "delay_s": lambda form, _: Delay(form.delay_s or 0.0),
}


def _text_of(message: ChatMessage) -> str:
    content = message.get("content")
    if not isinstance(content, list):
        return content if isinstance(content, str) else ""
    parts = cast("list[Any]", content)
    texts = [part if isinstance(part, str) else part.get("text") for part in parts]
    return "\n".join(text for text in texts if isinstance(text, str))
