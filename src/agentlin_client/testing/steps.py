"""What a scripted task does: the words that scripts are written in. Pure data.

A script is a list of steps, put out in their order. What the model says, thinks and calls up to
and including a `call` is one model call; what follows the result begins the next. A task whose
script has come to its end is completed.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias

from agentlin_client._errors import ClientError

_EXPIRED: Final = -32006
_FAILED: Final = -32000


class ScriptError(ClientError):
    """A script says what no server would do; the message tells what to change."""


class TaskSoFar(Protocol):
    """What a step that is a function may look at."""

    @property
    def body(self) -> Mapping[str, Any]:
        """The body of the request that created the task."""
        ...

    @property
    def results(self) -> Mapping[str, str]:
        """The text of what each tool answered last, by the tool's name."""
        ...


@dataclass(frozen=True, slots=True)
class Delay:
    """See `delay`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Hang:
    """See `hang`."""


@dataclass(frozen=True, slots=True)
class Cut:
    """See `cut`."""


@dataclass(frozen=True, slots=True)
class End:
    """See `fail` and `expire`."""

    event_type: str
    error: Mapping[str, Any]


Happening: TypeAlias = Delay | Hang | Cut | End
"""What may come between steps, and in the middle of a text."""
Piece: TypeAlias = str | Happening
"""A piece of a text: several strings are the deltas as given; a single one is split into words."""
Content: TypeAlias = str | Sequence[Piece | Mapping[str, Any]]
"""A text, or its pieces; a mapping is a content part in its wire form, as it is."""


@dataclass(frozen=True, slots=True)
class Say:
    """See `say`."""

    pieces: tuple[Piece, ...]
    annotations: tuple[Mapping[str, Any], ...] = ()
    parts: tuple[Mapping[str, Any], ...] = ()
    part_type: str = "output_text"


@dataclass(frozen=True, slots=True)
class Think:
    """See `think`."""

    pieces: tuple[Piece, ...]
    summary: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """See `call`."""

    name: str
    arguments: str
    result: Content | None = None
    blocks: tuple[Any, ...] | None = None
    call_id: str | None = None


@dataclass(frozen=True, slots=True)
class Parallel:
    """See `parallel`."""

    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class Tokens:
    """See `tokens`."""

    usage: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RawEvent:
    """See `event`."""

    type: str
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])


Step: TypeAlias = Say | Think | Call | Parallel | Tokens | RawEvent | Happening
"""One step of a script."""
Steps: TypeAlias = "Step | str | Callable[[TaskSoFar], Steps] | Sequence[Steps] | None"
"""A script: a step, a text (what `say` would make of it), a function that returns steps once its
turn has come, or any sequence of those."""


def say(
    *text: Piece,
    annotations: Sequence[Mapping[str, Any]] = (),
    parts: Sequence[Mapping[str, Any]] = (),
) -> Say:
    """The model answers: a message.

    Args:
        text: One text, streamed word by word; or several, streamed as they are. Among them may be
            `delay`, `hang`, `cut`, `fail` and `expire`, which happen in the middle of the message.
        annotations: Of the text, in wire form.
        parts: Content parts after the text, in wire form: files, images, more text.
    """
    return Say(text, tuple(annotations), tuple(parts))


def say_json(value: object) -> Say:
    """The model answers with structured output.

    Args:
        value: A pydantic model, a dataclass, or anything that has a JSON form.
    """
    return Say((json.dumps(value, ensure_ascii=False, default=_plain),))


def refuse(*text: Piece) -> Say:
    """The model refuses to answer; `text` as for `say`."""
    return Say(text, part_type="refusal")


def think(*text: Piece, summary: str | None = None) -> Think:
    """The model reasons; `text` as for `say`, and the `summary` if it shows one."""
    return Think(text, summary)


def call(
    name: str,
    arguments: Mapping[str, Any] | str | None = None,
    *,
    result: Content | None = None,
    blocks: Sequence[Any] | None = None,
    call_id: str | None = None,
) -> Call:
    """The model calls a tool.

    Args:
        name: The tool.
        arguments: An object, or the JSON text as the model writes it, right or wrong.
        result: What the tool answers, if the server runs it. Without a result it is a tool of the
            client's: the task waits for the answer (input-required).
        blocks: What a screen shows of the result; by default the same as the model reads.
        call_id: By default `call_1`, `call_2`, ... in each task.
    """
    text = arguments if isinstance(arguments, str) else json.dumps(arguments or {}, default=_plain)
    return Call(name, text, result, None if blocks is None else tuple(blocks), call_id)


def parallel(*calls: Call) -> Parallel:
    """The model makes these calls at once, in one model call."""
    return Parallel(calls)


def fail(message: str = "The model failed.", *, code: int = _FAILED, data: object = None) -> End:
    """The task fails, with this error; what was open ends incomplete."""
    error = {"code": code, "message": message} | ({} if data is None else {"data": data})
    return End("task.failed", error)


def expire(message: str = "The task took longer than its timeout_s.") -> End:
    """The task takes too long and expires; what was open ends incomplete."""
    return End("task.expired", {"code": _EXPIRED, "message": message})


def hang() -> Hang:
    """Nothing comes any more, until the task is canceled or `FakeTask.release` is called."""
    return Hang()


def delay(seconds: float) -> Delay:
    """Time passes on the server's clock; the test does not wait for it.

    A client whose read time-out is shorter than the silence runs into it: servers send a sign of
    life every 15 seconds of a stream, and every 10 of a create that waits.
    """
    return Delay(seconds)


def cut() -> Cut:
    """The model's own stream breaks off: what this model call put out ends incomplete.

    The call is made anew with the steps that follow: the same `agent_step`, the next `attempt`.
    """
    return Cut()


def tokens(*, input: int, output: int, cached: int = 0, reasoning: int = 0) -> Tokens:
    """The model call that this stands in uses so many tokens; else they are estimated."""
    return Tokens(
        {
            "input_tokens": input,
            "input_tokens_details": {"cached_tokens": cached},
            "output_tokens": output,
            "output_tokens_details": {"reasoning_tokens": reasoning},
            "total_tokens": input + output,
            "estimated": False,
        }
    )


def event(type: str, **fields: Any) -> RawEvent:
    """An event of any type, e.g. one that this version does not know; numbered by the server."""
    return RawEvent(type, fields)


def _plain(value: object) -> object:
    from dataclasses import asdict, is_dataclass

    dump = getattr(value, "model_dump", None)
    if callable(dump):
        return dump(mode="json")
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"a {type(value).__name__} has no JSON form")
