"""Tools for tests: they note what they did, and end when they are told to."""

from collections.abc import Mapping, Sequence
from typing import Any

import anyio

from agentlin_server.domain.tool import Effect, ToolInvocation


class NotingTool:
    """A tool that notes each run; with a gate it runs until that opens."""

    parameters: Mapping[str, Any] = {"type": "object", "properties": {}}

    def __init__(
        self,
        name: str = "note",
        effect: Effect = Effect.UNSAFE,
        *,
        gate: anyio.Event | None = None,
        result: Any = None,
    ) -> None:
        self.name = name
        self.description = f"Notes ({effect})."
        self.effect = effect
        self.begun: list[ToolInvocation] = []
        self.ended: list[str] = []
        self.stopped: list[str] = []
        self.started = anyio.Event()
        self._gate = gate
        self._result = result

    @property
    def keys(self) -> list[str]:
        """The idempotency keys it was run under."""
        return [one.idempotency_key for one in self.begun]

    async def run(self, call: ToolInvocation) -> Sequence[Mapping[str, Any]]:
        """Note the call, wait for the gate, and say so."""
        self.begun.append(call)
        self.started.set()
        try:
            if self._gate is not None:
                await self._gate.wait()
        except BaseException:
            self.stopped.append(call.call_id)
            raise
        self.ended.append(call.call_id)
        if isinstance(self._result, Exception):
            raise self._result
        return self._result or [{"type": "text", "text": f"{self.name} did {call.call_id}"}]
