"""The scripted model: plays answers that were written before, for tests and demos."""

from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import anyio
import anyio.lowlevel

from agentlin_server.domain.errors import ModelRequestError
from agentlin_server.domain.model import (
    Chunk,
    Finish,
    ModelRequest,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from agentlin_server.models.script import (
    ERROR_KINDS,
    Answer,
    Delay,
    Fail,
    Gate,
    Reasoning,
    ScriptError,
    Step,
    Text,
    ToolCall,
    last_user_text,
    load_script,
    split_text,
)

PROVIDER: Final = "scripted"
ECHO: Final = "echo"
"""The model that repeats the last user message, word by word; it needs no script."""
CALLS_KEPT_MAX: Final = 1000

Batches = AsyncIterator[Sequence[Chunk]]
Script = Sequence[Answer] | Callable[[ModelRequest], Answer]
GateHook = anyio.Event | Callable[[], Awaitable[object]]


@dataclass(slots=True)
class ScriptedCall:
    """A call that the model got.

    Attributes:
        request: The call.
        outcome: `open` while it streams, `finished`, `failed` by the script, or `closed_early`:
            the reader left before the end.
    """

    request: ModelRequest
    outcome: Literal["open", "finished", "failed", "closed_early"] = "open"


class ScriptedModel:
    """Plays a script; implements the port `Model`.

    Each call gets the first answer that fits it and was not yet given. A callable decides
    itself. Every delta is a batch of its own. The model `echo` never uses the script.

    Args:
        script: The answers, or a function that makes one of a request.
        gates: What `gate` steps with a name wait for: events, or hooks that are awaited.
        sleep: Waits for as many seconds.

    Raises:
        ScriptError: the script uses a gate or an error that does not exist.

    Attributes:
        calls: The latest calls, oldest first; at most `CALLS_KEPT_MAX`.
    """

    def __init__(
        self,
        script: Script = (),
        *,
        gates: Mapping[str, GateHook] | None = None,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._gates = dict(gates or {})
        self._sleep = sleep
        self._choose = script if callable(script) else _InOrder(script)
        self.calls: deque[ScriptedCall] = deque(maxlen=CALLS_KEPT_MAX)
        if not callable(script):
            for answer in script:
                self._check(answer)

    @classmethod
    def from_file(cls, path: Path) -> "ScriptedModel":
        """Return a model that plays the YAML script at `path`; see `script.load_script`."""
        return cls(load_script(path))

    @property
    def provider(self) -> str:
        """The provider's name: `scripted`."""
        return PROVIDER

    @property
    def requests(self) -> list[ModelRequest]:
        """The requests of `calls`."""
        return [call.request for call in self.calls]

    def stream(self, request: ModelRequest) -> AbstractAsyncContextManager[Batches]:
        """Play an answer; see `Model.stream`.

        Raises:
            ModelRequestError: the script has no answer left that fits.
            ModelError: what the script says.
        """
        return self._stream(request)

    @asynccontextmanager
    async def _stream(self, request: ModelRequest) -> AsyncGenerator[Batches]:
        call = ScriptedCall(request, "failed")  # until its stream is open
        self.calls.append(call)
        answer = _echo(request) if request.model == ECHO else self._choose(request)
        self._check(answer)
        if answer.steps and isinstance(first := answer.steps[0], Fail):
            raise first.error(PROVIDER)
        call.outcome = "open"
        try:
            async with aclosing(self._play(answer, call)) as batches:
                yield batches
        finally:
            if call.outcome == "open":
                call.outcome = "closed_early"

    async def _play(self, answer: Answer, call: ScriptedCall) -> AsyncGenerator[Sequence[Chunk]]:
        tool_calls = 0
        has_finished = False
        for step in answer.steps:
            # a script without pauses still lets others run
            await anyio.lowlevel.checkpoint()
            match step:
                case Delay(delay_s):
                    await self._sleep(delay_s)
                    continue
                case Gate(gate):
                    await self._pass(gate)
                    continue
                case Fail():
                    call.outcome = "failed"
                    raise step.error(PROVIDER)
                case Finish():
                    has_finished = True
                case _:
                    pass
            for chunk in _chunks(step, tool_calls):
                if isinstance(step, Text) and step.delay_s:
                    await self._sleep(step.delay_s)
                yield (chunk,)
            tool_calls += isinstance(step, ToolCall)
        if not has_finished:
            yield (Finish("tool_calls" if tool_calls else "stop"),)
        call.outcome = "finished"

    async def _pass(self, gate: str | GateHook) -> None:
        hook = self._gates[gate] if isinstance(gate, str) else gate
        await (hook.wait() if isinstance(hook, anyio.Event) else hook())

    def _check(self, answer: Answer) -> None:
        for step in answer.steps:
            gate = step.gate if isinstance(step, Gate) else None
            if isinstance(gate, str) and gate not in self._gates:
                known = ", ".join(sorted(self._gates)) or "none"
                raise ScriptError(
                    f"the script waits for the unknown gate {gate!r} (known: {known})"
                )
            if isinstance(step, Fail) and step.kind not in ERROR_KINDS:
                raise ScriptError(f"the script fails with the unknown kind {step.kind!r}")


class _InOrder:
    """Gives the first answer that fits and was not yet given."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        self._left = list(answers)
        self._calls = 0

    def __call__(self, request: ModelRequest) -> Answer:
        self._calls += 1
        for position, answer in enumerate(self._left):
            if answer.fits(request):
                return answer if answer.repeat else self._left.pop(position)
        raise ModelRequestError(
            f"the script has no answer for call {self._calls} ({len(self._left)} answers left, "
            f"none fits); add one, or `repeat: true`. The model {PROVIDER}/{ECHO} needs no script.",
            provider=PROVIDER,
        )


def _echo(request: ModelRequest) -> Answer:
    text = last_user_text(request)
    words = len(text.split())
    return Answer((Text(text, "words"), Usage(input_tokens=words, output_tokens=words)))


def _chunks(step: Step, tool_calls: int) -> Iterator[Chunk]:
    """Yield the chunks of a step that has some; `tool_calls` came before it."""
    match step:
        case Reasoning(text, chunks):
            yield from (ReasoningDelta(piece) for piece in split_text(text, chunks))
        case Text(text, chunks):
            yield from (TextDelta(piece) for piece in split_text(text, chunks))
        case ToolCall(name, arguments, call_id, chunks):
            yield ToolCallDelta(tool_calls, call_id, name)
            for piece in split_text(arguments, chunks):
                yield ToolCallDelta(tool_calls, arguments=piece)
        case Delay() | Gate() | Fail():
            return
        case _:
            yield step
