"""A ledger: tools whose side effects can be counted, for tests and demos.

Each execution leaves two lines in a file, one when it begins and one when it ends, both synced to
disk. So the file shows how often a call was really executed, whatever happened to the server:

    {"tool": "ledger_record", "idempotency_key": "task_1:call_1", "text": "...", "phase": "begun"}
"""

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

import anyio
import anyio.to_thread
import msgspec

from agentlin_server.domain.tool import Effect, ToolInvocation

FILE_NAME: Final = "ledger.jsonl"
DELAY_S_MAX: Final = 60.0

Phase = Literal["begun", "ended"]
_StructT = TypeVar("_StructT", bound=msgspec.Struct)


class ToolArgumentsError(ValueError):
    """A call's arguments are not what the tool takes; the message names the fault."""


class LedgerLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of the file."""

    tool: str
    idempotency_key: str
    text: str
    phase: Phase


@dataclass(frozen=True, slots=True)
class Entry:
    """All executions of one call.

    Attributes:
        tool: Which tool wrote it.
        idempotency_key: Of the call.
        text: What it wrote.
        begun: How often its execution began.
        ended: How often it came to its end.
    """

    tool: str
    idempotency_key: str
    text: str
    begun: int
    ended: int


class Ledger:
    """The file of a ledger. Its methods block.

    Args:
        folder: Where the file is; made with the first line.
        sync: Writes a file's changes to disk, given its descriptor.
    """

    def __init__(self, folder: Path, *, sync: Callable[[int], None] = os.fsync) -> None:
        self._folder = folder
        self._sync = sync

    def append(self, line: LedgerLine) -> None:
        """Add a line; it is on disk, and the file's name too, when this returns.

        Raises:
            OSError: the file can't be written.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / FILE_NAME
        is_new = not path.exists()
        with path.open("ab", buffering=0) as file:
            file.write(msgspec.json.encode(line) + b"\n")
            self._sync(file.fileno())
        if is_new:
            self._sync_folder()

    def entries(self) -> list[Entry]:
        """Return what the file says, one entry per call, in the order in which they began.

        Raises:
            OSError: the file can't be read.
            ValueError: it holds something else than a ledger.
        """
        path = self._folder / FILE_NAME
        if not path.exists():
            return []
        found: dict[tuple[str, str], list[LedgerLine]] = {}
        whole, _, _ = path.read_bytes().rpartition(b"\n")  # a line may just be being written
        for raw in whole.splitlines():
            line = msgspec.json.decode(raw, type=LedgerLine)
            found.setdefault((line.tool, line.idempotency_key), []).append(line)
        return [_entry(lines) for lines in found.values()]

    def _sync_folder(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            self._sync(descriptor)
        finally:
            os.close(descriptor)


def _entry(lines: Sequence[LedgerLine]) -> Entry:
    begun = sum(line.phase == "begun" for line in lines)
    first = lines[0]
    return Entry(first.tool, first.idempotency_key, first.text, begun, len(lines) - begun)


class _WriteArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    text: Annotated[str, msgspec.Meta(max_length=10_000)]
    delay_s: Annotated[float, msgspec.Meta(ge=0, le=DELAY_S_MAX)] = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerWriter:
    """A tool that writes into the ledger; implements the port `Tool`.

    Attributes:
        name: What the model calls it by.
        description: For the model.
        effect: What it is declared to do to the world.
        ledger: Where it writes.
        sleep: Waits for as many seconds.
    """

    name: str
    description: str
    effect: Effect
    ledger: Ledger
    sleep: Callable[[float], Awaitable[None]] = field(default=anyio.sleep)

    @property
    def parameters(self) -> Mapping[str, Any]:
        """JSON Schema of its arguments."""
        return {
            "type": "object",
            "properties": {
                "text": {"type": "string", "maxLength": 10_000, "description": "What to write."},
                "delay_s": {
                    "type": "number",
                    "minimum": 0,
                    "maximum": DELAY_S_MAX,
                    "default": 0,
                    "description": "How long writing takes, in seconds.",
                },
            },
            "required": ["text"],
            "additionalProperties": False,
        }

    async def run(self, call: ToolInvocation) -> Sequence[Mapping[str, Any]]:
        """Write `begun`, wait, write `ended`.

        Canceled in the middle of a write it ends that write first.

        Raises:
            ToolArgumentsError: the arguments are wrong; nothing was written.
            OSError: the ledger can't be written.
        """
        given = _arguments(self.name, call, _WriteArguments)
        await self._append(call, given.text, "begun")
        await self.sleep(given.delay_s)
        await self._append(call, given.text, "ended")
        return [{"type": "text", "text": f"Written to the ledger: {given.text}"}]

    async def _append(self, call: ToolInvocation, text: str, phase: Phase) -> None:
        line = LedgerLine(
            tool=self.name, idempotency_key=call.idempotency_key, text=text, phase=phase
        )
        await anyio.to_thread.run_sync(self.ledger.append, line)


class _NoArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


@dataclass(frozen=True, slots=True)
class LedgerReader:
    """The tool that reads the ledger; implements the port `Tool`."""

    ledger: Ledger

    @property
    def name(self) -> str:
        """What the model calls it by."""
        return "ledger_read"

    @property
    def description(self) -> str:
        """For the model."""
        return "Read the test ledger: each entry, and how often writing it began and ended."

    @property
    def effect(self) -> Effect:
        """It only looks."""
        return Effect.READ

    @property
    def parameters(self) -> Mapping[str, Any]:
        """JSON Schema: no arguments."""
        return {"type": "object", "properties": {}, "additionalProperties": False}

    async def run(self, call: ToolInvocation) -> Sequence[Mapping[str, Any]]:
        """Return the ledger as text, one entry per line.

        Raises:
            ToolArgumentsError: there are arguments.
            OSError: the ledger can't be read.
            ValueError: the file is no ledger.
        """
        _arguments(self.name, call, _NoArguments)
        entries = await anyio.to_thread.run_sync(self.ledger.entries)
        lines = [f"{e.tool}: {e.text} (begun {e.begun}, ended {e.ended})" for e in entries]
        return [{"type": "text", "text": "\n".join(lines) or "The ledger is empty."}]


def ledger_tools(folder: Path) -> tuple[LedgerWriter, LedgerWriter, LedgerReader]:
    """Return `ledger_record` (unsafe), `ledger_save` (idempotent) and `ledger_read` (read)."""
    ledger = Ledger(folder)
    return (
        LedgerWriter(
            name="ledger_record",
            description="Write an entry into the test ledger. Each call adds one: it must not be "
            "made twice.",
            effect=Effect.UNSAFE,
            ledger=ledger,
        ),
        LedgerWriter(
            name="ledger_save",
            description="Write an entry into the test ledger. Made again, a call changes nothing.",
            effect=Effect.IDEMPOTENT,
            ledger=ledger,
        ),
        LedgerReader(ledger),
    )


def _arguments(tool: str, call: ToolInvocation, kind: type[_StructT]) -> _StructT:
    try:
        return msgspec.convert(dict(call.arguments), type=kind)
    except msgspec.ValidationError as exc:
        raise ToolArgumentsError(f"{tool}: {str(exc).replace('`$.', '`')}") from exc
