"""What `agentlin demo crash` asks of which model, and when it kills the server."""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from agentlin_client.types import AgentTaskEvent

SCRIPT: Final = files("agentlin_server.cli") / "scripts" / "demo_crash.yaml"
TOOL: Final = "ledger_record"
_PROMPT: Final = "Book a seat on the night train, and tell me about it."
_REAL_PROMPT: Final = "Write a long story about a lighthouse keeper in a storm."
"""The answer must be long, even of a small model: nobody can kill what has ended."""
_REAL_TOKENS_MAX: Final = 200
_REAL_CHARACTERS: Final = 100
"""After so much text, about 25 tokens, a server with a real model is killed."""
_REAL_TRIES: Final = 2

KillPoint = Callable[["AgentTaskEvent"], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run of the demo.

    Attributes:
        prompt: The task.
        model: Who answers, `provider/model`.
        settings: More settings of the server, by name.
        sampling: Inference arguments.
        kill_point: Says of an event whether the server is killed after it.
        ledger_dir: Where the tool writes, None if there is none.
        waits_for_tool: The tool must have begun before the server is killed.
        tool_calls: How many calls of the tool there must have been in the end.
        tries: How many tasks may be begun until one lasts long enough for the kill.
    """

    prompt: str
    model: str
    kill_point: KillPoint
    settings: dict[str, str] = field(default_factory=dict[str, str])
    sampling: dict[str, Any] = field(default_factory=dict[str, Any])
    ledger_dir: Path | None = None
    waits_for_tool: bool = False
    tool_calls: int = 0
    tries: int = 1

    @property
    def has_tool(self) -> bool:
        """True if the model calls the tool."""
        return self.tool_calls > 0


def plan_for_script(folder: Path, *, during_tool: bool) -> Plan:
    """Return the plan for the scripted model.

    Args:
        folder: Where script and ledger are put.
        during_tool: Kill the server while the tool runs, else in the middle of the text.
    """
    from agentlin_server.models.script import load_script

    script, ledger_dir = folder / "script.yaml", folder / "ledger"
    with as_file(SCRIPT) as path:
        script.write_bytes(path.read_bytes())
    last = load_script(script)[-1]
    length = sum(len(getattr(step, "text", "")) for step in last.steps)
    return Plan(
        prompt=_PROMPT,
        model="scripted/demo",
        settings={"SCRIPT": str(script), "LEDGER_DIR": str(ledger_dir)},
        kill_point=_when_the_tool_begins if during_tool else _AfterText(length // 2, step=2),
        ledger_dir=ledger_dir,
        waits_for_tool=during_tool,
        tool_calls=1,
    )


def plan_for_model(model: str, prompt: str | None) -> Plan:
    """Return the plan for a real model: it has no tool, as a small one might not call it."""
    return Plan(
        prompt=prompt or _REAL_PROMPT,
        model=model,
        sampling={"max_tokens": _REAL_TOKENS_MAX},
        kill_point=_AfterText(_REAL_CHARACTERS, step=1),
        tries=_REAL_TRIES,
    )


def _when_the_tool_begins(event: "AgentTaskEvent") -> bool:
    return event.type == "task.output_item.added" and event.item.type == "tool_result"


class _AfterText:
    """True once as many characters of a step's text have come, of one task."""

    def __init__(self, characters: int, *, step: int) -> None:
        self._characters = self._left = characters
        self._step = step
        self._task_id = ""

    def __call__(self, event: "AgentTaskEvent") -> bool:
        if event.type != "task.text.delta" or event.agent_step != self._step:
            return False
        if event.task_id != self._task_id:
            self._task_id, self._left = event.task_id, self._characters
        self._left -= len(event.delta)
        return self._left <= 0
